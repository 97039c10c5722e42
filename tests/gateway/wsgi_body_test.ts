import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Gateway } from "../../src/gateway/gateway.ts";
import type { WsgiBody, WsgiChunk } from "../../src/gateway/wsgi_types.ts";
import { within } from "../support/peer.ts";
import { gate, Running } from "../support/running.ts";
import { END, request } from "../support/wire.ts";
import { answering, askWsgi, bodySoFar } from "../support/wsgi.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function* endless(closed: () => void): Generator<string> {
  try {
    for (;;) yield "0123";
  } finally {
    closed();
  }
}

async function* later(chunks: WsgiChunk[]): AsyncGenerator<WsgiChunk> {
  for (const chunk of chunks) {
    await Promise.resolve();
    yield chunk;
  }
}

function* now(chunks: WsgiChunk[]): Generator<WsgiChunk> {
  yield* chunks;
}

/** Bodies of one text, and the length that is told of each. */
const BODIES: [string, () => WsgiBody | Promise<WsgiBody>, string?][] = [
  ["an array of one string", () => ["h\u00e9llo"], "6"],
  ["an array of bytes", () => [bytes("h\u00e9llo")], "6"],
  ["an array of both", () => ["h", bytes("\u00e9"), "", "llo"], "6"],
  ["a string", () => "h\u00e9llo", "6"],
  ["bytes", () => bytes("h\u00e9llo"), "6"],
  ["a promise of an array", () => Promise.resolve(["h\u00e9llo"]), "6"],
  ["a promise of a string", () => Promise.resolve("h\u00e9llo"), "6"],
  ["a generator", () => now(["h\u00e9", "", bytes("llo")])],
  ["an async generator", () => later(["h\u00e9", bytes("llo"), ""])],
  ["a promise of a generator", () => Promise.resolve(now(["h\u00e9llo"]))],
  ["a set", () => new Set(["h", "\u00e9", "llo"])],
  ["an iterable", () => ({
    [Symbol.iterator]: () => ["h", "\u00e9llo"].values(),
  })],
  [
    "an async iterable",
    () => ({ [Symbol.asyncIterator]: () => later(["h\u00e9llo"]) }),
  ],
  ["a stream", () => ReadableStream.from([bytes("h\u00e9"), bytes("llo")])],
  [
    "an iterator helper",
    () => ["H", "\u00c9LLO"].values().map((part) => part.toLowerCase()),
  ],
];

for (const [name, body, length] of BODIES) {
  for (const method of ["GET", "HEAD"]) {
    Deno.test(`${name} is a body, to a ${method}`, async () => {
      const { text, headers, status } = await askWsgi(answering(body), {
        params: { REQUEST_METHOD: method },
      });
      assertEquals(status, 200);
      assertEquals(text, method === "HEAD" ? "" : "h\u00e9llo");
      assertEquals(headers["content-length"], length);
    });
  }
}

for (
  const [name, body, says] of [
    ["nothing", undefined, "type undefined"],
    ["null", null, "null"],
    ["a number", 5, "type number"],
    ["an object", {}, "class Object"],
    ["a function", () => "x", "a function"],
    ["a Response", new Response("x"), "class Response"],
    ["an ArrayBuffer", new ArrayBuffer(1), "class ArrayBuffer"],
    ["an array of a number", [65], "type number"],
    ["an array with null", ["x", null], "null"],
    ["an array with a hole", ["x", , "y"], "type undefined"],
    ["an array of an array", [["x"]], "class Array"],
    ["a generator of a number", now([65 as unknown as string]), "type number"],
    ["a set of promises", new Set([Promise.resolve("x")]), "class Promise"],
    ["other views", [new Uint16Array(1)], "class Uint16Array"],
  ] as [string, unknown, string][]
) {
  Deno.test(`${name} for a body answers 500`, async () => {
    const { status, stderr } = await askWsgi(
      answering(() => body as WsgiBody),
    );
    assertEquals(status, 500);
    assertStringIncludes(stderr, "TypeError: Cannot send ");
    assertStringIncludes(stderr, says);
  });
}

Deno.test("a body that is there as a whole leaves in one write", async () => {
  for (
    const body of [
      ["a"],
      ["a", "b", bytes("c")],
      Array.from({ length: 2000 }, () => "0123456789"),
    ]
  ) {
    await using running = new Running(
      new Gateway(answering(() => body)),
      { watched: true, unix: true },
    );
    using peer = await running.connect();
    await peer.ask(request());
    assertEquals(running.writes.length, 1);
  }
});

for (const isAsync of [false, true]) {
  const kind = isAsync ? "an async generator" : "a generator";
  Deno.test(`each chunk of ${kind} is written before the next is asked for`, async () => {
    const seen: string[] = [];
    let writes: Uint8Array[] = [];
    const written = () =>
      writes.map((write) => {
        const text = new TextDecoder("latin1").decode(write);
        return ["first", "second", "third"].filter((word) =>
          text.includes(word)
        ).join("+");
      }).join(", ");
    function* body() {
      seen.push(`0: ${written()}`);
      yield "first";
      seen.push(`1: ${written()}`);
      yield "second";
      seen.push(`2: ${written()}`);
      yield "";
      seen.push(`3: ${written()}`);
      yield "third";
      seen.push(`4: ${written()}`);
    }
    async function* bodyLater() {
      yield* body();
      await Promise.resolve();
    }
    await using running = new Running(
      new Gateway(answering(() => isAsync ? bodyLater() : body())),
      { watched: true, unix: true },
    );
    writes = running.writes;
    using peer = await running.connect();
    assertEquals((await peer.ask(request())).text, "firstsecondthird");
    assertEquals(seen, [
      "0: ",
      "1: first",
      "2: first, second",
      "3: first, second",
      "4: first, second, third",
    ]);
  });
}

Deno.test("a chunk reaches the client while the next is waited for", async () => {
  const next = gate();
  await using running = new Running(
    new Gateway(answering(async function* () {
      yield "first";
      await next.promise;
      yield "second";
    })),
  );
  using peer = await running.connect();
  await peer.send(request());
  while (!bodySoFar(peer.records).includes("first")) assert(await peer.read());
  assertEquals(bodySoFar(peer.records), "first");
  next.resolve();
  assertEquals((await peer.answer()).text, "firstsecond");
});

Deno.test("the headers leave with the first chunk that is not empty", async () => {
  const next = gate();
  await using running = new Running(
    new Gateway(answering(async function* () {
      yield "";
      await next.promise;
      yield "body";
    })),
  );
  using peer = await running.connect();
  await peer.send(request());
  await running.goOn(5);
  const read = peer.read();
  await running.goOn(5);
  assertEquals(peer.records, []);
  next.resolve();
  assert(await read);
  assertEquals((await peer.answer()).text, "body");
});

Deno.test("an async body is asked for no more than the client takes", async () => {
  const SIZE = 64 * 1024;
  let asked = 0;
  const closed = gate();
  await using running = new Running(
    new Gateway(answering(async function* () {
      try {
        for (;;) {
          asked++;
          yield new Uint8Array(SIZE);
          await Promise.resolve();
        }
      } finally {
        closed.resolve();
      }
    })),
    { unix: true },
  );
  using peer = await running.connect();
  await peer.send(request());
  let before = -1;
  for (let i = 0; i < 100 && before !== asked; i++) {
    before = asked;
    await running.goOn(20);
  }
  assertEquals(before, asked);
  assert(asked * SIZE < 8 * 1024 * 1024, `${asked} chunks were asked for`);
  // Once the client reads, it goes on.
  for (let i = 0; i < 500 && asked < before + 20; i++) {
    assert(await peer.read());
  }
  assert(asked >= before + 20);
  peer.close();
  await within(closed.promise, "the body to be closed");
});

for (
  const [name, body, text] of [
    ["an array", () => ["01234", "56789", "abc"], "01234567"],
    ["a generator", () => now(["01234", "56789", "abc"]), "01234567"],
    ["an async generator", () => later(["01234567", "abc"]), "01234567"],
    ["a string", () => "0123456789", "01234567"],
  ] as [string, () => WsgiBody, string][]
) {
  Deno.test(`${name} longer than its Content-Length is cut off, and told of`, async () => {
    await using running = new Running(
      new Gateway(answering(body, "200 OK", [["Content-Length", "8"]])),
    );
    using peer = await running.connect();
    const answer = await peer.ask(request());
    assertEquals([answer.text, answer.headers["content-length"]], [text, "8"]);
    assertStringIncludes(running.logged.join("\n"), "longer than its Content");
  });
}

for (
  const [name, body] of [
    ["an array", () => ["01234"]],
    ["an empty array", () => []],
  ] as [string, () => WsgiBody][]
) {
  Deno.test(`${name} shorter than its Content-Length is answered with 500`, async () => {
    await using running = new Running(
      new Gateway(answering(body, "200 OK", [["Content-Length", "8"]])),
    );
    using peer = await running.connect();
    const { status, appStatus, text } = await peer.ask(request());
    assertEquals([status, appStatus, text.includes("01234")], [500, 1, false]);
    assertEquals(await peer.toEnd(), []);
    assertStringIncludes(running.logged.join("\n"), "shorter than its Content");
  });
}

Deno.test("a generator shorter than its Content-Length has no end, for its chunks have left", async () => {
  await using running = new Running(
    new Gateway(
      answering(() => now(["01234"]), "200 OK", [["Content-Length", "8"]]),
    ),
  );
  using peer = await running.connect();
  await peer.send(request());
  const records = await peer.toEnd();
  assertEquals(bodySoFar(records), "01234");
  assertEquals(records.filter(({ type }) => type === END), []);
  assertStringIncludes(running.logged.join("\n"), "shorter than its Content");
});

for (const kind of ["generator", "async generator"]) {
  Deno.test(`an endless ${kind} ends with its Content-Length, and is closed`, async () => {
    let closed = 0;
    const { text, appStatus } = await askWsgi(
      answering(
        () => {
          const body = endless(() => closed++);
          return kind === "generator" ? body : ReadableStream.from(body);
        },
        "200 OK",
        [["Content-Length", "10"]],
      ),
    );
    assertEquals([text, appStatus, closed], ["0123012301", 0, 1]);
  });
}

for (const status of ["204 No Content", "205 Reset", "304 Not Modified"]) {
  Deno.test(`a response of ${status} has no body, and its body is closed`, async () => {
    for (const kind of ["array", "generator", "endless"]) {
      let closed = 0;
      const { body, headers, lines } = await askWsgi(answering(() => {
        const chunks: Iterable<string> = kind === "array" ? ["x"] : {
          *[Symbol.iterator]() {
            do yield "x"; while (kind === "endless");
          },
        };
        return Object.assign(chunks, { close: () => closed++ });
      }, status));
      assertEquals([body.length, closed], [0, 1]);
      assertEquals(headers["content-length"], undefined);
      assertEquals(lines.at(-1), `Status: ${status}`);
    }
  });
}

Deno.test("a HEAD of an endless body ends, and closes it", async () => {
  let closed = 0;
  const { headers, text, status } = await askWsgi(
    answering(
      function* () {
        try {
          for (;;) yield "x";
        } finally {
          closed++;
        }
      },
      "200 OK",
      [["X-Header", "1"]],
    ),
    { params: { REQUEST_METHOD: "HEAD" } },
  );
  assertEquals([status, text, closed], [200, "", 1]);
  assertEquals([headers["x-header"], headers["content-length"]], [
    "1",
    undefined,
  ]);
});

Deno.test("a HEAD keeps the Content-Length of the application", async () => {
  for (const body of [[], ["x"], "0123456789"]) {
    const { headers, text } = await askWsgi(
      answering(() => body, "200 OK", [["Content-Length", "10"]]),
      { params: { REQUEST_METHOD: "HEAD" } },
    );
    assertEquals([headers["content-length"], text], ["10", ""]);
  }
});

Deno.test("strings are encoded in the gateway's charset", async () => {
  for (
    const body of [["h\u00e9"], now(["h\u00e9"])] as WsgiBody[]
  ) {
    const answer = await askWsgi(answering(() => body), {}, {
      charset: "iso-8859-1",
    });
    assertEquals([...answer.body], [0x68, 0xe9]);
  }
});

Deno.test("a body in an array is sent as it was when close() is called", async () => {
  const { body } = await askWsgi(answering(() => {
    const chunks = [10, 100_000, 10].map((length) =>
      new Uint8Array(length).fill(1)
    );
    const close = () => chunks.forEach((chunk) => chunk.fill(2));
    return Object.assign(chunks, { close });
  }));
  assertEquals(body.length, 100_020);
  assert(body.every((byte) => byte === 1));
});
