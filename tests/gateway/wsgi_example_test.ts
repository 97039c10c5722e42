import { assertEquals } from "@std/assert";
import { Peer } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { request } from "../support/wire.ts";

Deno.test("examples/wsgi/app.ts serves with no permission but the network", async () => {
  await using program = new Program(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-net",
      new URL("../../examples/wsgi/app.ts", import.meta.url).pathname,
      "--bind",
      "127.0.0.1:0",
    ],
  });
  const [, port] = await program.until(/127\.0\.0\.1:(\d+)$/);
  using peer = await Peer.connect({
    hostname: "127.0.0.1",
    port: Number(port),
  });
  const { lines, text } = await peer.ask(request());
  assertEquals(lines, [
    "Content-Type: text/plain",
    "Content-Length: 13",
    "Status: 200 OK",
  ]);
  assertEquals(text, "Hello, World!");
  assertEquals((await program.stop()).code, 0);
});
