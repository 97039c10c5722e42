// FastCGIClient's limits and time-outs: each is hit at its value, and not by
// what it does not count.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import type { Transport } from "../../src/client/client.ts";
import { LimitError } from "../../src/errors.ts";
import { answering, get, settle, text, whole } from "../support/answering.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { readParams, readRequest, Scripted } from "../support/scripted.ts";
import { record, response, STDERR, STDOUT } from "../support/wire.ts";

const HEAD = "Content-Type: text/plain\r\n\r\n";

/** The code, status and limit of what a promise fails with. */
async function limitOf(
  promise: Promise<unknown>,
): Promise<[code: string, status: number, limit: number]> {
  const error = await within(
    assertRejects(() => promise, LimitError),
    "the limit",
  );
  return [error.code, error.status, error.limit];
}

// Options

const OPTIONS: [name: string, standard: number, least: number, most: number][] =
  [
    ["maxConnections", Infinity, 1, Infinity],
    ["maxIdleConnections", 8, 0, Infinity],
    ["maxRequestsPerConnection", 8, 1, 65535],
    ["maxHeaderBytes", 65536, 64, Number.MAX_SAFE_INTEGER],
    ["maxResponseBytes", Infinity, 0, Infinity],
    ["maxStderrBytes", 1048576, 0, Infinity],
    ["connectTimeoutMs", 10000, 1, Infinity],
    ["queueTimeoutMs", 30000, 1, Infinity],
    ["readTimeoutMs", 60000, 1, Infinity],
    ["writeTimeoutMs", 60000, 1, Infinity],
    ["stallTimeoutMs", 10000, 1, Infinity],
    ["idleTimeoutMs", 60000, 1, Infinity],
  ];

Deno.test("FastCGIClient() takes options within their bounds, and refuses others by name", () => {
  const create = (name: string, value: unknown) =>
    new FastCGIClient("h:1", { [name]: value });
  for (const [name, standard, least, most] of OPTIONS) {
    for (const value of [standard, least, most]) create(name, value);
    const refused = [least - 1, NaN, 1.5, -Infinity];
    if (most < Infinity) refused.push(Infinity);
    if (name.endsWith("Ms")) refused.push(2 ** 31);
    for (const value of refused) {
      assertThrows(
        () => create(name, value),
        RangeError,
        `Cannot set ${name} to ${value}`,
      );
    }
    assertThrows(() => create(name, "5"), TypeError, name);
  }
});

// Sizes

for (const [length, isFine] of [[100, true], [101, false]] as const) {
  Deno.test(
    `FastCGIClient ${
      isFine ? "takes" : "fails"
    } a body of ${length} bytes where maxResponseBytes is 100`,
    async () => {
      await using server = new Scripted(async (peer) => {
        await readRequest(peer);
        await peer.send(response(HEAD + "x".repeat(length)));
        if (isFine) await peer.toEnd();
      });
      await using client = new FastCGIClient(server.address, {
        maxResponseBytes: 100,
      });
      const got = await client.fetch(get());
      if (isFine) assertEquals((await got.text()).length, length);
      else {
        assertEquals(await limitOf(got.text()), [
          "RESPONSE_TOO_LARGE",
          502,
          100,
        ]);
      }
    },
  );
}

Deno.test("FastCGIClient leaves out what is beyond maxStderrBytes, says so, and goes on", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    for (let i = 0; i < 100; i++) {
      await peer.send(record(STDERR, 1, `line ${i}\n`.padStart(100)));
    }
    await peer.send(whole);
    await peer.toEnd();
  });
  const lines: string[] = [];
  await using client = new FastCGIClient(server.address, {
    maxStderrBytes: 1000,
    onStderr: (line) => lines.push(line),
  });
  assertEquals(await text(client), "hello");
  assertEquals(lines.length, 11);
  assertEquals(lines[9]!.trim(), "line 9");
  assertEquals(
    lines[10],
    "(The rest of 10000 bytes is left out: maxStderrBytes is 1000)",
  );
});

Deno.test("FastCGIClient tells the last line of FCGI_STDERR where the server closes after it", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDERR, 1, "Segmentation fault"));
    peer.close();
  });
  const lines: string[] = [];
  await using client = new FastCGIClient(server.address, {
    onStderr: (line) => lines.push(line),
  });
  await assertRejects(() => client.fetch(get()));
  assertEquals(lines, ["Segmentation fault"]);
});

Deno.test("FastCGIClient escapes control characters of what it writes to the console", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDERR, 1, "\x1b[31mred\x07\tä\x9b\r\n"), whole);
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  const told: unknown[] = [];
  const { error } = console;
  console.error = (line: unknown) => told.push(line);
  try {
    await text(client);
  } finally {
    console.error = error;
  }
  assertEquals(told, ["\\x1b[31mred\\x07\tä\\x9b"]);
});

// Time-outs

Deno.test("FastCGIClient.fetch() fails after connectTimeoutMs, and closes what connects later", async () => {
  await using server = answering();
  const given = gate();
  const late = gate<Deno.Conn>();
  await using client = new FastCGIClient({
    async connect(): Promise<Transport> {
      await given.promise;
      const conn = await Deno.connect(server.address);
      late.resolve(conn);
      return conn;
    },
  }, { connectTimeoutMs: 20 });
  assertEquals(await limitOf(client.fetch(get())), [
    "CONNECT_TIMEOUT",
    504,
    20,
  ]);
  given.resolve();
  const conn = await late.promise;
  await assertRejects(() =>
    within(conn.read(new Uint8Array(1)), "the connection to be closed")
  );
});

Deno.test("FastCGIClient.fetch() fails after readTimeoutMs without an answer", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address, { readTimeoutMs: 30 });
  assertEquals(await limitOf(client.fetch(get())), ["READ_TIMEOUT", 504, 30]);
});

Deno.test("FastCGIClient fails a body after readTimeoutMs without a byte, and gives those before", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDOUT, 1, `${HEAD}begun`));
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address, {
    readTimeoutMs: 500,
  });
  const reader = (await client.fetch(get())).body!
    .pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value, "begun");
  assertEquals(await limitOf(reader.read()), ["READ_TIMEOUT", 504, 500]);
});

Deno.test("FastCGIClient counts each byte of an answer or of errors for readTimeoutMs anew", async () => {
  const wait = () => new Promise((resolve) => setTimeout(resolve, 100));
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    for (let i = 0; i < 9; i++) {
      await wait();
      await peer.send(record(STDERR, 1, "x"));
    }
    await peer.send(record(STDOUT, 1, HEAD));
    for (let i = 0; i < 9; i++) {
      await wait();
      await peer.send(record(STDOUT, 1, "x"));
    }
    await peer.send(response(""));
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address, {
    readTimeoutMs: 1500,
    onStderr() {},
  });
  assertEquals(await text(client), "xxxxxxxxx");
});

Deno.test("FastCGIClient does not count for readTimeoutMs while the request's body is on its way", async () => {
  await using server = answering();
  await using client = new FastCGIClient(server.address, {
    readTimeoutMs: 500,
  });
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 800));
      controller.enqueue(new Uint8Array(10));
      controller.close();
    },
  });
  assertEquals(await text(client, get({ method: "POST", body })), "hello");
});

Deno.test("FastCGIClient does not count for readTimeoutMs while its reader has enough", async () => {
  const chunk = new Uint8Array(60_000);
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDOUT, 1, HEAD));
    for (let i = 0; i < 20; i++) await peer.send(record(STDOUT, 1, chunk));
    await peer.send(response(""));
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address, {
    readTimeoutMs: 1000,
  });
  const got = await client.fetch(get());
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assertEquals((await got.bytes()).length, 20 * chunk.length);
});

Deno.test("FastCGIClient.fetch() fails after writeTimeoutMs in which the server takes nothing", async () => {
  const done = gate();
  await using server = new Scripted(async (peer) => {
    await readParams(peer);
    await done.promise;
    peer.close();
  });
  await using client = new FastCGIClient(server.address, {
    writeTimeoutMs: 100,
  });
  const body = new Uint8Array(64 * 1024 * 1024);
  const fetching = client.fetch(get({ method: "POST", body }));
  try {
    assertEquals(await limitOf(fetching), ["WRITE_TIMEOUT", 504, 100]);
  } finally {
    done.resolve();
  }
});

Deno.test("FastCGIClient ends a request that the server takes no more of, and does not answer, after readTimeoutMs", async () => {
  await using server = new Scripted(async (peer) => {
    await peer.toEnd();
  });
  const { port } = server.address;
  await using client = new FastCGIClient({
    async connect() {
      const conn = await Deno.connect({ port });
      // As of a socket whose other end has shut its reading side.
      conn.write = () => Promise.reject(new Deno.errors.BrokenPipe());
      return conn as Transport;
    },
  }, { readTimeoutMs: 100 });
  for (const init of [{}, { method: "POST", body: "hello" }]) {
    assertEquals(await limitOf(client.fetch(get(init))), [
      "READ_TIMEOUT",
      504,
      100,
    ]);
  }
});

Deno.test("FastCGIClient closes a connection that was kept for idleTimeoutMs", async () => {
  const ended = gate();
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(whole);
    await peer.toEnd();
    ended.resolve();
  });
  await using client = new FastCGIClient(server.address, {
    idleTimeoutMs: 200,
  });
  assertEquals(await text(client), "hello");
  assertEquals(client.stats().idle, 1);
  await within(ended.promise, "the connection to be closed");
  await settle();
  assertEquals(client.stats().connections, 0);
});

Deno.test("FastCGIClient keeps a connection that is used within idleTimeoutMs", async () => {
  await using server = answering();
  await using client = new FastCGIClient(server.address, {
    idleTimeoutMs: 2000,
  });
  for (let i = 0; i < 5; i++) {
    assertEquals(await text(client), "hello");
    await settle();
  }
  assertEquals(server.connections, 1);
});

Deno.test("FastCGIClient waits without time-outs where they are Infinity", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await settle();
    await peer.send(whole);
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address, {
    connectTimeoutMs: Infinity,
    queueTimeoutMs: Infinity,
    readTimeoutMs: Infinity,
    writeTimeoutMs: Infinity,
    stallTimeoutMs: Infinity,
    idleTimeoutMs: Infinity,
  });
  assertEquals(await text(client), "hello");
  assert(client.stats().idle === 1);
});
