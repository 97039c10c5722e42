import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Gateway } from "../../src/gateway/gateway.ts";
import { AbortedError, ProtocolError } from "../../src/errors.ts";
import type { WsgiInputStream } from "../../src/gateway/wsgi_types.ts";
import { within } from "../support/peer.ts";
import { randomBytes, seeded } from "../support/random.ts";
import { gate, Running } from "../support/running.ts";
import {
  ABORT,
  begin,
  GET,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
} from "../support/wire.ts";
import { answering, askWsgi, seenOf } from "../support/wsgi.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** What is read of a body, each read as text. */
function reading(
  body: string,
  read: (input: WsgiInputStream) => Promise<Uint8Array>[],
): Promise<unknown> {
  return seenOf(
    async (env) => (await Promise.all(read(env["wsgi.input"]))).map(text),
    { body },
  );
}

/** A request whose body comes in records of some bytes, without a length. */
function inPieces(pieces: (string | Uint8Array)[], length?: number) {
  const params: Record<string, string> = { ...GET, REQUEST_METHOD: "POST" };
  if (length !== undefined) params.CONTENT_LENGTH = String(length);
  return [
    begin(),
    stream(PARAMS, 1, pairs(params)),
    ...pieces.map((piece) => record(STDIN, 1, piece)),
    record(STDIN, 1),
  ];
}

for (
  const [size, expected] of [
    [undefined, ["abcdef", ""]],
    [null, ["abcdef", ""]],
    [-1, ["abcdef", ""]],
    [0, ["", ""]],
    [1, ["a", "b"]],
    [4, ["abcd", "ef"]],
    [6, ["abcdef", ""]],
    [100, ["abcdef", ""]],
  ] as [number | undefined, string[]][]
) {
  Deno.test(`read(${size}) of six bytes, twice, gives ${JSON.stringify(expected)}`, async () => {
    const seen = await reading("abcdef", (input) => [
      input.read(size),
      input.read(size),
    ]);
    assertEquals(seen, expected);
  });
}

Deno.test("read() gives no bytes where there is no body, however often", async () => {
  const seen = await reading("", (input) => [
    input.read(),
    input.read(10),
    input.readline(),
    input.read(),
  ]);
  assertEquals(seen, ["", "", "", ""]);
});

for (
  const [size, expected] of [
    [undefined, ["one\n", "\n", "three\r\n", "last", ""]],
    [-1, ["one\n", "\n", "three\r\n", "last", ""]],
    [0, ["", "", "", "", ""]],
    [2, ["on", "e\n", "\n", "th", "re"]],
    [4, ["one\n", "\n", "thre", "e\r\n", "last"]],
  ] as [number | undefined, string[]][]
) {
  Deno.test(`readline(${size}) gives ${JSON.stringify(expected)}`, async () => {
    const seen = await reading(
      "one\n\nthree\r\nlast",
      (input) => expected.map(() => input.readline(size)),
    );
    assertEquals(seen, expected);
  });
}

for (
  const [hint, expected] of [
    [undefined, ["one\n", "two\n", "three"]],
    [0, ["one\n", "two\n", "three"]],
    [-1, ["one\n", "two\n", "three"]],
    [1, ["one\n"]],
    [4, ["one\n"]],
    [5, ["one\n", "two\n"]],
    [100, ["one\n", "two\n", "three"]],
  ] as [number | undefined, string[]][]
) {
  Deno.test(`readlines(${hint}) gives ${JSON.stringify(expected)}`, async () => {
    const seen = await seenOf(
      async (env) => (await env["wsgi.input"].readlines(hint)).map(text),
      { body: "one\ntwo\nthree" },
    );
    assertEquals(seen, expected);
  });
}

Deno.test("iterating wsgi.input gives its lines, and can be gone on with", async () => {
  const seen = await seenOf(async (env) => {
    const input = env["wsgi.input"];
    const lines = [];
    for await (const line of input) {
      lines.push(text(line));
      if (lines.length === 2) break;
    }
    lines.push(text(await input.read(1)));
    for await (const line of input) lines.push(text(line));
    return lines;
  }, { body: "1\n2\n3\n4\n5" });
  assertEquals(seen, ["1\n", "2\n", "3", "\n", "4\n", "5"]);
});

Deno.test("the ways of reading can be mixed, and begun at once", async () => {
  const seen = await reading("ab\ncdefg\nhi\nrest of it", (input) => [
    input.read(1),
    input.readline(),
    input.read(3),
    input.readline(),
    input.readline(2),
    input.read(),
    input.read(),
  ]);
  assertEquals(seen, ["a", "b\n", "cde", "fg\n", "hi", "\nrest of it", ""]);
});

Deno.test("read() and readline() are right however the body is cut", async () => {
  const random = seeded(11);
  const whole = randomBytes(random, 20_000).map((byte) => byte % 30);
  for (const sizes of [[1], [7], [4096], [1, 2, 3, 500, 70]]) {
    const pieces: Uint8Array[] = [];
    for (let at = 0, i = 0; at < whole.length && i < 3000; i++) {
      const size = i < 2000 ? sizes[i % sizes.length]! : whole.length;
      pieces.push(whole.slice(at, at + size));
      at += size;
    }
    let matched = 0;
    await using running = new Running(
      new Gateway(answering(async (env) => {
        const input = env["wsgi.input"];
        for (let at = 0, i = 0; at < whole.length; i++) {
          const size = 1 + (i * 37) % 300;
          const got = i % 3 === 0
            ? await input.read(size)
            : await input.readline(i % 3 === 1 ? undefined : size);
          let end = i % 3 === 1
            ? whole.length
            : Math.min(whole.length, at + size);
          const line = whole.indexOf(10, at) + 1;
          if (i % 3 !== 0 && line > 0) end = Math.min(end, line);
          assertEquals(got, whole.slice(at, end), `read ${i} at ${at}`);
          at = end;
          matched++;
        }
        assertEquals((await input.read(1)).length, 0);
        return "all read";
      })),
    );
    using peer = await running.connect();
    await peer.send(...inPieces(pieces));
    assertEquals((await peer.answer()).text, "all read");
    assertEquals(matched > 100, true);
  }
});

Deno.test("read(size) waits for as many bytes, or the end", async () => {
  const reads: string[] = [];
  const firstRead = gate();
  await using running = new Running(
    new Gateway(answering(async (env) => {
      reads.push(text(await env["wsgi.input"].read(4)));
      firstRead.resolve();
      reads.push(text(await env["wsgi.input"].read(4)));
      return "";
    })),
  );
  using peer = await running.connect();
  const [start, params, a, b, c, end] = inPieces(["ab", "cde", "f"]);
  await peer.send(start!, params!, a!);
  await running.goOn(5);
  assertEquals(reads, []);
  await peer.send(b!);
  await within(firstRead.promise, "the first read");
  await peer.send(c!);
  await running.goOn(5);
  assertEquals(reads, ["abcd"]);
  await peer.send(end!);
  await peer.answer();
  assertEquals(reads, ["abcd", "ef"]);
});

Deno.test("read() gives bytes that are the caller's", async () => {
  const seen = await seenOf(async (env) => {
    const input = env["wsgi.input"];
    // Given away, they would take along what shares their buffer.
    structuredClone(null, { transfer: [(await input.read(2)).buffer] });
    structuredClone(null, { transfer: [(await input.readline(1)).buffer] });
    return text(await input.read());
  }, { body: "abcdef" });
  assertEquals(seen, "def");
});

Deno.test("read() gives a body of a megabyte whole, of known length or not", async () => {
  const body = randomBytes(seeded(3), 1024 * 1024);
  const digest = async (bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).toHex();
  const pieces = Array.from(
    { length: 32 },
    (_, i) => body.subarray(i * 32768, (i + 1) * 32768),
  );
  for (const length of [undefined, body.length]) {
    await using running = new Running(
      new Gateway(answering(async (env) => {
        const input = env["wsgi.input"];
        const first = await input.read(100_001);
        const rest = await input.read();
        return digest(new Uint8Array([...first, ...rest]));
      })),
    );
    using peer = await running.connect();
    await peer.send(...inPieces(pieces, length));
    assertEquals((await peer.answer()).text, await digest(body));
  }
});

Deno.test("wsgi.input refuses sizes that are no whole numbers", async () => {
  await askWsgi(
    answering(async (env) => {
      const input = env["wsgi.input"];
      for (const bad of ["1", 1.5, NaN, {}, true, 1n]) {
        for (const method of ["read", "readline", "readlines"] as const) {
          await assertRejects(
            () => input[method](bad as number) as Promise<unknown>,
            TypeError,
            `wsgi.input.${method}()`,
          );
        }
      }
      assertEquals(text(await input.read()), "body");
      return "";
    }),
    { body: "body" },
  );
});

Deno.test("reading fails where the body is shorter than announced", async () => {
  for (const read of ["read", "readline", "readlines"] as const) {
    await using running = new Running(
      new Gateway(answering(async (env) => {
        await assertRejects(
          () => env["wsgi.input"][read]() as Promise<unknown>,
          ProtocolError,
          "ended after 3 of 10 bytes",
        );
        return "failed";
      })),
    );
    using peer = await running.connect();
    await peer.send(...inPieces(["abc"], 10));
    assertEquals((await peer.answer()).text, "failed");
  }
});

Deno.test("reading a body too large answers 413", async () => {
  await using running = new Running(
    new Gateway(
      answering(async (env) => [await env["wsgi.input"].read()]),
      { maxBodyBytes: 5 },
    ),
  );
  using peer = await running.connect();
  await peer.send(...inPieces(["abcdef"]));
  assertEquals((await peer.answer()).status, 413);
});

Deno.test("reading fails when the request is aborted", async () => {
  const error = gate<unknown>();
  await using running = new Running(
    new Gateway(answering(async (env) => {
      await env["wsgi.input"].read().catch(error.resolve);
      return "";
    })),
  );
  using peer = await running.connect();
  const [start, params, a] = inPieces(["ab"]);
  await peer.send(start!, params!, a!);
  await running.goOn(2);
  await peer.send(record(ABORT, 1));
  const reason = await within(error.promise, "the read to fail");
  assertEquals(reason instanceof AbortedError, true);
  await peer.answer();
});

Deno.test("a body left unread is no matter", async () => {
  await using running = new Running(
    new Gateway(answering(async (env) => [await env["wsgi.input"].read(1)])),
  );
  using peer = await running.connect();
  for (let i = 0; i < 3; i++) {
    const { text } = await peer.ask(request({ body: "x".repeat(100_000) }));
    assertEquals(text, "x");
  }
});

Deno.test("reading a body fails once the response is over, and none gives no bytes", async () => {
  for (const isPosted of [true, false]) {
    const isOver = gate();
    const late = gate<unknown>();
    await using running = new Running(
      new Gateway(answering((env) => {
        const input = env["wsgi.input"];
        isOver.promise.then(async () => {
          const read = async () =>
            (await input.read()).length + (await input.read(5)).length;
          late.resolve(await read().catch((error) => error));
        });
        return "x";
      })),
    );
    using peer = await running.connect();
    const [start, params, a] = inPieces(["ab"]);
    if (isPosted) await peer.send(start!, params!, a!, record(STDIN, 1));
    else await peer.send(request());
    await peer.answer();
    isOver.resolve();
    const outcome = await within(late.promise, "the read");
    if (isPosted) assertInstanceOf(outcome, TypeError);
    else assertEquals(outcome, 0);
  }
});
