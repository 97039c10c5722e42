// Input that breaks the protocol: the request ends, or where framing is lost
// the connection, and everything else goes on.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import {
  ABORT,
  begin,
  concatLarge,
  DATA,
  END,
  GET,
  outline,
  pair,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
} from "../support/wire.ts";

const ok = (_: unknown, response: { write(text: string): unknown }) =>
  void response.write("ok");

/** Parameters that are no pairs. */
const BAD_PAIRS: [name: string, content: Uint8Array | string][] = [
  ["a name past the end", "\x05\x00abc"],
  ["a value past the end", "\x01\x09avalue"],
  ["a length cut off", "\x01"],
  ["a long length cut off", new Uint8Array([0x80, 0, 0])],
  ["a length of 2^31 - 1", new Uint8Array([255, 255, 255, 255, 1, 97, 98])],
  [
    "a good pair, then a bad one",
    concatLarge([pair("REQUEST_METHOD", "GET"), new Uint8Array([9, 9, 9])]),
  ],
];

for (const [name, content] of BAD_PAIRS) {
  Deno.test(`parameters with ${name} are answered with 400, and not served`, async () => {
    let served = 0;
    await using host = new Running((_, response) => {
      served++;
      response.write("ok");
    });
    using peer = await host.connect();
    await peer.send(begin(1), stream(PARAMS, 1, content), record(STDIN, 1));
    const answer = await peer.answer();
    assertEquals([answer.status, answer.protocolStatus], [400, 0]);
    assertEquals(Number(answer.headers["content-length"]), answer.body.length);
    assert(answer.stderr !== "", "nothing is logged");
    assertEquals(served, 0);
    assertEquals((await peer.ask(request())).text, "ok");
  });
}

Deno.test("FCGI_STDIN before the end of the parameters is answered with 400", async () => {
  await using host = new Running(ok);
  using peer = await host.connect();
  const params = pairs(GET);
  await peer.send(
    begin(1),
    record(PARAMS, 1, params.subarray(0, 9)),
    record(STDIN, 1, "early"),
    record(PARAMS, 1, params.subarray(9)),
    record(PARAMS, 1),
    record(STDIN, 1),
  );
  assertEquals((await peer.answer()).status, 400);
  assertEquals((await peer.ask(request())).text, "ok");
});

Deno.test("FCGI_PARAMS after the end of the parameters is ignored", async () => {
  await using host = new Running(async (request, response) => {
    response.write(`${request.method} ${await request.text()}`);
  });
  using peer = await host.connect();
  await peer.send(
    begin(1),
    stream(PARAMS, 1, pairs(GET)),
    record(STDIN, 1, "a"),
    stream(PARAMS, 1, pairs({ REQUEST_METHOD: "PUT" })),
    stream(STDIN, 1, "b"),
  );
  assertEquals((await peer.answer()).text, "GET ab");
  assertEquals((await peer.ask(request())).text, "GET ");
});

Deno.test("a request without REQUEST_METHOD is answered with 500, and the log says what to configure", async () => {
  let served = 0;
  await using host = new Running(() => void served++);
  using peer = await host.connect();
  for (
    const bytes of [
      request({ params: { REQUEST_METHOD: "" } }),
      concatLarge([
        begin(1),
        stream(PARAMS, 1, pairs({ HTTP_HOST: "test" })),
        record(STDIN, 1),
      ]),
      concatLarge([begin(1), record(PARAMS, 1), record(STDIN, 1)]),
    ]
  ) {
    const answer = await peer.ask(bytes);
    assertEquals(answer.status, 500);
    assertStringIncludes(answer.stderr, "REQUEST_METHOD");
    assertStringIncludes(answer.stderr, "fastcgi_params");
    assertEquals(answer.stderr.split("\n").length, 2);
  }
  assertEquals(served, 0);
});

const BAD_HOSTS = [
  "a b",
  "user@host",
  "host/path",
  "host?query",
  "host#fragment",
  "host:port",
  "host:99999",
  "[::1",
  "a<b",
  "\\",
  "1.2.3.4.5:x",
];

for (const host of BAD_HOSTS) {
  Deno.test(`the Host "${host}" is answered with 400`, async () => {
    await using running = new Running(ok);
    using peer = await running.connect();
    const params = { HTTP_HOST: host };
    assertEquals((await peer.ask(request({ params }))).status, 400);
    assertEquals((await peer.ask(request())).text, "ok");
  });
}

for (
  const host of [
    "a.b:80",
    "[::1]:9000",
    "localhost",
    "127.0.0.1",
    "",
    "xn--bcher-kva.example",
  ]
) {
  Deno.test(`the Host "${host}" is served`, async () => {
    await using running = new Running(ok);
    using peer = await running.connect();
    const params = { HTTP_HOST: host };
    for (let i = 0; i < 2; i++) {
      assertEquals((await peer.ask(request({ params }))).text, "ok");
    }
  });
}

for (
  const content of ["", "1234567", "123456789", "x".repeat(70_000 % 65_536)]
) {
  Deno.test(`an FCGI_BEGIN_REQUEST of ${content.length} bytes ends with 400, and its records are ignored`, async () => {
    await using host = new Running(ok);
    using peer = await host.connect();
    await peer.send(
      record(1, 1, content),
      stream(PARAMS, 1, pairs(GET)),
      record(STDIN, 1),
    );
    const answer = await peer.answer();
    assertEquals([answer.status, answer.protocolStatus], [400, 0]);
    assertEquals((await peer.ask(request())).text, "ok");
    assertEquals(peer.records, []);
  });
}

Deno.test("records of ids that are not in flight are ignored", async () => {
  await using host = new Running(ok);
  using peer = await host.connect();
  const stray = concatLarge(
    [PARAMS, STDIN, DATA, ABORT, 3, 6, 7, 12, 200].flatMap((type) => [
      record(type, 5, "stray", 3),
      record(type, 1),
    ]),
  );
  await peer.send(stray);
  assertEquals((await peer.ask(request())).text, "ok");
  await peer.send(stray);
  assertEquals((await peer.ask(request({ id: 5 }), 5)).text, "ok");
  assertEquals(peer.records, []);
});

Deno.test("FCGI_BEGIN_REQUEST of an id in flight ends it once, and the connection lives", async () => {
  const fired = gate<unknown>();
  const started = gate();
  let served = 0;
  await using host = new Running(async (request, response) => {
    if (++served > 1) return void response.write("next");
    request.signal.onabort = () => fired.resolve(request.signal.reason);
    started.resolve();
    await fired.promise;
    response.write("dropped");
  });
  using peer = await host.connect();
  await peer.send(request());
  await started.promise;
  await peer.send(request());
  await peer.until(({ type }) => type === END);
  assertEquals((await fired.promise as Error).name, "AbortedError");
  const before = peer.take();
  assertEquals(before.filter(({ type }) => type === END).length, 1);
  // Neither the first nor the second is told apart: both are over.
  assertEquals((await peer.ask(request({ id: 2 }), 2)).text, "next");
  assertEquals((await peer.ask(request())).text, "next");
  assertEquals(peer.records, []);
});

Deno.test("a next request that comes although the last one's FCGI_STDIN never ended is served", async () => {
  await using host = new Running(async (request, response) => {
    response.write(await request.text());
  });
  using peer = await host.connect();
  for (const body of ["one", "two", "three"]) {
    await peer.send(
      begin(1),
      stream(PARAMS, 1, pairs({ ...GET, CONTENT_LENGTH: `${body.length}` })),
      record(STDIN, 1, body),
    );
    assertEquals((await peer.answer()).text, body);
  }
});

/** What loses the framing. */
const UNFRAMED: [name: string, bytes: Uint8Array | string][] = [
  ["version 0", new Uint8Array([0, 1, 0, 1, 0, 0, 0, 0])],
  ["version 2", new Uint8Array([2, 1, 0, 1, 0, 0, 0, 0])],
  ["one byte that is no version", new Uint8Array([255])],
  [
    "version 2 behind a whole record",
    concatLarge([record(99, 5, "x", 1), new Uint8Array([2, 9])]),
  ],
];

for (const [name, bytes] of UNFRAMED) {
  for (const unix of [false, true]) {
    Deno.test(`${name} closes the connection over ${unix ? "a Unix socket" : "TCP"}, and no other`, async () => {
      const fired = gate<unknown>();
      const started = gate();
      await using host = new Running(async (request, response) => {
        if (request.url.pathname !== "/slow") return void response.write("ok");
        request.signal.onabort = () => fired.resolve(request.signal.reason);
        started.resolve();
        await fired.promise;
      }, { unix });
      using other = await host.connect();
      assertEquals((await other.ask(request())).text, "ok");
      using peer = await host.connect();
      await peer.send(request({ params: { REQUEST_URI: "/slow" } }));
      await started.promise;
      await peer.send(
        typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes,
      );
      assertEquals(outline(await peer.toEnd()), []);
      assertEquals((await fired.promise as Error).name, "ClosedError");
      assertEquals((await other.ask(request())).text, "ok");
      assertEquals(host.logged.length, 1);
      assertStringIncludes(host.logged[0]!, "version");
    });
  }
}

Deno.test("answers that are ready leave before a connection is closed for its framing", async () => {
  await using host = new Running(ok);
  using peer = await host.connect();
  await peer.send(concatLarge([request(), new Uint8Array(64)]));
  const all = await peer.toEnd();
  assertEquals(all.filter(({ type }) => type === END).length, 1);
});

for (
  const [name, text] of [
    ["HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["HTTP with a large body", "POST / HTTP/1.1\r\n\r\n" + "x".repeat(500_000)],
    ["one letter of HTTP", "G"],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
  ] as const
) {
  Deno.test(`${name} spoken to the port is closed at once without a byte, and logged once with a hint`, async () => {
    await using host = new Running(ok);
    for (let i = 0; i < 3; i++) {
      using peer = await host.connect();
      await peer.send(Uint8Array.from(text, (c) => c.charCodeAt(0)));
      assertEquals(await peer.toEnd(), []);
      assertEquals(peer.reads, []);
    }
    assertEquals(host.logged.length, 1);
    assertStringIncludes(
      host.logged[0]!,
      name.includes("TLS") ? "TLS" : "HTTP",
    );
    assertStringIncludes(host.logged[0]!, "FastCGI");
    using peer = await host.connect();
    assertEquals((await peer.ask(request())).text, "ok");
  });
}
