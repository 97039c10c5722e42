// Bodies: when one is complete, what one that is too short or too long becomes,
// and answers that come before the end of one.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import type { RunningOptions, Service } from "../support/running.ts";
import type { Peer } from "../support/peer.ts";
import {
  begin,
  concatLarge,
  END,
  GET,
  GET_VALUES,
  GET_VALUES_RESULT,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  STDOUT,
  stream,
} from "../support/wire.ts";

/** FCGI_BEGIN_REQUEST and FCGI_PARAMS of a request with a body. */
function head(contentLength: string | null, id = 1, keep = true): Uint8Array {
  const params: Record<string, string> = { ...GET, REQUEST_METHOD: "POST" };
  if (contentLength !== null) params.CONTENT_LENGTH = contentLength;
  return concatLarge([begin(id, { keep }), stream(PARAMS, id, pairs(params))]);
}

/** After this the server has taken all that was sent before. */
async function roundTrip(peer: Peer): Promise<void> {
  await peer.send(record(GET_VALUES, 0));
  await peer.until(({ type }) => type === GET_VALUES_RESULT);
  peer.records = peer.records.filter(({ type }) => type !== GET_VALUES_RESULT);
}

const echo: Service = async (request, response) => {
  response.write(`[${await request.text()}]`);
};

/** Bodies that are complete, and what comes of them. */
const COMPLETE: [
  name: string,
  length: string | null,
  bytes: Uint8Array,
  body: string,
][] = [
  ["at the empty record", null, stream(STDIN, 1, "Hello"), "Hello"],
  [
    "at CONTENT_LENGTH, without an empty record",
    "5",
    record(STDIN, 1, "Hello"),
    "Hello",
  ],
  [
    "at CONTENT_LENGTH over several records",
    "5",
    concatLarge([record(STDIN, 1, "Hel"), record(STDIN, 1, "lo")]),
    "Hello",
  ],
  ["at a CONTENT_LENGTH of 0, without FCGI_STDIN", "0", new Uint8Array(0), ""],
  ["at an empty record where CONTENT_LENGTH is 0", "0", record(STDIN, 1), ""],
  [
    "at CONTENT_LENGTH although more comes",
    "5",
    stream(STDIN, 1, "Hello World"),
    "Hello",
  ],
  [
    "at the empty record where CONTENT_LENGTH is empty",
    "",
    stream(STDIN, 1, "Hello"),
    "Hello",
  ],
  [
    "at the empty record where CONTENT_LENGTH is -1",
    "-1",
    stream(STDIN, 1, "Hello"),
    "Hello",
  ],
  [
    "at the empty record where CONTENT_LENGTH is no number",
    "5x",
    stream(STDIN, 1, "Hello"),
    "Hello",
  ],
  [
    "at the empty record where CONTENT_LENGTH has a sign",
    "+3",
    stream(STDIN, 1, "Hello"),
    "Hello",
  ],
  ["in records of one byte", "5", stream(STDIN, 1, "Hello", 1), "Hello"],
];

for (const [name, length, bytes, body] of COMPLETE) {
  Deno.test(`a body is complete ${name}`, async () => {
    await using host = new Running(echo);
    using peer = await host.connect();
    for (let i = 0; i < 2; i++) {
      await peer.send(head(length), bytes);
      assertEquals((await peer.answer()).text, `[${body}]`);
    }
    await roundTrip(peer);
    assertEquals(peer.records, []);
    assertEquals(host.logged, []);
  });
}

Deno.test("service() starts at the end of the parameters, before any body", async () => {
  const started = gate();
  await using host = new Running(async (request, response) => {
    started.resolve();
    response.write(await request.text());
  });
  using peer = await host.connect();
  await peer.send(head("5"));
  await started.promise;
  await peer.send(record(STDIN, 1, "Hello"));
  assertEquals((await peer.answer()).text, "Hello");
});

Deno.test("request.body gives chunks as they come", async () => {
  const chunks: string[] = [];
  let came = gate();
  await using host = new Running(async (request, response) => {
    for await (const chunk of request.body) {
      chunks.push(new TextDecoder().decode(chunk));
      came.resolve();
    }
    response.write(String(chunks.length));
  });
  using peer = await host.connect();
  await peer.send(head(null));
  for (const piece of ["one", "two", "three"]) {
    came = gate();
    await peer.send(record(STDIN, 1, piece));
    await came.promise;
  }
  await peer.send(record(STDIN, 1));
  assertEquals((await peer.answer()).text, "3");
  assertEquals(chunks, ["one", "two", "three"]);
});

for (const unix of [false, true]) {
  Deno.test(`a body of 10 MB comes through whole over ${unix ? "a Unix socket" : "TCP"}`, async () => {
    const body = new Uint8Array(10_000_000).map((_, i) => i * 7 + (i >> 8));
    await using host = new Running(async (request, response) => {
      response.write(await request.bytes());
    }, { unix });
    using peer = await host.connect();
    const sending = peer.send(request({ body }));
    const answer = await peer.answer();
    await sending;
    assertEquals(answer.body.length, body.length);
    let same = 0;
    while (same < body.length && answer.body[same] === body[same]) same++;
    assertEquals(same, body.length);
  });
}

Deno.test("a body that ends early makes reading it fail with BODY_TRUNCATED", async () => {
  let caught: unknown;
  await using host = new Running(async (request, response) => {
    try {
      await request.bytes();
    } catch (error) {
      caught = error;
    }
    response.write("told");
  });
  using peer = await host.connect();
  await peer.send(head("10"), stream(STDIN, 1, "Hello"));
  assertEquals((await peer.answer()).text, "told");
  const { name, code, message, status } = caught as Error & {
    code: string;
    status: number;
  };
  assertEquals([name, code, status], ["ProtocolError", "BODY_TRUNCATED", 400]);
  assertStringIncludes(message, "5 of 10 bytes");
});

Deno.test("a body that ends early still gives what came before it fails", async () => {
  let text = "";
  await using host = new Running(async (request) => {
    for await (const chunk of request.body) {
      text += new TextDecoder().decode(chunk);
    }
  });
  using peer = await host.connect();
  await peer.send(head("10"), stream(STDIN, 1, "Hello"));
  assertEquals((await peer.answer()).status, 400);
  assertEquals(text, "Hello");
});

Deno.test("a body that ends before its first byte fails, also where it is read only later", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    await promise;
    response.write(await request.text());
  });
  using peer = await host.connect();
  await peer.send(head("10"), record(STDIN, 1));
  await roundTrip(peer);
  resolve();
  assertEquals((await peer.answer()).status, 400);
});

Deno.test("a body that ends early because the client closed makes reading it fail", async () => {
  const caught = gate<unknown>();
  await using host = new Running(async (request) => {
    try {
      await request.bytes();
    } catch (error) {
      caught.resolve(error);
    }
  });
  using peer = await host.connect();
  await peer.send(head("10"), record(STDIN, 1, "Hello"));
  await peer.conn.closeWrite();
  assertEquals((await caught.promise as Error).name, "ClosedError");
});

// Answers before the end of the body

for (const length of [null, "10"]) {
  Deno.test(`an answer before the end of a body ${length === null ? "of unknown length" : "with a length"} leaves at once, and FCGI_END_REQUEST after the body`, async () => {
    await using host = new Running((request, response) => {
      request.log("too early");
      response.status = 403;
      response.write("no");
    }, { watched: true });
    using peer = await host.connect();
    await peer.send(head(length), record(STDIN, 1, "Hel"));
    await peer.until(({ type }) => type === STDOUT);
    await roundTrip(peer);
    const stdout = peer.records.filter(({ type }) => type === STDOUT);
    assertStringIncludes(
      new TextDecoder().decode(concatLarge(stdout.map((r) => r.content))),
      "Content-Length: 2\r\nStatus: 403 Forbidden\r\n\r\nno",
    );
    assertEquals(peer.records.filter(({ type }) => type === END), []);
    await peer.send(stream(STDIN, 1, "lo Worl"));
    const answer = await peer.answer();
    assertEquals([answer.text, answer.stderr], ["no", "too early\n"]);
    await roundTrip(peer);
    assertEquals(peer.records, []);
    assertEquals((await peer.ask(request({ body: "abc" }))).status, 403);
  });
}

Deno.test("an answer before the end of the body with keep-conn 0 closes after the body alone", async () => {
  await using host = new Running((_, response) => void response.write("no"));
  using peer = await host.connect();
  await peer.send(head("5", 1, false), record(STDIN, 1, "Hel"));
  await peer.until(({ type }) => type === STDOUT);
  await roundTrip(peer);
  assert(!peer.isEnded);
  await peer.send(record(STDIN, 1, "lo"));
  assertEquals((await peer.answer()).text, "no");
  assertEquals(await peer.toEnd(), []);
});

// nginx sends no more of a body once the response has begun, and waits.
Deno.test("an answer before the end of a body from nginx ends the request at once", async () => {
  await using host = new Running((request, response) => {
    response.write(request.method);
  });
  using peer = await host.connect();
  const params = {
    ...GET,
    REQUEST_METHOD: "POST",
    CONTENT_LENGTH: "10",
    SERVER_SOFTWARE: "nginx/1.22.1",
  };
  await peer.send(begin(), stream(PARAMS, 1, pairs(params)));
  await peer.send(record(STDIN, 1, "Hel"));
  assertEquals((await peer.answer()).text, "POST");
  // What was on its way is no part of the next request.
  await peer.send(record(STDIN, 1, "lo"), request());
  assertEquals((await peer.answer()).text, "GET");
});

Deno.test("input after an early answer is dropped only up to a bound, then FCGI_END_REQUEST follows", async () => {
  await using host = new Running((_, response) => void response.write("no"), {
    unix: true,
  });
  using peer = await host.connect();
  await peer.send(head(null));
  const chunk = concatLarge(
    new Array(64).fill(record(STDIN, 1, new Uint8Array(65_535))),
  );
  const answered = peer.answer();
  let isAnswered = false;
  answered.finally(() => isAnswered = true);
  let sent = 0;
  // Far past any bound that makes sense.
  while (!isAnswered && sent < 1 << 30) {
    await peer.send(chunk);
    sent += chunk.length;
  }
  assertEquals((await answered).text, "no");
  assert(sent > 1 << 20, `given up after ${sent} bytes already`);
  assertEquals((await peer.ask(request())).text, "no");
});

// Limits

Deno.test("maxBodyBytes refuses a longer CONTENT_LENGTH with 413, before any body", async () => {
  let served = 0;
  await using host = new Running(() => void served++, { maxBodyBytes: 4 });
  using peer = await host.connect();
  await peer.send(head("5"));
  await peer.until(({ type }) => type === STDOUT);
  await roundTrip(peer);
  assertEquals(peer.records.filter(({ type }) => type === END), []);
  await peer.send(stream(STDIN, 1, "Hello"));
  const answer = await peer.answer();
  assertEquals([answer.status, answer.protocolStatus], [413, 0]);
  assertEquals(Number(answer.headers["content-length"]), answer.body.length);
  assertStringIncludes(answer.stderr, "maxBodyBytes");
  assertEquals(served, 0);
});

/** Bodies at and past a limit of four bytes, streamed. */
const LIMITED: [
  name: string,
  options: RunningOptions,
  bytes: Uint8Array[],
  status: number,
][] = [
  [
    "at the limit",
    { maxBodyBytes: 4 },
    [head("4"), record(STDIN, 1, "Hell")],
    200,
  ],
  ["at the limit, of unknown length", { maxBodyBytes: 4 }, [
    head(null),
    stream(STDIN, 1, "Hell", 2),
  ], 200],
  ["past it, of unknown length", { maxBodyBytes: 4 }, [
    head(null),
    stream(STDIN, 1, "Hello", 2),
  ], 413],
  ["past it in one record", { maxBodyBytes: 4 }, [
    head(null),
    stream(STDIN, 1, "Hello"),
  ], 413],
  ["of nothing where nothing is allowed", { maxBodyBytes: 0 }, [
    head(null),
    stream(STDIN, 1, ""),
  ], 200],
  ["of one byte where nothing is allowed", { maxBodyBytes: 0 }, [
    head("1"),
    stream(STDIN, 1, "H"),
  ], 413],
];

for (const [name, options, bytes, status] of LIMITED) {
  Deno.test(`a body ${name} is answered with ${status} under maxBodyBytes`, async () => {
    await using host = new Running(echo, options);
    using peer = await host.connect();
    await peer.send(...bytes);
    assertEquals((await peer.answer()).status, status);
    await peer.send(request());
    assertEquals((await peer.answer()).text, "[]");
  });
}

Deno.test("a body past maxBodyBytes fails with BODY_TOO_LARGE while it streams", async () => {
  let caught: unknown;
  await using host = new Running(async (request) => {
    try {
      for await (const _ of request.body);
    } catch (error) {
      caught = error;
      throw error;
    }
  }, { maxBodyBytes: 100_000 });
  using peer = await host.connect();
  await peer.send(head(null), stream(STDIN, 1, new Uint8Array(300_000)));
  assertEquals((await peer.answer()).status, 413);
  const { name, code, limit, actual } = caught as Error & {
    code: string;
    limit: number;
    actual: number;
  };
  assertEquals([name, code, limit], ["LimitError", "BODY_TOO_LARGE", 100_000]);
  assert(actual > 100_000);
});
