// Limits, each hit once: what the web server is told, and that the connection
// goes on where it may. Those of bodies are in body_test.ts.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import {
  begin,
  concatLarge,
  GET,
  pair,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
} from "../support/wire.ts";

const ok: Service = (_, response) => void response.write("ok");

Deno.test("maxConnections lets no further connection in until one closes", async () => {
  await using host = new Running(ok, { maxConnections: 2 });
  using first = await host.connect();
  using second = await host.connect();
  await first.ask(request());
  await second.ask(request());
  using third = await host.connect();
  await third.send(request());
  let isAnswered = false;
  const answered = third.answer();
  answered.then(() => isAnswered = true, () => {});
  for (let i = 0; i < 100; i++) await first.ask(request());
  assertEquals(isAnswered, false);
  second.close();
  assertEquals((await answered).text, "ok");
  assertEquals((await first.ask(request())).text, "ok");
});

// maxParamsBytes

/** Parameters of exactly so many bytes. */
function paramsOf(length: number): Uint8Array {
  const base = pairs(GET);
  const filler = pair("X", "x".repeat(length - base.length - 6));
  const all = concatLarge([base, filler]);
  assertEquals(all.length, length);
  return all;
}

for (const size of [100, 999, 65_535]) {
  for (
    const [length, status] of [[4096, 200], [4097, 431], [
      200_000,
      431,
    ]] as const
  ) {
    Deno.test(`maxParamsBytes of 4096 answers ${status} to ${length} bytes in records of ${size}`, async () => {
      await using host = new Running(ok, { maxParamsBytes: 4096 });
      using peer = await host.connect();
      const bytes = concatLarge([
        begin(1),
        stream(PARAMS, 1, paramsOf(length), size),
        record(STDIN, 1),
      ]);
      const answer = await peer.ask(bytes);
      assertEquals([answer.status, answer.protocolStatus], [status, 0]);
      if (status === 431) assertStringIncludes(answer.stderr, "maxParamsBytes");
      assertEquals(
        Number(answer.headers["content-length"]),
        answer.body.length,
      );
      assertEquals((await peer.ask(request())).text, "ok");
    });
  }
}

Deno.test("the default maxParamsBytes takes 128 KiB", async () => {
  await using host = new Running((request, response) => {
    response.write(String(request.param("X")!.length));
  });
  using peer = await host.connect();
  const bytes = (length: number) =>
    concatLarge([
      begin(1),
      stream(PARAMS, 1, paramsOf(length)),
      record(STDIN, 1),
    ]);
  const rest = pairs(GET).length + 6;
  assertEquals((await peer.ask(bytes(131_072))).text, `${131_072 - rest}`);
  assertEquals((await peer.ask(bytes(131_073))).status, 431);
});
