import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Gateway } from "../../src/gateway/gateway.ts";
import { gate, Running } from "../support/running.ts";
import { request } from "../support/wire.ts";
import { askWsgi, bodySoFar } from "../support/wsgi.ts";

Deno.test("write() and what is returned make one body, in order", async () => {
  for (const isAsync of [false, true]) {
    const { text, status } = await askWsgi(
      (_, startResponse) => {
        const write = startResponse("200 OK", []);
        write("a");
        write(new TextEncoder().encode("b"));
        write("");
        return isAsync ? ReadableStream.from(["c", "d"]) : ["c", "d"];
      },
    );
    assertEquals([text, status], ["abcd", 200]);
  }
});

Deno.test("write() sends at once", async () => {
  const next = gate();
  await using running = new Running(
    new Gateway(async (_, startResponse) => {
      const write = startResponse("200 OK", []);
      await write("first");
      await next.promise;
      write("second");
      return [];
    }),
  );
  using peer = await running.connect();
  await peer.send(request());
  while (bodySoFar(peer.records) === "") assert(await peer.read());
  assertEquals(bodySoFar(peer.records), "first");
  next.resolve();
  const answer = await peer.answer();
  assertEquals(answer.text, "firstsecond");
  assertEquals(answer.headers["content-length"], undefined);
});

Deno.test("write() of nothing sends no headers", async () => {
  const { status } = await askWsgi((_, startResponse) => {
    startResponse("200 OK", [])("");
    startResponse("503 Later", [], new Error("late"));
    return [];
  });
  assertEquals(status, 503);
});

Deno.test("write() refuses what is neither a string nor bytes", async () => {
  const { status, stderr } = await askWsgi((_, startResponse) => {
    const write = startResponse("200 OK", []);
    write(5 as unknown as string);
    return [];
  });
  assertEquals(status, 500);
  assertStringIncludes(stderr, "Cannot send a value of type number");
});

Deno.test("write() loses nothing, however much and not awaited", async () => {
  const { body } = await askWsgi((_, startResponse) => {
    const write = startResponse("200 OK", []);
    for (let i = 0; i < 1000; i++) write("0123456789".repeat(100));
    return ["end"];
  });
  assertEquals(body.length, 1_000_003);
});
