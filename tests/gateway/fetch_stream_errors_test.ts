// Streams as bodies of Responses that do not end as they should.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
} from "@std/assert";
import { ClosedError } from "../../src/errors.ts";
import { within } from "../support/peer.ts";
import { bothWays, steps, texts, untilText } from "../support/fetch.ts";
import { gate } from "../support/running.ts";
import { answer, END, request, STDERR } from "../support/wire.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A stream that fails once its first chunk has left. */
function failing(error: unknown) {
  const mayFail = gate();
  let isFirst = true;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      if (isFirst) controller.enqueue(bytes("first;"));
      else {
        await mayFail.promise;
        controller.error(error);
      }
      isFirst = false;
    },
  });
  return { stream, fail: () => mayFail.resolve() };
}

bothWays(
  "a stream that fails midway is not passed off as whole",
  async (way) => {
    const { stream, fail } = failing(new Error("deliberate"));
    await using running = way.run(() => new Response(stream));
    using peer = await running.connect();
    await peer.send(request());
    await untilText(peer, "first;");
    fail();
    const records = await peer.toEnd();
    assertEquals(answer(records).text, "first;");
    assertEquals(records.filter(({ type }) => type === END), []);
    const stderr = records.filter(({ type }) => type === STDERR)
      .map(({ content }) => new TextDecoder().decode(content)).join("");
    assertStringIncludes(stderr + running.logged, "Error: deliberate");
  },
);

bothWays(
  "a stream that fails midway leaves others of its connection alone",
  async (way) => {
    const { stream, fail } = failing(new Error("deliberate"));
    const other = steps(1);
    await using running = way.run(({ url }) =>
      new Response(url.endsWith("/other") ? other.stream : stream)
    );
    using peer = await running.connect();
    await peer.send(
      request(),
      request({ id: 2, params: { REQUEST_URI: "/other" } }),
    );
    await untilText(peer, "first;");
    fail();
    const broken = await peer.answer(1);
    assert(broken.appStatus !== 0);
    other.say(0, "whole");
    const whole = await peer.answer(2);
    assertEquals([whole.text, whole.appStatus], ["whole", 0]);
  },
);

bothWays(
  "a stream that fails before anything has left is a 500",
  async (way) => {
    for (
      const make of [
        () =>
          new ReadableStream({
            start: (controller) => controller.error(new Error("deliberate")),
          }),
        () =>
          new ReadableStream({
            pull() {
              throw new Error("deliberate");
            },
          }),
        () => {
          let isFirst = true;
          return new ReadableStream({
            pull(controller) {
              if (isFirst) controller.enqueue(bytes("first"));
              else controller.error(new Error("deliberate"));
              isFirst = false;
            },
          });
        },
      ]
    ) {
      const { status, text, stderr } = await way.ask(() =>
        new Response(make())
      );
      assertEquals(status, 500);
      assert(!text.includes("first"), text);
      assertStringIncludes(stderr, "Error: deliberate");
    }
  },
);

for (
  const [what, chunk] of [
    ["a string", "text"],
    ["a number", 1],
    ["an ArrayBuffer", new ArrayBuffer(4)],
    ["undefined", undefined],
    ["a DataView", new DataView(new ArrayBuffer(4))],
  ] as const
) {
  bothWays(
    `a chunk that is ${what} is an error, and ends the stream`,
    async (way) => {
      const cancelled: unknown[] = [];
      const { status, stderr } = await way.ask(() =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(chunk as never),
            cancel: (reason) => cancelled.push(reason) as unknown as void,
          }),
        )
      );
      assertEquals(status, 500);
      assertStringIncludes(stderr, "a body is a stream of Uint8Array");
      assertEquals(cancelled.length, 1);
    },
  );
}

bothWays(
  "a stream shorter than its Content-Length, of which nothing has left, is answered with 500",
  async (way) => {
    await using running = way.run(() =>
      new Response(texts("abc"), { headers: { "content-length": "5" } })
    );
    using peer = await running.connect();
    const { status, appStatus, text } = await peer.ask(request());
    assertEquals([status, appStatus, text.includes("abc")], [500, 1, false]);
    assertEquals(await peer.toEnd(), []);
    assertStringIncludes(running.logged.join(), "shorter than its Content");
  },
);

bothWays(
  "a stream shorter than its Content-Length, of which some has left, has no end",
  async (way) => {
    const { stream, say } = steps(2);
    await using running = way.run(() =>
      new Response(stream, { headers: { "content-length": "15" } })
    );
    using peer = await running.connect();
    await peer.send(request());
    say(0, "first;");
    await untilText(peer, "first;");
    say(1, "second;");
    const records = await peer.toEnd();
    assertEquals(answer(records).text.startsWith("first;"), true);
    assertEquals(records.filter(({ type }) => type === END), []);
    assertStringIncludes(running.logged.join(), "shorter than its Content");
  },
);

bothWays("a stream longer than its Content-Length is cut off", async (way) => {
  const { text, logged } = await way.ask(() =>
    new Response(texts("abc", "def"), { headers: { "content-length": "4" } })
  );
  assertEquals(text, "abcd");
  assertStringIncludes(`${logged}`, "2 bytes longer");
});

bothWays("a stream is cancelled whose header cannot be sent", async (way) => {
  const { stream, cancelled } = steps(1);
  const { status } = await way.ask(() =>
    new Response(stream, { headers: { "x-long": "x".repeat(70_000) } })
  );
  assertEquals(status, 500);
  assertEquals(cancelled.map((reason) => (reason as Error).name), [
    "RangeError",
  ]);
});

bothWays(
  "a stream that goes on after its Content-Length is cancelled once, and logged",
  async (way) => {
    const cancelled: unknown[] = [];
    const { text, logged } = await way.ask(() =>
      new Response(
        new ReadableStream({
          pull: (to) => to.enqueue(new TextEncoder().encode("abc")),
          cancel: (reason) => void cancelled.push(reason),
        }),
        { headers: { "content-length": "6" } },
      )
    );
    assertEquals(text, "abcabc");
    assertEquals(cancelled.map((reason) => (reason as Error).message), [
      "The body is longer than its Content-Length",
    ]);
    assertEquals(logged.length, 1);
  },
);

bothWays(
  "a client that has only closed its writing side gets its answer",
  async (way) => {
    const { stream, say, cancelled } = steps(2);
    const signalled = gate();
    await using running = way.run(({ signal }) => {
      signal.addEventListener("abort", () => signalled.resolve());
      return new Response(stream);
    });
    using peer = await running.connect();
    await peer.send(request());
    say(0, "one;");
    await untilText(peer, "one;");
    await peer.conn.closeWrite();
    // After a second without a sign of life the signal says that it may be gone.
    await within(signalled.promise, "the signal");
    say(1, "two;");
    assertEquals((await peer.answer()).text, "one;two;");
    assertEquals(cancelled, []);
  },
);

bothWays(
  "a stream whose client goes step by step is cancelled at the end",
  async (way) => {
    const { stream, say, cancelled } = steps(20);
    const signalled = gate();
    await using running = way.run(({ signal }) => {
      signal.addEventListener("abort", () => signalled.resolve());
      return new Response(stream);
    });
    using peer = await running.connect();
    await peer.send(request());
    say(0, "one;");
    await untilText(peer, "one;");
    await peer.conn.closeWrite();
    await within(signalled.promise, "the signal");
    assertEquals(cancelled, []);
    peer.close();
    // Over TCP nothing but sending tells.
    say(1, "two;");
    await running.goOn();
    say(2, "three;");
    await running.goOn();
    assertEquals(cancelled.length, 1);
    assertInstanceOf(cancelled[0], ClosedError);
  },
);

bothWays(
  "server-sent events, which have no end, end when the client may be gone",
  async (way) => {
    const { stream, say, cancelled } = steps(2);
    const completed = gate<unknown>();
    await using running = way.run((_, info) => {
      info.completed.then(completed.resolve, completed.resolve);
      return new Response(stream, {
        headers: { "content-type": "text/event-stream" },
      });
    });
    using peer = await running.connect();
    await peer.send(request());
    say(0, "data: 1\n\n");
    await untilText(peer, "data: 1");
    await peer.conn.closeWrite();
    await peer.toEnd();
    assertEquals(cancelled.length, 1);
    assertInstanceOf(await within(completed.promise, "completed"), ClosedError);
  },
);
