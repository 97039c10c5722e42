import { assert, assertEquals } from "@std/assert";
import { Gateway } from "../../src/gateway/gateway.ts";
import type { WsgiBody } from "../../src/gateway/wsgi_types.ts";
import type { Peer } from "../support/peer.ts";
import { within } from "../support/peer.ts";
import { gate, Running } from "../support/running.ts";
import { ABORT, END, record, request } from "../support/wire.ts";
import { answering, askWsgi } from "../support/wsgi.ts";

/** What was done to a body, in order. */
class Watched {
  readonly done: string[] = [];
  readonly closed = gate();

  #note(what: string): void {
    this.done.push(what);
    if (what !== "next") this.closed.resolve();
  }

  /** Chunks by an iterator with `return()`. */
  iterator(chunks: unknown[], isAsync: boolean): Iterator<unknown> {
    const rest = [...chunks];
    const settle = (value: unknown) =>
      (isAsync ? Promise.resolve(value) : value) as IteratorResult<unknown>;
    return {
      next: () => {
        this.#note("next");
        if (rest.length === 0) return settle({ done: true, value: undefined });
        const value = rest.shift();
        if (value instanceof Error) {
          if (!isAsync) throw value;
          return Promise.reject(value) as never;
        }
        return settle({ done: false, value });
      },
      return: () => {
        this.#note("return");
        return settle({ done: true, value: undefined });
      },
    };
  }

  /** A body by its kind. */
  body(kind: string, chunks: unknown[]): WsgiBody {
    const close = () => this.#note("close");
    const symbol = kind.includes("async")
      ? Symbol.asyncIterator
      : Symbol.iterator;
    const iterator = this.iterator(chunks, kind.includes("async"));
    if (kind.includes("array")) {
      return Object.assign([...chunks], { close }) as WsgiBody;
    }
    const body = kind.includes("own")
      ? { [symbol]: () => iterator }
      : Object.assign(iterator, { [symbol]: () => iterator });
    return (kind.includes("close") ? Object.assign(body, { close }) : body) as
      & WsgiBody
      & object;
  }

  /** How often it was closed, in each way. */
  get closings(): string {
    return this.done.filter((what) => what !== "next").join(" ");
  }
}

/** Reads to the end of a response, whole or broken off. */
async function toItsEnd(peer: Peer): Promise<void> {
  const isEnded = () => peer.records.some(({ type }) => type === END);
  while (!isEnded() && await peer.read());
}

/** [kind, closed after its end, closed before it] */
const KINDS: [string, string, string][] = [
  ["array", "close", "close"],
  ["iterator", "return", "return"],
  ["async iterator", "return", "return"],
  ["iterator with close", "close", "close"],
  ["async iterator with close", "close", "close"],
  ["iterable with its own iterator", "return", "return"],
  // A loop that is left returns its iterator; PEP 3333 closes the iterable.
  ["iterable with close and its own iterator", "close", "return close"],
  ["async iterable with close and its own iterator", "close", "return close"],
];

for (const [kind, atEnd, early] of KINDS) {
  const isArray = kind === "array";

  Deno.test(`an ${kind} is closed once at its end`, async () => {
    for (const chunks of [[], ["a"], ["a", "b"], [""]]) {
      const watched = new Watched();
      const { text, status } = await askWsgi(
        answering(() => watched.body(kind, chunks)),
      );
      assertEquals([text, status], [chunks.join(""), 200]);
      assertEquals(watched.closings, atEnd);
      assertEquals(
        watched.done.length,
        isArray ? 1 : chunks.length + 2,
      );
    }
  });

  Deno.test(`an ${kind} is closed once where it is to a HEAD`, async () => {
    const watched = new Watched();
    await askWsgi(answering(() => watched.body(kind, ["a", "b"])), {
      params: { REQUEST_METHOD: "HEAD" },
    });
    assertEquals(watched.closings, early);
  });

  Deno.test(`an ${kind} is closed once where nothing was started`, async () => {
    const watched = new Watched();
    const { status } = await askWsgi(() => watched.body(kind, ["a"]));
    assertEquals([status, watched.closings], [500, early]);
  });

  Deno.test(`an ${kind} is closed once after a chunk that is none`, async () => {
    for (const chunks of [[5], ["a", 5]]) {
      const watched = new Watched();
      await using running = new Running(
        new Gateway(answering(() => watched.body(kind, chunks))),
      );
      using peer = await running.connect();
      await peer.send(request());
      await toItsEnd(peer);
      assertEquals(watched.closings, early);
    }
  });

  if (isArray) continue;

  Deno.test(`an ${kind} that fails is closed once`, async () => {
    for (const before of [[], ["a"]]) {
      const watched = new Watched();
      await using running = new Running(
        new Gateway(
          answering(() => watched.body(kind, [...before, new Error("fails")])),
        ),
      );
      using peer = await running.connect();
      await peer.send(request());
      await toItsEnd(peer);
      assertEquals(watched.closings, early);
    }
  });

  Deno.test(`an ${kind} is closed once when the client goes away`, async () => {
    for (const how of ["abort", "close"]) {
      const watched = new Watched();
      await using running = new Running(
        new Gateway(
          answering(() =>
            watched.body(kind, new Array(10_000).fill("x".repeat(10_000)))
          ),
        ),
        { unix: true },
      );
      using peer = await running.connect();
      await peer.send(request());
      assert(await peer.read());
      if (how === "abort") await peer.send(record(ABORT, 1));
      else peer.close();
      await within(watched.closed.promise, "the body to be closed");
      await running.goOn(2);
      assertEquals(watched.closings, early);
    }
  });
}

Deno.test("a generator runs its finally once, however it ends", async () => {
  for (const isAsync of [false, true]) {
    for (const how of ["end", "error", "HEAD", "unstarted", "gone"]) {
      let finals = 0;
      const closed = gate();
      const begun = gate();
      const body = function* () {
        try {
          begun.resolve();
          yield "a";
          if (how === "error") throw new Error("fails");
          while (how === "gone") yield "x".repeat(1000);
        } finally {
          finals++;
          closed.resolve();
        }
      };
      const bodyLater = async function* () {
        await Promise.resolve();
        yield* body();
      };
      await using running = new Running(
        new Gateway((_, startResponse) => {
          if (how !== "unstarted") startResponse("200 OK", []);
          return isAsync ? bodyLater() : body();
        }),
        { unix: true },
      );
      using peer = await running.connect();
      await peer.send(
        request({
          params: { REQUEST_METHOD: how === "HEAD" ? "HEAD" : "GET" },
        }),
      );
      if (how === "gone") {
        assert(await peer.read());
        peer.close();
      } else await toItsEnd(peer);
      await within(closed.promise, "the finally");
      await running.goOn(2);
      assertEquals(finals, 1, how);
    }
  }
});

Deno.test("a stream is cancelled when the client goes away", async () => {
  const cancelled = gate();
  await using running = new Running(
    new Gateway(answering(() =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(1000)),
        cancel: () => cancelled.resolve(),
      })
    )),
    { unix: true },
  );
  using peer = await running.connect();
  await peer.send(request());
  assert(await peer.read());
  peer.close();
  await within(cancelled.promise, "the stream to be cancelled");
});

Deno.test("a stream that waits is cancelled when the client goes away", async () => {
  const waits = gate();
  const cancelled = gate();
  await using running = new Running(
    new Gateway(answering(() =>
      new ReadableStream<Uint8Array>({
        pull() {
          waits.resolve();
          return new Promise(() => {});
        },
        cancel: () => cancelled.resolve(),
      }, { highWaterMark: 0 })
    )),
    { unix: true },
  );
  using peer = await running.connect();
  await peer.send(request());
  await within(waits.promise, "the stream to be read");
  await peer.send(record(ABORT, 1));
  await within(cancelled.promise, "the stream to be cancelled");
  await running.goOn(2);
  assertEquals(running.logged, []);
});

Deno.test("a body that waits is closed when the client goes away", async () => {
  for (const how of ["abort", "close"]) {
    const closed = gate();
    const waits = gate();
    const never = gate<IteratorResult<string>>();
    let closings = 0;
    await using running = new Running(
      new Gateway(answering(() => ({
        [Symbol.asyncIterator]: () => ({
          next: () => {
            waits.resolve();
            return never.promise;
          },
        }),
        close: () => {
          closings++;
          closed.resolve();
        },
      }))),
      { unix: true },
    );
    using peer = await running.connect();
    await peer.send(request());
    await within(waits.promise, "the application to wait");
    if (how === "abort") await peer.send(record(ABORT, 1));
    else peer.close();
    await within(closed.promise, "the body to be closed");
    // What comes after all goes nowhere, and does no harm.
    never.resolve({ done: false, value: "late" });
    await running.goOn(2);
    assertEquals([closings, running.logged], [1, []]);
  }
});

Deno.test("a chunk that comes with the client's going harms nothing", async () => {
  const left = gate();
  let closings = 0;
  const gateway: Gateway = new Gateway(answering(() => {
    const { signal } = gateway.request;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise<IteratorResult<string>>((resolve) => {
            signal.addEventListener(
              "abort",
              () => resolve({ done: false, value: "late" }),
            );
          }),
        return: () => {
          closings++;
          left.resolve();
          return Promise.resolve({ done: true as const, value: "" });
        },
      }),
    };
  }));
  await using running = new Running(gateway);
  using peer = await running.connect();
  await peer.send(request(), record(ABORT, 1));
  await within(left.promise, "the body to be closed");
  await running.goOn(2);
  assertEquals([closings, running.logged], [1, []]);
});

Deno.test("a body that comes when the client has gone is closed unread", async () => {
  const called = gate();
  const answers = gate<WsgiBody>();
  const watched = new Watched();
  await using running = new Running(
    new Gateway(answering(() => {
      called.resolve();
      return answers.promise;
    })),
    { unix: true },
  );
  using peer = await running.connect();
  await peer.send(request());
  await within(called.promise, "the application");
  peer.close();
  await running.goOn(5);
  answers.resolve(watched.body("async iterator", ["a"]));
  await within(watched.closed.promise, "the body to be closed");
  assertEquals(watched.done, ["return"]);
});

Deno.test("a body that waits is closed when the request takes too long", async () => {
  const closed = gate();
  await using running = new Running(
    new Gateway(
      answering(() => ({
        [Symbol.asyncIterator]: () => ({ next: () => gate<never>().promise }),
        close: () => closed.resolve(),
      })),
      { requestTimeoutMs: 50 },
    ),
  );
  using peer = await running.connect();
  const { status } = await peer.ask(request());
  assertEquals(status, 504);
  await within(closed.promise, "the body to be closed");
});

Deno.test("a body that waits is closed when the server is made to stop", async () => {
  const waits = gate();
  const closed = gate();
  await using running = new Running(
    new Gateway(answering(() => ({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          waits.resolve();
          return gate<never>().promise;
        },
      }),
      close: () => closed.resolve(),
    }))),
  );
  using peer = await running.connect();
  await peer.send(request());
  await within(waits.promise, "the application to wait");
  await within(running.server.abort(), "the server to stop");
  await within(closed.promise, "the body to be closed");
});
