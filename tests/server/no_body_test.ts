// Answers that carry no body byte, whatever the application writes: some web
// servers forward it, and the client takes it for the next response.

import { assert, assertEquals } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { within } from "../support/peer.ts";
import { ABORT, record, request } from "../support/wire.ts";

/** Answers that carry no body, whatever is written. */
const BODILESS: [
  name: string,
  method: string,
  status: number,
  header: string,
][] = [
  ["HEAD", "HEAD", 200, "Content-Length: 5"],
  ["HEAD of a 404", "HEAD", 404, "Content-Length: 5"],
  ["204", "GET", 204, ""],
  ["205", "GET", 205, ""],
  ["304", "GET", 304, ""],
  ["204 to HEAD", "HEAD", 204, ""],
];

for (const [name, method, status, header] of BODILESS) {
  const params = { REQUEST_METHOD: method };
  const writers: [string, Service][] = [
    ["a string", (_, response) => void response.write("Hello")],
    [
      "bytes in pieces",
      (_, response) => {
        response.write(new Uint8Array(2));
        response.write(new Uint8Array(3));
      },
    ],
    [
      "and flushes",
      async (_, response) => {
        response.write("Hel");
        await response.flush();
        response.write("lo");
        await response.flush();
      },
    ],
  ];
  for (const [how, write] of writers) {
    Deno.test(`${name} carries no body byte where the service writes ${how}`, async () => {
      await using host = new Running((request, response) => {
        response.status = status;
        return write(request, response);
      });
      using peer = await host.connect();
      const answer = await peer.ask(request({ params }));

      assertEquals(answer.body.length, 0);
      assertEquals(answer.status, status);
      const lengths = answer.lines.filter((l) => l.startsWith("Content-L"));
      const isTold = header !== "" && how !== "and flushes";
      assertEquals(lengths, isTold ? [header] : []);
      assertEquals(answer.protocolStatus, 0);
    });
  }
}

Deno.test("HEAD keeps the Content-Length that the application set", async () => {
  await using host = new Running((_, response) => {
    response.headers.set("Content-Length", "123456");
  });
  using peer = await host.connect();
  const params = { REQUEST_METHOD: "HEAD" };
  const answer = await peer.ask(request({ params }));
  assertEquals(answer.headers["content-length"], "123456");
  assertEquals(answer.body.length, 0);
  assertEquals(host.logged, []);
});

for (const status of [204, 205]) {
  Deno.test(`${status} announces no body even where the application set a Content-Length`, async () => {
    await using host = new Running((_, response) => {
      response.status = status;
      response.headers.set("Content-Length", "5");
      response.write("Hello");
    });
    using peer = await host.connect();
    const answer = await peer.ask(request());
    assertEquals(answer.body.length, 0);
    assertEquals(answer.headers["content-length"] ?? "0", "0");
  });
}

const HEAD = { REQUEST_METHOD: "HEAD" };

/** HEAD requests that the application does not answer. */
const REFUSED: [name: string, bytes: Uint8Array, status: number][] = [
  ["of an unknown role", request({ role: 9, params: HEAD }), 500],
  [
    "of too many parameters",
    request({ params: { ...HEAD, X: "x".repeat(3_000) } }),
    431,
  ],
  [
    "of too long a body",
    request({ params: { ...HEAD, CONTENT_LENGTH: "100" } }),
    413,
  ],
  ["of a bad host", request({ params: { ...HEAD, HTTP_HOST: "a b" } }), 400],
  [
    "that fails",
    request({ params: { ...HEAD, REQUEST_URI: "/throw" } }),
    500,
  ],
  [
    "that takes too long",
    request({ params: { ...HEAD, REQUEST_URI: "/never" } }),
    504,
  ],
];

for (const [name, bytes, status] of REFUSED) {
  Deno.test(`HEAD ${name} is refused with ${status} without a body byte`, async () => {
    await using host = new Running((request) => {
      if (request.url.pathname === "/never") return new Promise(() => {});
      throw new Error("broken");
    }, { maxParamsBytes: 1024, maxBodyBytes: 10, requestTimeoutMs: 50 });
    using peer = await host.connect();
    await peer.send(bytes);
    const answer = await peer.answer();
    assertEquals([answer.status, answer.body.length], [status, 0]);
  });
}

Deno.test("HEAD beyond maxRequestsPerConnection is refused without a body byte", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(() => promise, {
    maxRequestsPerConnection: 1,
  });
  using peer = await host.connect();
  await peer.send(request());
  const answer = await peer.ask(request({ id: 2, params: HEAD }), 2);
  assertEquals([answer.status, answer.body.length], [503, 0]);
  assert(answer.protocolStatus === 2);
  resolve();
});

for (
  const [what, chunk, method] of [
    ["bytes that HEAD drops", new Uint8Array(1_000), "HEAD"],
    ["strings that HEAD drops", "x".repeat(1_000), "HEAD"],
    ["bytes past the Content-Length", new Uint8Array(30_000), "GET"],
  ] as const
) {
  Deno.test(`write() of ${what}, awaited without an end, lets others through`, async () => {
    let isOver = false;
    const left = gate();
    await using host = new Running(async (request, response) => {
      if (request.url.pathname === "/next") return;
      if (method === "GET") response.headers.set("content-length", "1");
      try {
        for (let i = 0; i < 2_000_000; i++) await response.write(chunk);
        isOver = true;
      } finally {
        left.resolve();
      }
    });
    using peer = await host.connect();
    using other = await host.connect();
    await peer.send(request({ params: { REQUEST_METHOD: method } }));
    const next = request({ params: { REQUEST_URI: "/next" } });
    assertEquals((await other.ask(next)).status, 200);
    await peer.send(record(ABORT, 1));
    await within(left.promise, "the service to end");
    assert(!isOver, "all was written before another was answered");
  });
}
