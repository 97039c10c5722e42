// Streams as bodies of Responses: when they leave, how fast they are read, and
// how they end.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  bothWays,
  someBytes,
  steps,
  texts,
  untilText,
} from "../support/fetch.ts";
import { within } from "../support/peer.ts";
import { seeded, whole } from "../support/random.ts";
import type { Peer } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { ABORT, END, record, request, STDOUT } from "../support/wire.ts";

const MIB = 1 << 20;
const bytes = (text: string) => new TextEncoder().encode(text);

for (const type of ["text/plain", "text/event-stream", "application/x"]) {
  bothWays(`a stream of ${type} leaves chunk by chunk`, async (way) => {
    const { stream, say, cancelled } = steps(3);
    await using running = way.run(() =>
      new Response(stream, { headers: { "content-type": type } })
    );
    using peer = await running.connect();
    await peer.send(request());
    // The header too leaves by itself.
    await untilText(peer, "Status: 200 OK\r\n\r\n");
    for (const [i, text] of ["one;", "two;", "three;"].entries()) {
      say(i, text);
      await untilText(peer, text);
    }
    assertEquals((await peer.answer()).text, "one;two;three;");
    assertEquals(cancelled, []);
  });
}

bothWays("the chunks of one turn leave in one write", async (way) => {
  for (
    const [make, length] of [
      [() => texts("a", "b", "c"), 3],
      [() =>
        new ReadableStream({
          start(controller) {
            for (let i = 0; i < 100; i++) controller.enqueue(bytes("a"));
            controller.close();
          },
        }), 100],
      [() =>
        texts("ab", "cd").pipeThrough(new TransformStream()).pipeThrough(
          new TransformStream(),
        ), 4],
    ] as [() => ReadableStream, number][]
  ) {
    await using running = way.run(() => new Response(make()), {
      watched: true,
    });
    using peer = await running.connect();
    const { headers, body } = await peer.ask(request());
    assertEquals(body.length, length);
    assertEquals(headers["content-length"], `${length}`);
    assertEquals(running.writes.length, 1);
  }
});

bothWays("server-sent events ask nginx not to hold them", async (way) => {
  for (
    const [type, asks] of [
      ["text/event-stream", "no"],
      ["Text/Event-Stream; charset=utf-8", "no"],
      ["text/event-streams", undefined],
      ["text/plain", undefined],
    ] as const
  ) {
    const { headers } = await way.ask(() =>
      new Response(texts("data: 1\n\n"), { headers: { "content-type": type } })
    );
    assertEquals(headers["x-accel-buffering"], asks);
  }
  const { headers } = await way.ask(() =>
    new Response(texts("data: 1\n\n"), {
      headers: {
        "content-type": "text/event-stream",
        "X-Accel-Buffering": "yes",
      },
    })
  );
  assertEquals(headers["x-accel-buffering"], "yes");
});

bothWays("a stream is read no faster than the client takes it", async (way) => {
  const total = 64 * MIB;
  const chunk = someBytes(64 * 1024);
  let pulled = 0;
  await using running = way.run(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          if (pulled === total) return controller.close();
          controller.enqueue(chunk);
          pulled += chunk.length;
        },
      }),
    )
  );
  using peer = await running.connect();
  await peer.send(request());
  await peer.until(({ type }) => type === STDOUT);
  for (let last = -1; last !== pulled;) {
    last = pulled;
    await running.goOn();
  }
  assert(pulled < total / 2, `${pulled} bytes were read`);
  const { body } = await peer.answer();
  assertEquals(body.length, total);
  for (let at = 0; at < total; at += 17 * MIB) {
    assertEquals(body[at], chunk[at % chunk.length]);
  }
});

bothWays("a large stream of small chunks arrives whole", async (way) => {
  const sent = someBytes(2 * MIB);
  const { body } = await way.ask(() => {
    let at = 0;
    return new Response(
      new ReadableStream({
        pull(controller) {
          if (at >= sent.length) return controller.close();
          controller.enqueue(sent.subarray(at, at += 997));
        },
      }),
    );
  });
  assertEquals(body, sent);
});

bothWays(
  "streams of chunks of all lengths arrive whole, however slowly they are read",
  async (way) => {
    const sent = someBytes(3 * MIB);
    await using running = way.run(({ url }) => {
      // The same chunks each time, and made in one buffer, as by who reads a
      // file: a chunk is no more than read when the next is asked for.
      const random = seeded(Number(new URL(url).pathname.slice(1)));
      const buffer = new Uint8Array(200_000);
      let at = 0;
      return new Response(
        new ReadableStream({
          pull(controller) {
            if (at === sent.length) return controller.close();
            const length = whole(random, 1, 10 ** whole(random, 1, 5));
            const end = Math.min(sent.length, at + length);
            buffer.set(sent.subarray(at, end));
            controller.enqueue(buffer.subarray(0, end - at));
            at = end;
          },
        }, { highWaterMark: 0 }),
      );
    }, { unix: true });
    using peer = await running.connect();
    const ids = [1, 2, 3, 4];
    for (const id of ids) {
      await peer.send(request({ id, params: { REQUEST_URI: `/${id}` } }));
    }
    while (peer.records.filter(({ type }) => type === END).length < 4) {
      await running.goOn(1);
      assert(await peer.read());
    }
    for (const id of ids) assertEquals((await peer.answer(id)).body, sent);
  },
);

const GONE: [how: string, leave: (peer: Peer) => Promise<void>][] = [
  ["FCGI_ABORT_REQUEST", (peer) => peer.send(record(ABORT, 1))],
  ["a lost connection", (peer) => Promise.resolve(peer.close())],
];

for (const [how, leave] of GONE) {
  bothWays(`a stream that waits is cancelled once on ${how}`, async (way) => {
    const { stream, say, cancelled } = steps(3);
    await using running = way.run(
      () => new Response(stream),
      { unix: true },
    );
    using peer = await running.connect();
    await peer.send(request());
    say(0, "one;");
    await untilText(peer, "one;");
    await leave(peer);
    await running.goOn();
    assertEquals(cancelled.length, 1);
    assert(
      ["AbortedError", "ClosedError"].includes((cancelled[0] as Error).name),
    );
    say(1, "two;");
    await running.goOn();
    assertEquals(cancelled.length, 1);
    assertEquals(running.logged, []);
  });

  bothWays(
    `a stream that is held back is cancelled once on ${how}`,
    async (way) => {
      const chunk = new Uint8Array(MIB);
      const cancelled: unknown[] = [];
      let pulled = 0;
      await using running = way.run(() =>
        new Response(
          new ReadableStream({
            pull(controller) {
              pulled++;
              controller.enqueue(chunk);
            },
            cancel(reason) {
              cancelled.push(reason);
            },
          }, { highWaterMark: 0 }),
        ), { unix: true });
      using peer = await running.connect();
      await peer.send(request());
      await peer.until(({ type }) => type === STDOUT);
      for (let last = -1; last !== pulled;) {
        last = pulled;
        await running.goOn();
      }
      await leave(peer);
      await running.goOn();
      assertEquals(cancelled.length, 1);
      assertEquals(running.logged, []);
    },
  );
}

bothWays("a stream that ends by itself is not cancelled", async (way) => {
  const { stream, say, cancelled } = steps(1);
  await using running = way.run(() => new Response(stream));
  using peer = await running.connect();
  await peer.send(request());
  say(0, "one");
  assertEquals((await peer.answer()).text, "one");
  peer.close();
  await running.goOn();
  assertEquals(cancelled, []);
});

bothWays("a stream that comes too late is cancelled", async (way) => {
  const { stream, cancelled } = steps(1);
  const began = gate();
  const mayAnswer = gate();
  await using running = way.run(async () => {
    began.resolve();
    await mayAnswer.promise;
    return new Response(stream);
  });
  using peer = await running.connect();
  await peer.send(request());
  await within(began.promise, "the handler");
  await peer.send(record(ABORT, 1));
  await peer.until(({ type }) => type === END);
  mayAnswer.resolve();
  await running.goOn();
  assertEquals(cancelled.length, 1);
  assertEquals(running.logged, []);
});

bothWays("a stream is cancelled for HEAD", async (way) => {
  const { stream, cancelled } = steps(1);
  const { status, body } = await way.ask(() => new Response(stream), {
    params: { REQUEST_METHOD: "HEAD" },
  });
  assertEquals([status, body.length, cancelled.length], [200, 0, 1]);
  const failing = await way.ask(() =>
    new Response(
      new ReadableStream({
        cancel() {
          throw new Error("deliberate");
        },
      }),
    ), { params: { REQUEST_METHOD: "HEAD" } });
  assertEquals([failing.status, failing.appStatus], [200, 0]);
  assertStringIncludes(`${failing.logged}`, "Error: deliberate");
  const never = new Promise<void>(() => {});
  const waiting = await way.ask(
    () => new Response(new ReadableStream({ cancel: () => never })),
    { params: { REQUEST_METHOD: "HEAD" } },
  );
  assertEquals(waiting.status, 200);
});

bothWays("a cancel() that fails is logged, and no more", async (way) => {
  await using running = way.run(({ url }) =>
    new Response(
      url.endsWith("/next") ? "next" : new ReadableStream({
        start: (controller) => controller.enqueue(bytes("one")),
        cancel() {
          throw new Error("deliberate");
        },
      }),
    )
  );
  using peer = await running.connect();
  await peer.send(request());
  await untilText(peer, "one");
  await peer.send(record(ABORT, 1));
  await running.goOn();
  assertStringIncludes(`${running.logged}`, "Error: deliberate");
  const next = request({ id: 2, params: { REQUEST_URI: "/next" } });
  assertEquals((await peer.ask(next, 2)).text, "next");
});

bothWays("many streams at once on one connection keep apart", async (way) => {
  await using running = way.run(({ url }) => {
    const { pathname } = new URL(url);
    let left = 50;
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, left % 3));
          if (left-- === 0) controller.close();
          else controller.enqueue(bytes(`${pathname};`));
        },
      }),
    );
  });
  using peer = await running.connect();
  for (let id = 1; id <= 10; id++) {
    await peer.send(request({ id, params: { REQUEST_URI: `/${id}` } }));
  }
  for (let id = 1; id <= 10; id++) {
    assertEquals((await peer.answer(id)).text, `/${id};`.repeat(50));
  }
});

bothWays(
  "a stream without an end lets others of its connection through, however many",
  async (way) => {
    const chunk = new Uint8Array(20_000);
    await using running = way.run(({ url }) =>
      new Response(
        url.endsWith("/stream")
          ? new ReadableStream({ pull: (to) => to.enqueue(chunk) })
          : "x".repeat(9_000),
      ), { unix: true });
    using peer = await running.connect();
    await peer.send(request({ params: { REQUEST_URI: "/stream" } }));
    const ids = Array.from({ length: 100 }, (_, i) => i + 2);
    let answered = 0;
    for (let reads = 0; answered < 1_000; reads++) {
      for (const id of ids.splice(0)) await peer.send(request({ id }));
      await peer.read();
      for (const { type, id } of peer.take()) if (type === END) ids.push(id);
      answered += ids.length;
      assert(reads < 2_000, `only ${answered} were answered`);
    }
  },
);
