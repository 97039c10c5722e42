// FastCGIClient without permissions: what is missing is named, and nobody is
// asked. Addresses that mean any host to a server.

import { assertEquals } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { answering, text } from "../support/answering.ts";
import { within } from "../support/peer.ts";

const ROWS: [address: string, permissions: string[], flags: string][] = [
  ["127.0.0.1:9", [], "--allow-net=127.0.0.1:9"],
  ["[::1]:9", ["--allow-net=127.0.0.1"], "--allow-net=[::1]:9"],
  [
    "/none/a.sock",
    [],
    "--allow-net=unix:/none/a.sock --allow-read=/none/a.sock --allow-write=/none/a.sock",
  ],
  [
    "/none/a.sock",
    ["--allow-net", "--allow-read"],
    "--allow-write=/none/a.sock",
  ],
];

for (const [address, permissions, flags] of ROWS) {
  Deno.test(`FastCGIClient.fetch() names ${flags} where it is missing for ${address}`, async () => {
    const program = `
      import { FastCGIClient, StartError } from "@smisk/smisk/client";
      const client = new FastCGIClient(${JSON.stringify(address)});
      try {
        await client.fetch(new Request("http://test/"));
      } catch (error) {
        console.log(error instanceof StartError, error.code, error.message);
      }
    `;
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(path, program);
      const config = new URL("../../deno.json", import.meta.url).pathname;
      const { stdout } = await within(
        new Deno.Command(Deno.execPath(), {
          args: ["run", "--no-check", "--config", config, ...permissions, path],
          stdin: "null",
        }).output(),
        "the process to end",
      );
      assertEquals(
        new TextDecoder().decode(stdout),
        `true PERMISSION_MISSING No permission to connect to ${address}: add ${flags}\n`,
      );
    } finally {
      await Deno.remove(path);
    }
  });
}

Deno.test("FastCGIClient() takes any host for this one", async () => {
  await using server = answering();
  const { port } = server.address;
  for (const address of [`:${port}`, `*:${port}`, `0.0.0.0:${port}`]) {
    await using client = new FastCGIClient(address);
    assertEquals(await text(client), "hello");
  }
});
