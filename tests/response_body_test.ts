import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import type { ServiceResponse } from "../src/response.ts";
import { ask } from "./support/ask.ts";
import { gate, Running } from "./support/running.ts";
import { within } from "./support/peer.ts";
import { randomBytes, seeded } from "./support/random.ts";
import { END, request, STDOUT } from "./support/wire.ts";

/** The answer to what a function does to the response. */
function answerTo(of: (response: ServiceResponse) => void | Promise<void>) {
  return ask((_, response) => of(response));
}

/** The text that has come so far, the header block cut off. */
function textOf(records: { type: number; content: Uint8Array }[]): string {
  const stdout = records.filter(({ type }) => type === STDOUT)
    .map(({ content }) => new TextDecoder().decode(content)).join("");
  return stdout.slice(stdout.indexOf("\r\n\r\n") + 4);
}

Deno.test("write() takes strings and bytes, awaited or not", async () => {
  const { text, headers } = await answerTo(async (response) => {
    response.write("a");
    await response.write("é");
    response.write(new Uint8Array([0x62]));
    await response.write(new TextEncoder().encode("\u{1f434}"));
    response.write("");
    response.write(new Uint8Array(0));
    response.write("z");
  });
  assertEquals([text, headers["content-length"]], ["aéb\u{1f434}z", "9"]);
});

Deno.test("write() refuses at once what is neither string nor bytes", async () => {
  const { text, headers } = await answerTo((response) => {
    for (const bad of [1, null, undefined, {}, [65], new ArrayBuffer(1)]) {
      assertThrows(
        () => response.write(bad as unknown as string),
        TypeError,
        "takes a string or a Uint8Array",
      );
    }
    assertEquals(response.hasBegun, false);
    response.write("x");
  });
  assertEquals([text, headers["content-length"]], ["x", "1"]);
});

for (const length of [1, 1000, 16 * 1024]) {
  Deno.test(`write() lets ${length} bytes be reused at once`, async () => {
    const { text } = await answerTo((response) => {
      const buffer = new Uint8Array(length);
      for (const letter of "abc") {
        response.write(buffer.fill(letter.charCodeAt(0)));
      }
      buffer.fill(0);
    });
    assertEquals(
      text,
      "a".repeat(length) + "b".repeat(length) + "c".repeat(length),
    );
  });
}

for (
  const length of [17, 32, 64, 80, 200, 264, 1000].map((kib) => kib * 1024)
) {
  Deno.test(`write() lets ${length} bytes be reused once it has settled`, async () => {
    const { body } = await answerTo(async (response) => {
      const buffer = new Uint8Array(length);
      for (const letter of "abc") {
        await response.write(buffer.fill(letter.charCodeAt(0)));
      }
      buffer.fill(0);
    });
    assertEquals(body.length, 3 * length);
    for (const [i, letter] of [..."abc"].entries()) {
      const part = body.subarray(i * length, (i + 1) * length);
      assert(
        part.every((byte) => byte === letter.charCodeAt(0)),
        `write ${i} was changed by what followed`,
      );
    }
  });
}

Deno.test("write() of a small view sends the view alone", async () => {
  const { text } = await answerTo((response) => {
    const bytes = new TextEncoder().encode("0123456789");
    response.write(bytes.subarray(2, 5));
  });
  assertEquals(text, "234");
});

const MEGABYTE = 1024 * 1024;

for (
  const [name, service] of [
    [
      "in one write",
      (response) => void response.write(new Uint8Array(MEGABYTE).fill(97)),
    ],
    ["in one string", (response) => void response.write("a".repeat(MEGABYTE))],
    ["in many small writes", (response) => {
      for (let i = 0; i < MEGABYTE / 64; i++) response.write("a".repeat(64));
    }],
    ["in one write of an async service", async (response) => {
      await Promise.resolve();
      response.write(new Uint8Array(MEGABYTE).fill(97));
    }],
    ["by an array of lines", (response) => {
      response.writeLines(new Array(1024).fill("a".repeat(1024)));
    }],
  ] satisfies [string, (response: ServiceResponse) => void | Promise<void>][]
) {
  Deno.test(`1 MB ${name} is whole and has its Content-Length`, async () => {
    const { body, headers } = await answerTo(service);
    assertEquals(headers["content-length"], String(MEGABYTE));
    assertEquals(body.length, MEGABYTE);
    assert(body.every((byte) => byte === 97));
  });
}

Deno.test("write() awaited sends a long body as it goes", async () => {
  const { body, headers } = await answerTo(async (response) => {
    for (let i = 0; i < 64; i++) {
      await response.write(new Uint8Array(16 * 1024).fill(i));
    }
  });
  assertEquals(body.length, MEGABYTE);
  assert(body.every((byte, at) => byte === at >> 14));
  assertEquals(headers["content-length"], undefined);
});

Deno.test("write() awaited holds a fast writer back when nobody reads", async () => {
  let written = 0;
  await using running = new Running(async (request, response) => {
    try {
      for (;;) {
        await response.write(new Uint8Array(64 * 1024));
        written += 64 * 1024;
      }
    } catch {
      assert(request.signal.aborted);
    }
  }, { unix: true });
  {
    using peer = await running.connect();
    await peer.send(request());
    await peer.until(({ type }) => type === STDOUT);
    await running.goOn(20);
    const before = written;
    await running.goOn(20);
    assertEquals(written, before);
  }
  assertLess(written, 16 * MEGABYTE);
});

Deno.test("writeLines() takes arrays, iterables and async iterables", async () => {
  const lines = ["a", new Uint8Array([98]), "é"];
  function* sync() {
    yield* lines;
  }
  async function* async() {
    yield* lines;
  }
  for (
    const make of [
      () => lines,
      () => new Set(lines),
      sync,
      async,
      () => ReadableStream.from(lines),
    ]
  ) {
    const { text } = await answerTo((response) => response.writeLines(make()));
    assertEquals(text, "abé");
  }
  const { text } = await answerTo((response) => response.writeLines([]));
  assertEquals(text, "");
});

Deno.test("writeLines() writes an array whole without being awaited", async () => {
  const { text, headers } = await answerTo((response) => {
    response.writeLines(["a", "b"]);
    response.write("c");
  });
  assertEquals([text, headers["content-length"]], ["abc", "3"]);
});

Deno.test("writeLines() fails with what the iterable throws, and ends it when aborted", async () => {
  const { status } = await answerTo(async (response) => {
    await assertRejects(
      () =>
        response.writeLines((function* () {
          yield "one";
          throw new RangeError("no more");
        })()),
      RangeError,
      "no more",
    );
  });
  assertEquals(status, 200);

  const ended = gate();
  await using running = new Running((_, response) =>
    response.writeLines((async function* () {
      try {
        for (;;) yield "x".repeat(10_000);
      } finally {
        ended.resolve();
      }
    })())
  );
  {
    using peer = await running.connect();
    await peer.send(request());
    await peer.until(({ type }) => type === STDOUT);
  }
  await within(ended.promise, "the iterable to be ended");
  assertEquals(running.logged, []);
});

Deno.test("writable is the same output as a stream", async () => {
  const body = randomBytes(seeded(3), 300_000);
  const { body: got } = await answerTo(async (response) => {
    await new Blob([body]).stream().pipeTo(response.writable);
    response.write("after");
  });
  assertEquals(got.subarray(0, -5), body);
  assertEquals(new TextDecoder().decode(got.subarray(-5)), "after");
});

Deno.test("writable can be got and closed again and again", async () => {
  const { text } = await answerTo(async (response) => {
    for (const word of ["one ", "two ", "three"]) {
      const stream = new Blob([word]).stream();
      await stream.pipeTo(response.writable);
    }
  });
  assertEquals(text, "one two three");
});

Deno.test("writable aborted breaks the response off", async () => {
  await using running = new Running(async (_, response) => {
    const writer = response.writable.getWriter();
    await writer.write(new Uint8Array(10));
    await response.flush();
    await writer.abort(new Error("no more"));
  });
  using peer = await running.connect();
  await peer.send(request());
  const records = await peer.toEnd();
  assertEquals(records.filter(({ type }) => type === END), []);
});

Deno.test("begin() sends nothing by itself, and keeps the Content-Length", async () => {
  const { text, headers } = await answerTo((response) => {
    assertEquals(response.hasBegun, false);
    response.begin();
    assertEquals(response.hasBegun, true);
    response.write("body");
  });
  assertEquals([text, headers["content-length"]], ["body", "4"]);
});

Deno.test("flush() sends what was written before the service returns", async () => {
  const leave = gate();
  await using running = new Running(async (_, response) => {
    response.headers.set("x-a", "1");
    await response.flush();
    response.write("first");
    await response.flush();
    await leave.promise;
    response.write("last");
  });
  using peer = await running.connect();
  await peer.send(request());
  await peer.until(({ content }) =>
    new TextDecoder().decode(content).includes("first")
  );
  assertEquals(textOf(peer.records), "first");
  leave.resolve();
  const { text, headers } = await peer.answer();
  assertEquals(text, "firstlast");
  assertEquals([headers["x-a"], headers["content-length"]], ["1", undefined]);
});

Deno.test("flush() in a sync service, not awaited, loses nothing", async () => {
  const { text } = await answerTo((response) => {
    response.write("a");
    response.flush();
    response.write("b");
  });
  assertEquals(text, "ab");
});

for (
  const type of [
    "text/event-stream",
    "text/event-stream; charset=utf-8",
    "Text/Event-Stream;x=y",
  ]
) {
  Deno.test(`${type} is sent per chunk`, async () => {
    const leave = gate();
    await using running = new Running(async (_, response) => {
      response.headers.set("content-type", type);
      response.write("data: 1\n\n");
      await leave.promise;
      response.write("data: 2\n\n");
    });
    using peer = await running.connect();
    await peer.send(request());
    await peer.until(({ content }) =>
      new TextDecoder().decode(content).includes("data: 1")
    );
    assertEquals(textOf(peer.records), "data: 1\n\n");
    leave.resolve();
    const { text, headers } = await peer.answer();
    assertEquals(text, "data: 1\n\ndata: 2\n\n");
    assertEquals(headers["x-accel-buffering"], "no");
  });
}

Deno.test("text/event-stream leaves an X-Accel-Buffering of the application alone", async () => {
  const { headers } = await answerTo((response) => {
    response.headers.set("content-type", "text/event-stream");
    response.headers.set("x-accel-buffering", "yes");
  });
  assertEquals(headers["x-accel-buffering"], "yes");
  const other = await answerTo((response) => {
    response.headers.set("content-type", "text/event-stream-not");
  });
  assertEquals(other.headers["x-accel-buffering"], undefined);
});

Deno.test("json() writes a value with its Content-Type, or another that was set", async () => {
  const plain = await answerTo((response) => {
    response.json({ a: ["é", 1, null] });
  });
  assertEquals([plain.text, plain.headers["content-type"]], [
    '{"a":["é",1,null]}',
    "application/json",
  ]);
  const problem = await answerTo((response) => {
    response.headers.set("content-type", "application/problem+json");
    response.json("x");
  });
  assertEquals(problem.headers["content-type"], "application/problem+json");
});

Deno.test("json() after the begin writes, and leaves the Content-Type", async () => {
  for (const type of ["text/html; charset=utf-8", "application/x-ndjson"]) {
    const { text, headers } = await answerTo((response) => {
      response.headers.set("content-type", type);
      response.json(1);
      response.write("\n");
      response.json(2);
    });
    assertEquals(text, "1\n2");
    if (type.includes("ndjson")) assertEquals(headers["content-type"], type);
  }
});

Deno.test("json() refuses what has no JSON, before anything is written", async () => {
  const { text, headers } = await answerTo((response) => {
    const circle: Record<string, unknown> = {};
    circle.circle = circle;
    for (const bad of [undefined, () => {}, Symbol(), 1n, circle]) {
      assertThrows(() => response.json(bad), TypeError);
    }
    assertEquals(response.hasBegun, false);
    response.write("x");
  });
  assertEquals([text, headers["content-type"]], [
    "x",
    "text/html; charset=utf-8",
  ]);
});
