// Time-outs, each hit once: what the web server is told, what the application
// is told, and what puts them off.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { within } from "../support/peer.ts";
import {
  begin,
  concatLarge,
  END,
  GET,
  outline,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  STDOUT,
  stream,
} from "../support/wire.ts";

const ok: Service = (_, response) => void response.write("ok");

/** What a LimitError tells. */
interface Told {
  name: string;
  code: string;
  status: number;
  limit: number;
  actual: number;
}

function assertLimit(error: unknown, code: string, limit: number): void {
  const told = error as Told;
  assertEquals([told.name, told.code, told.limit], ["LimitError", code, limit]);
  assert(told.actual >= limit, `actual ${told.actual}`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// paramsTimeoutMs

/** What is sent before parameters stop coming. */
const STALLED_PARAMS: [name: string, bytes: Uint8Array][] = [
  ["after FCGI_BEGIN_REQUEST", begin(1)],
  ["between records", concatLarge([begin(1), record(PARAMS, 1, pairs(GET))])],
  [
    "amid a record",
    concatLarge([begin(1), record(PARAMS, 1, pairs(GET)).subarray(0, 20)]),
  ],
];

for (const [name, bytes] of STALLED_PARAMS) {
  Deno.test(`paramsTimeoutMs answers 408 where parameters stop ${name}`, async () => {
    let served = 0;
    await using host = new Running(() => void served++, {
      paramsTimeoutMs: 50,
    });
    using peer = await host.connect();
    await peer.send(bytes);
    const answer = await peer.answer();
    assertEquals([answer.status, answer.protocolStatus], [408, 0]);
    assertStringIncludes(answer.stderr, "paramsTimeoutMs");
    assertEquals(served, 0);
    if (name === "amid a record") return;
    // What was late is ignored, and the next request is served.
    await peer.send(stream(PARAMS, 1, pairs(GET)), record(STDIN, 1));
    assertEquals((await peer.ask(request())).status, 200);
    assertEquals(served, 1);
  });
}

Deno.test("paramsTimeoutMs is not put off by bytes that trickle in", async () => {
  await using host = new Running(ok, { paramsTimeoutMs: 200 });
  using peer = await host.connect();
  await peer.send(begin(1));
  const answered = peer.answer();
  let isAnswered = false;
  answered.finally(() => isAnswered = true);
  let sent = 0;
  while (!isAnswered && sent < 1_000) {
    await peer.send(record(PARAMS, 1, pairs({ [`X${sent++}`]: "y" })));
    await sleep(10);
  }
  assertEquals((await answered).status, 408);
});

Deno.test("paramsTimeoutMs closes a connection that stops amid a record of no request", async () => {
  await using host = new Running(ok, { paramsTimeoutMs: 50 });
  for (const bytes of [begin(1).subarray(0, 4), begin(1).subarray(0, 12)]) {
    using peer = await host.connect();
    await peer.send(bytes);
    assertEquals(await peer.toEnd(), []);
  }
  assertEquals(host.logged, []);
});

Deno.test("paramsTimeoutMs counts from a record's first byte, however long the connection was idle", async () => {
  await using host = new Running(ok, { paramsTimeoutMs: 1_500 });
  using peer = await host.connect();
  await peer.ask(request());
  await sleep(2_000);
  const next = request();
  await peer.send(next.subarray(0, 5));
  await sleep(500);
  await peer.send(next.subarray(5));
  assertEquals((await peer.answer()).text, "ok");
});

Deno.test("paramsTimeoutMs is logged once, also where the answer cannot leave", async () => {
  await using host = new Running(async (_, response) => {
    for (;;) await response.write(new Uint8Array(100_000));
  }, { unix: true, paramsTimeoutMs: 50 });
  using peer = await host.connect();
  await peer.send(request({ id: 1 }));
  await host.goOn();
  await peer.send(begin(2));
  await sleep(500);
  assert(host.logged.length <= 1, `${host.logged.length} lines`);
});

// bodyTimeoutMs

const POST = { ...GET, REQUEST_METHOD: "POST", CONTENT_LENGTH: "12" };
const postHead = concatLarge([begin(1), stream(PARAMS, 1, pairs(POST))]);

for (
  const [how, read] of [
    ["bytes()", (request) => request.bytes()],
    ["body", async (request) => {
      for await (const _ of request.body);
    }],
    ["lines()", async (request) => {
      for await (const _ of request.lines());
    }],
  ] as [string, (request: Parameters<Service>[0]) => Promise<unknown>][]
) {
  Deno.test(`bodyTimeoutMs makes ${how} fail where no byte comes, and 408 is answered`, async () => {
    let caught: unknown;
    await using host = new Running(async (request) => {
      try {
        await read(request);
      } catch (error) {
        caught = error;
        throw error;
      }
    }, { bodyTimeoutMs: 50 });
    using peer = await host.connect();
    await peer.send(postHead, record(STDIN, 1, "Hello"));
    const stdout = await peer.until(({ type }) => type === STDOUT);
    assertStringIncludes(
      new TextDecoder().decode(stdout.content),
      "Status: 408 Request Timeout",
    );
    assertLimit(caught, "BODY_TIMEOUT", 50);
    await peer.send(record(STDIN, 1, " World!"));
    assertEquals((await peer.answer()).status, 408);
  });
}

Deno.test("bodyTimeoutMs is put off by every byte", async () => {
  await using host = new Running(async (request, response) => {
    response.write(await request.text());
  }, { bodyTimeoutMs: 2_000 });
  using peer = await host.connect();
  await peer.send(postHead);
  for (const letter of "Hello World!") {
    await sleep(200);
    await peer.send(record(STDIN, 1, letter));
  }
  assertEquals((await peer.answer()).text, "Hello World!");
});

Deno.test("bodyTimeoutMs does not run while the application does not wait", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    await promise;
    response.write(await request.text());
  }, { bodyTimeoutMs: 50 });
  using peer = await host.connect();
  await peer.send(postHead, record(STDIN, 1, "Hello"));
  await sleep(300);
  await peer.send(record(STDIN, 1, " World!"));
  resolve();
  assertEquals((await peer.answer()).text, "Hello World!");
});

// writeTimeoutMs

for (const unix of [false, true]) {
  Deno.test(`writeTimeoutMs closes a connection that takes no byte over ${unix ? "a Unix socket" : "TCP"}`, async () => {
    const failed = gate<unknown>();
    let signal: AbortSignal | undefined;
    await using host = new Running(async (request, response) => {
      signal = request.signal;
      try {
        for (;;) await response.write(new Uint8Array(100_000));
      } catch (error) {
        failed.resolve(error);
        throw error;
      }
    }, { unix, writeTimeoutMs: 100 });
    using peer = await host.connect();
    await peer.send(request());
    const error = await within(failed.promise, "write() to fail");
    assertLimit(error, "WRITE_TIMEOUT", 100);
    assertEquals(signal!.reason, error);
    using other = await host.connect();
    other.close();
    await within(host.server.shutdown(), "the connection to be closed");
  });
}

Deno.test("writeTimeoutMs is put off by every byte that is taken", async () => {
  const length = 12_000_000;
  await using host = new Running((_, response) => {
    response.write(new Uint8Array(length));
  }, { unix: true, writeTimeoutMs: 2_000 });
  using peer = await host.connect();
  await peer.send(request());
  for (let i = 0; i < 12; i++) {
    await sleep(200);
    await peer.read();
  }
  assertEquals((await peer.answer()).body.length, length);
});

// requestTimeoutMs

Deno.test("requestTimeoutMs fires the signal and answers 504 where nothing was sent", async () => {
  const fired = gate<unknown>();
  const wrote = gate<unknown>();
  let isFirst = true;
  await using host = new Running(async (request, response) => {
    if (!isFirst) return void response.write("next");
    isFirst = false;
    response.write("this has not left");
    await new Promise((resolve) => request.signal.onabort = resolve);
    fired.resolve(request.signal.reason);
    await response.write("dropped").catch(wrote.resolve);
  }, { requestTimeoutMs: 50 });
  using peer = await host.connect();
  const answer = await peer.ask(request());
  assertEquals(answer.lines.at(-1), "Status: 504 Gateway Timeout");
  assertEquals(Number(answer.headers["content-length"]), answer.body.length);
  assertEquals(answer.protocolStatus, 0);
  const reason = await fired.promise;
  assertLimit(reason, "REQUEST_TIMEOUT", 50);
  assertEquals((reason as Told).status, 504);
  assertEquals(await wrote.promise, reason);
  assertEquals((await peer.ask(request())).text, "next");
  await peer.conn.closeWrite();
  assertEquals(outline(await peer.toEnd()), []);
});

Deno.test("requestTimeoutMs makes reading the body fail", async () => {
  const caught = gate<unknown>();
  await using host = new Running(async (request) => {
    await request.bytes().catch(caught.resolve);
  }, { requestTimeoutMs: 50 });
  using peer = await host.connect();
  await peer.send(postHead);
  assertLimit(await caught.promise, "REQUEST_TIMEOUT", 50);
  const stdout = await peer.until(({ type }) => type === STDOUT);
  assertStringIncludes(
    new TextDecoder().decode(stdout.content),
    "Status: 504 Gateway Timeout",
  );
  await peer.send(record(STDIN, 1, "Hello World!"));
  assertEquals((await peer.answer()).status, 504);
});

Deno.test("requestTimeoutMs after output has left closes the connection without an end", async () => {
  const fired = gate<unknown>();
  await using host = new Running(async (request, response) => {
    response.write("begun");
    await response.flush();
    await new Promise((resolve) => request.signal.onabort = resolve);
    fired.resolve(request.signal.reason);
  }, { requestTimeoutMs: 50 });
  using peer = await host.connect();
  await peer.send(request());
  const all = await peer.toEnd();
  assertLimit(await fired.promise, "REQUEST_TIMEOUT", 50);
  assert(all.length > 0);
  assertEquals(all.filter(({ type }) => type === END), []);
});

Deno.test("requestTimeoutMs after output has left ends with an application status where others are in flight", async () => {
  await using host = new Running(async (request, response) => {
    if (request.param("REQUEST_URI") === "/next") {
      return void response.write("next");
    }
    response.write("begun");
    await response.flush();
    await new Promise(() => {});
  }, { requestTimeoutMs: 100 });
  using peer = await host.connect();
  // Parameters that still come are no output, and keep the connection.
  await peer.send(begin(2), request({ id: 1 }));
  const answer = await peer.answer(1);
  assertEquals(answer.text, "begun");
  assert(answer.appStatus !== 0);
  await peer.send(
    stream(PARAMS, 2, pairs({ ...GET, REQUEST_URI: "/next" })),
    record(STDIN, 2),
  );
  await peer.until(({ type, id }) => type === END && id === 2);
});

Deno.test("requestTimeoutMs never fires for a request that was answered", async () => {
  const signals: AbortSignal[] = [];
  await using host = new Running((request, response) => {
    signals.push(request.signal);
    response.write("ok");
  }, { requestTimeoutMs: 50 });
  using peer = await host.connect();
  // Answered, though its body is still awaited.
  await peer.send(postHead);
  await peer.until(({ type }) => type === STDOUT);
  await sleep(300);
  await peer.send(record(STDIN, 1, "Hello World!"));
  assertEquals((await peer.answer()).text, "ok");
  assertEquals(signals[0]!.aborted, false);
});

// idleTimeoutMs

Deno.test("idleTimeoutMs closes a connection without a request, and no other", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    if (request.url.pathname === "/slow") await promise;
    response.write("ok");
  }, { idleTimeoutMs: 100 });
  using busy = await host.connect();
  await busy.send(request({ params: { REQUEST_URI: "/slow" } }));
  using unused = await host.connect();
  using used = await host.connect();
  await used.ask(request());
  assertEquals(await unused.toEnd(), []);
  assertEquals(await used.toEnd(), []);
  resolve();
  assertEquals((await busy.answer()).text, "ok");
  assertEquals(await busy.toEnd(), []);
  assertEquals(host.logged, []);
});

Deno.test("idleTimeoutMs begins anew with every request", async () => {
  await using host = new Running(ok, { idleTimeoutMs: 2_000 });
  using peer = await host.connect();
  for (let i = 0; i < 12; i++) {
    await sleep(200);
    assertEquals((await peer.ask(request())).text, "ok");
  }
  assertEquals(await peer.toEnd(), []);
});

Deno.test("idleTimeoutMs does not cut an answer that is read slowly", async () => {
  const length = 450_000;
  await using host = new Running((_, response) => {
    response.write("x".repeat(length));
  }, { unix: true, idleTimeoutMs: 500 });
  using slow = await host.connect();
  await slow.send(request());
  // Asked nothing: on a busy machine it may be closed before it is.
  using idle = await host.connect();
  assertEquals(await idle.toEnd(), []);
  assertEquals((await slow.answer()).body.length, length);
  assertEquals(await slow.toEnd(), []);
});
