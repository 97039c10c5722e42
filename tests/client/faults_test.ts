// FastCGIClient in front of a server that is at fault, byte for byte.

import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import type {
  FastCGIClientOptions,
  Transport,
} from "../../src/client/client.ts";
import {
  ClosedError,
  ConnectError,
  FastCgiError,
  LimitError,
  ProtocolError,
  RefusedError,
} from "../../src/errors.ts";
import { turn } from "../support/answering.ts";
import { inFolder } from "../support/folder.ts";
import type { Peer } from "../support/peer.ts";
import { within } from "../support/peer.ts";
import { readRequest, Scripted } from "../support/scripted.ts";
import {
  bytes,
  end,
  record,
  response,
  STDERR,
  STDOUT,
} from "../support/wire.ts";

/** A server that answers its first request so, and closes. */
function answering(...parts: Uint8Array[]): Scripted {
  return new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(...parts);
    peer.close();
  });
}

const get = () => new Request("http://test/");
const head = "Content-Type: text/plain\r\n\r\n";

/** The class that tells an error of a code. */
const CLASSES: Record<string, new (...args: never[]) => FastCgiError> = {
  BAD_RESPONSE: ProtocolError,
  CLOSED: ClosedError,
  HEADER_TOO_LARGE: LimitError,
  OVERLOADED: RefusedError,
  UNKNOWN_ROLE: RefusedError,
};

async function ask(
  server: Scripted,
  options: FastCGIClientOptions = {},
  request = get(),
): Promise<{ response: Response; text: string }> {
  await using client = new FastCGIClient(server.address, options);
  const response = await within(client.fetch(request), "the header");
  return { response, text: await within(response.text(), "the body") };
}

// Before the header

const EARLY: [
  name: string,
  answer: Uint8Array[],
  code: string,
  status: number,
  why: string,
][] = [
  ["nothing", [], "CLOSED", 502, "before the header"],
  ["half a record header", [new Uint8Array([1, 6, 0])], "CLOSED", 502, ""],
  [
    "half a header",
    [record(STDOUT, 1, "Content-Type: te")],
    "CLOSED",
    502,
    "before the header",
  ],
  [
    "errors alone",
    [record(STDERR, 1, "x")],
    "CLOSED",
    502,
    "before the header",
  ],
  ["an end alone", [end()], "BAD_RESPONSE", 502, "application status 0"],
  ["an end of status 7", [end(1, 7)], "BAD_RESPONSE", 502, "status 7"],
  [
    "an end after half a header",
    [record(STDOUT, 1, "A: b\r\n"), end()],
    "BAD_RESPONSE",
    502,
    "without a response header",
  ],
  ["FCGI_CANT_MPX_CONN", [end(1, 0, 1)], "OVERLOADED", 503, "too many"],
  ["FCGI_OVERLOADED", [end(1, 0, 2)], "OVERLOADED", 503, "FCGI_OVERLOADED"],
  ["FCGI_UNKNOWN_ROLE", [end(1, 0, 3)], "UNKNOWN_ROLE", 502, "Responder"],
  [
    "HTTP",
    [bytes("HTTP/1.1 400 Bad Request\r\n\r\n")],
    "BAD_RESPONSE",
    502,
    "it speaks HTTP",
  ],
  [
    "a malformed header",
    [response("no header\r\n\r\n")],
    "BAD_RESPONSE",
    502,
    "no header",
  ],
  ["another id", [response(head, 2)], "BAD_RESPONSE", 502, "request 2"],
  ["FCGI_STDIN", [record(5, 1, "x")], "BAD_RESPONSE", 502, "type 5"],
  ["an unknown type", [record(99, 1)], "BAD_RESPONSE", 502, "type 99"],
  [
    "an end of 7 bytes",
    [record(3, 1, "1234567")],
    "BAD_RESPONSE",
    502,
    "eight",
  ],
  [
    "an end of 9 bytes",
    [record(3, 1, "123456789")],
    "BAD_RESPONSE",
    502,
    "eight",
  ],
  [
    "a header past the limit",
    [record(STDOUT, 1, `X: ${"x".repeat(200)}`)],
    "HEADER_TOO_LARGE",
    502,
    "maxHeaderBytes",
  ],
];

for (const [name, answer, code, status, why] of EARLY) {
  Deno.test(`FastCGIClient.fetch() fails with ${code} where the server sends ${name} and closes`, async () => {
    await using server = answering(...answer);
    const error = await assertRejects(
      () => ask(server, { maxHeaderBytes: 100, onStderr() {} }),
      FastCgiError,
      why,
    );
    assertEquals([error.code, error.status], [code, status]);
    assertInstanceOf(error, CLASSES[code]!);
    // A new connection's fault is not tried again.
    assertEquals(server.connections, 1);
  });
}

// After the header

const LATE: [name: string, answer: Uint8Array[], code: string, why: string][] =
  [
    [
      "no end",
      [record(STDOUT, 1, `${head}half`)],
      "CLOSED",
      "FCGI_END_REQUEST",
    ],
    [
      "the end of FCGI_STDOUT alone",
      [record(STDOUT, 1, `${head}whole`), record(STDOUT, 1)],
      "CLOSED",
      "FCGI_END_REQUEST",
    ],
    [
      "half an end",
      [record(STDOUT, 1, `${head}half`), end().subarray(0, 12)],
      "CLOSED",
      "FCGI_END_REQUEST",
    ],
    [
      "less than its Content-Length",
      [response("Content-Length: 5\r\n\r\nhalf")],
      "BAD_RESPONSE",
      "4 bytes: its Content-Length says 5",
    ],
    [
      "nothing of its Content-Length",
      [response("Content-Length: 5\r\n\r\n")],
      "BAD_RESPONSE",
      "0 bytes: its Content-Length says 5",
    ],
    [
      "more than its Content-Length",
      [record(STDOUT, 1, "Content-Length: 3\r\n\r\nab"), response("cd")],
      "BAD_RESPONSE",
      "4 bytes: its Content-Length says 3",
    ],
    [
      "a record of another id",
      [record(STDOUT, 1, head), response("x", 2)],
      "BAD_RESPONSE",
      "request 2",
    ],
    [
      "what is no record",
      [record(STDOUT, 1, head), new Uint8Array(8)],
      "BAD_RESPONSE",
      "version 0",
    ],
  ];

for (const [name, answer, code, why] of LATE) {
  Deno.test(`FastCGIClient fails a body with ${code} where the server sends ${name} and closes`, async () => {
    await using server = answering(...answer);
    await using client = new FastCGIClient(server.address);
    const promise = client.fetch(get());
    const error = await assertRejects(
      async () => await (await within(promise, "the header")).text(),
      FastCgiError,
      why,
    );
    assertEquals([error.code, error.status], [code, 502]);
    assertInstanceOf(error, CLASSES[code]!);
  });
}

Deno.test("FastCGIClient gives the bytes that came before a body fails", async () => {
  await using server = answering(record(STDOUT, 1, `${head}half`));
  await using client = new FastCGIClient(server.address);
  const reader = (await client.fetch(get())).body!.getReader();
  assertEquals((await reader.read()).value, bytes("half"));
  await assertRejects(() => reader.read(), FastCgiError);
});

Deno.test("FastCGIClient ends a body that is being read into a buffer", async () => {
  const reading = Promise.withResolvers<void>();
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDOUT, 1, `${head}abc`));
    await reading.promise;
    await peer.send(response(""));
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  const got = await client.fetch(get());
  const reader = got.body!.getReader({ mode: "byob" });
  assertEquals((await reader.read(new Uint8Array(8))).value, bytes("abc"));
  const last = reader.read(new Uint8Array(8));
  reading.resolve();
  assertEquals((await within(last, "the end")).done, true);
});

Deno.test("FastCGIClient.fetch() gives an answer that came before the request's body was taken", async () => {
  const cancelled = Promise.withResolvers<void>();
  await using server = new Scripted(async (peer: Peer) => {
    await peer.until((record) => record.type === 5, "a byte of the body");
    await peer.send(response("Status: 413 Too Large\r\n\r\ntoo large"));
    await peer.toEnd();
  });
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await turn();
      controller.enqueue(new Uint8Array(1000));
    },
    cancel: () => cancelled.resolve(),
  });
  const request = new Request("http://test/", { method: "POST", body });
  const { response: got, text } = await ask(server, {}, request);
  assertEquals([got.status, text], [413, "too large"]);
  await within(cancelled.promise, "the body to be cancelled");
});

Deno.test("FastCGIClient.fetch() gives an answer of a server that closes without taking the body", async () => {
  await using server = new Scripted(async (peer: Peer) => {
    await peer.until((record) => record.type === 5, "a byte of the body");
    await peer.send(response("Status: 413 Too Large\r\n\r\ntoo large"));
    // A reset, for there are bytes that were not read.
    peer.close();
  });
  const body = new Uint8Array(8 * 1024 * 1024);
  const request = new Request("http://test/", {
    method: "POST",
    body,
    headers: { "content-length": String(body.length) },
  });
  const { response: got, text } = await ask(server, {}, request);
  assertEquals([got.status, text], [413, "too large"]);
});

Deno.test("FastCGIClient.fetch() gives an answer of a server that closed before it was sent anything", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/hasty.sock`;
    using listener = Deno.listen({ transport: "unix", path });
    await using client = new FastCGIClient({
      async connect() {
        const [conn, peer] = await Promise.all([
          Deno.connect({ transport: "unix", path }),
          listener.accept(),
        ]);
        await peer.write(response("Status: 413 Too Large\r\n\r\ntoo large"));
        // From here on, nothing more is taken: not even the first write.
        peer.close();
        return conn as Transport;
      },
    });
    for (const init of [{}, { method: "POST", body: "hello" }]) {
      const request = new Request("http://test/", init);
      const got = await within(client.fetch(request), "the header");
      assertEquals([got.status, await got.text()], [413, "too large"]);
    }
  });
});

Deno.test("FastCGIClient.fetch() takes a read of 0 bytes for the end, as one of null", async () => {
  await using server = new Scripted((peer) => readRequest(peer).then(() => {}));
  for (const end of [0, null]) {
    await using client = new FastCGIClient({
      async connect(): Promise<Transport> {
        const conn = await Deno.connect(server.address);
        return Object.assign(conn, { read: () => Promise.resolve(end) });
      },
    });
    await assertRejects(() => client.fetch(get()), ClosedError);
  }
});

Deno.test("FastCGIClient.fetch() fails with CONNECT_FAILED where nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const folder = await Deno.makeTempDir();
  try {
    for (
      const [address, where] of [
        [{ hostname: "127.0.0.1", port }, `127.0.0.1:${port}`],
        [{ path: `${folder}/none` }, `${folder}/none`],
        [
          { connect: () => Promise.reject(new Error("on purpose")) },
          "on purpose",
        ],
      ] as const
    ) {
      await using client = new FastCGIClient(address);
      const error = await assertRejects(
        () => client.fetch(get()),
        ConnectError,
        where,
      );
      assertEquals([error.code, error.status], ["CONNECT_FAILED", 502]);
    }
  } finally {
    await Deno.remove(folder);
  }
});
