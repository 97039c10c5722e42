// A body is held to the Content-Length that the application announced: cut
// off where it is longer, and never taken for whole where it is shorter.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import {
  begin,
  concatLarge,
  END,
  GET,
  pairs,
  PARAMS,
  request,
  stream,
} from "../support/wire.ts";

Deno.test("a body longer than its Content-Length is cut off, and logged", async () => {
  await using host = new Running((_, response) => {
    response.headers.set("Content-Length", "5");
    response.write("Hel");
    response.write("lo World!");
    response.write("more");
  });
  using peer = await host.connect();
  const answer = await peer.ask(request());
  assertEquals(answer.text, "Hello");
  assertEquals(answer.headers["content-length"], "5");
  assertStringIncludes(
    host.logged.join("\n") + answer.stderr,
    "longer than its Content-Length of 5",
  );
});

Deno.test("a body shorter than its Content-Length never looks whole", async () => {
  await using host = new Running((_, response) => {
    response.headers.set("Content-Length", "50");
    response.write("Hello");
  });
  for (let i = 0; i < 2; i++) {
    using peer = await host.connect();
    const answer = await peer.ask(request());
    assertEquals(answer.status, 500);
    assert(answer.appStatus !== 0, "the application status is 0");
    assertEquals(answer.text.includes("Hello"), false);
    assertEquals(await peer.toEnd(), []);
  }
  assertStringIncludes(host.logged.join(), "shorter than its Content-Length");
});

Deno.test("a body shorter than its Content-Length, of which some has left, has no end", async () => {
  await using host = new Running(async (_, response) => {
    response.headers.set("Content-Length", "50");
    response.write("Hello");
    await response.flush();
  });
  using peer = await host.connect();
  await peer.send(request());
  const records = await peer.toEnd();
  assertEquals(records.filter(({ type }) => type === END), []);
  assertStringIncludes(host.logged.join(), "shorter than its Content-Length");
});

Deno.test("a body shorter than its Content-Length ends with an application status where others are in flight", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await using host = new Running(async (request, response) => {
    if (request.param("REQUEST_URI") === "/other") {
      await promise;
      response.write("whole");
      return;
    }
    response.headers.set("Content-Length", "50");
    response.write("Hello");
    await response.flush();
  });
  using peer = await host.connect();
  await peer.send(request({ id: 2, params: { REQUEST_URI: "/other" } }));
  await peer.send(request({ id: 1 }));
  const short = await peer.answer(1);
  assertEquals(short.text, "Hello");
  assertEquals(short.appStatus === 0, false);
  resolve();
  const other = await peer.answer(2);
  assertEquals([other.text, other.appStatus], ["whole", 0]);
});

for (const role of [1, 2]) {
  Deno.test(`a short body of which nothing has left is no end without a status in role ${role} where others are in flight`, async () => {
    const { promise, resolve } = gate();
    await using host = new Running(async (request, response) => {
      if (request.param("REQUEST_URI") === "/other") return await promise;
      response.status = 200;
      response.headers.set("Content-Length", "50");
      response.write("Hello");
    });
    using peer = await host.connect();
    await peer.send(request({ id: 9, params: { REQUEST_URI: "/other" } }));
    await peer.send(concatLarge([
      begin(1, { role }),
      stream(PARAMS, 1, pairs({ ...GET, CONTENT_LENGTH: "0" })),
    ]));
    // FCGI_END_REQUEST alone is a 200 to Apache, hangs HAProxy, and lets a
    // request in where lighttpd asked an Authorizer.
    const answer = await peer.answer(1);
    assert(answer.status >= 500, `${answer.lines}`);
    assertStringIncludes(
      host.logged.join() + answer.stderr,
      "shorter than its Content-Length",
    );
    resolve();
    assertEquals((await peer.answer(9)).appStatus, 0);
  });
}
