// The signal of a Request, and what else tells how it ended.

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { AbortedError, ClosedError, LimitError } from "../../src/errors.ts";
import type { ServeHandlerInfo } from "../../src/gateway/serve_info.ts";
import { bothWays, texts } from "../support/fetch.ts";
import { within } from "../support/peer.ts";
import type { Peer } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import type { Running, RunningOptions } from "../support/running.ts";
import { ABORT, record, request } from "../support/wire.ts";

/** How a request is given up, and with what error. */
const ENDS: [
  how: string,
  end: (peer: Peer, running: Running) => Promise<unknown>,
  error: new (...args: never[]) => Error,
  options?: RunningOptions,
][] = [
  [
    "FCGI_ABORT_REQUEST",
    (peer) => peer.send(record(ABORT, 1)),
    AbortedError,
  ],
  [
    "a lost connection",
    (peer) => Promise.resolve(peer.close()),
    ClosedError,
    { unix: true },
  ],
  ["a forced stop", (_, running) => running.server.abort(), AbortedError],
  [
    "requestTimeoutMs",
    () => Promise.resolve(),
    LimitError,
    { requestTimeoutMs: 50 },
  ],
];

for (const [how, end, error, options] of ENDS) {
  bothWays(`the signal fires on ${how}`, async (way) => {
    const began = gate();
    const fired = gate<unknown[]>();
    const completed = gate<unknown>();
    await using running = way.run((request, info) => {
      const { signal } = request;
      const copy = request.clone().signal;
      const other = new Request(request).signal;
      info.completed.then(completed.resolve, completed.resolve);
      began.resolve();
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          fired.resolve([
            signal.aborted,
            copy.aborted,
            other.aborted,
            signal.reason instanceof DOMException,
            signal.reason.name,
            request.signal === signal,
          ]);
          reject(signal.reason);
        });
      });
    }, options);
    using peer = await running.connect();
    await peer.send(request());
    await within(began.promise, "the handler");
    const ending = end(peer, running);
    assertEquals(
      await within(fired.promise, "the signal"),
      [true, true, true, true, "AbortError", true],
    );
    assertInstanceOf(await within(completed.promise, "completed"), error);
    await ending;
  });
}

bothWays("a signal that is first asked for too late has fired", async (way) => {
  const began = gate();
  const seen = gate<unknown[]>();
  await using running = way.run(async (request, { completed }) => {
    began.resolve();
    await completed.catch(() => {});
    seen.resolve([request.signal.aborted, request.clone().signal.aborted]);
    return new Response();
  });
  using peer = await running.connect();
  await peer.send(request());
  await within(began.promise, "the handler");
  await peer.send(record(ABORT, 1));
  assertEquals(await within(seen.promise, "the signal"), [true, true]);
});

bothWays("the signal never fires after success", async (way) => {
  const signals: AbortSignal[] = [];
  let fired = 0;
  {
    await using running = way.run((request) => {
      signals.push(request.signal);
      request.signal.addEventListener("abort", () => fired++);
      return new Response("done");
    });
    using peer = await running.connect();
    for (let id = 1; id <= 3; id++) await peer.ask(request({ id }), id);
    await peer.send(record(ABORT, 3));
    await running.goOn();
  }
  assertEquals(signals.map(({ aborted }) => aborted), [false, false, false]);
  assertEquals(fired, 0);
});

bothWays("a fetch() with the signal ends with the request", async (way) => {
  const asked = gate();
  const gone = gate();
  await using upstream = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => {
      asked.resolve();
      return new Response(
        new ReadableStream({
          cancel: () => gone.resolve(),
        }),
      );
    },
  );
  const { port } = upstream.addr;
  await using running = way.run(({ signal }) =>
    fetch(`http://127.0.0.1:${port}/`, { signal })
  );
  using peer = await running.connect();
  await peer.send(request());
  await within(asked.promise, "the request upstream");
  await peer.send(record(ABORT, 1));
  await within(gone.promise, "the request upstream to be given up");
});

/** What `completed` does. */
async function settled({ completed }: ServeHandlerInfo): Promise<string> {
  try {
    await completed;
    return "sent";
  } catch (error) {
    return `${error}`;
  }
}

bothWays("info.completed settles when the response was sent", async (way) => {
  const seen: Promise<string>[] = [];
  await using running = way.run((request, info) => {
    seen.push(settled(info));
    if (request.url.endsWith("late")) {
      return new Promise((resolve) => setTimeout(resolve, 5, new Response()));
    }
    return new Response(
      request.url.endsWith("stream")
        ? ReadableStream.from([new Uint8Array(3)])
        : "text",
    );
  });
  using peer = await running.connect();
  for (const REQUEST_URI of ["/", "/stream", "/late"]) {
    await peer.ask(request({ params: { REQUEST_URI } }));
  }
  assertEquals(await Promise.all(seen), ["sent", "sent", "sent"]);
});

bothWays("info.completed fails where the response breaks off", async (way) => {
  const seen = gate<string>();
  await using running = way.run((_, info) => {
    settled(info).then(seen.resolve);
    let pulled = 0;
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          if (pulled++ === 0) controller.enqueue(new Uint8Array(3));
          else controller.error(new Error("deliberate"));
        },
      }),
    );
  });
  using peer = await running.connect();
  await peer.send(request());
  assertEquals(
    await within(seen.promise, "completed to settle"),
    "Error: deliberate",
  );
  await peer.toEnd();
});

bothWays(
  "info.completed fails where the response is too short",
  async (way) => {
    for (const body of ["abc", texts("a", "bc")]) {
      const seen = gate<string>();
      await using running = way.run((_, info) => {
        settled(info).then(seen.resolve);
        return new Response(body, { headers: { "content-length": "10" } });
      });
      using peer = await running.connect();
      await peer.send(request());
      await peer.toEnd();
      assertEquals(
        await within(seen.promise, "completed to settle"),
        "AbortedError: The response broke off",
      );
    }
  },
);

bothWays("info.completed need not be waited for", async (way) => {
  const began = gate();
  let unhandled = 0;
  const count = (event: Event) => {
    event.preventDefault();
    unhandled++;
  };
  addEventListener("unhandledrejection", count);
  try {
    await using running = way.run(async (request, { completed }) => {
      void completed;
      began.resolve();
      await new Promise((resolve) =>
        request.signal.addEventListener("abort", resolve)
      );
      return new Response();
    });
    using peer = await running.connect();
    await peer.send(request());
    await within(began.promise, "the handler");
    await peer.send(record(ABORT, 1));
    await running.goOn();
  } finally {
    removeEventListener("unhandledrejection", count);
  }
  assertEquals(unhandled, 0);
});

bothWays(
  "a handler that fails after the client has gone is heard of",
  async (way) => {
    const began = gate();
    await using running = way.run(async (request) => {
      began.resolve();
      await new Promise((resolve) =>
        request.signal.addEventListener("abort", resolve)
      );
      throw new Error("a fault of its own");
    });
    using peer = await running.connect();
    await peer.send(request());
    await within(began.promise, "the handler");
    await peer.send(record(ABORT, 1));
    await running.goOn();
    assert(
      running.logged.some((line) => line.includes("a fault of its own")),
      `${running.logged}`,
    );
  },
);

bothWays("a handler that fails by its signal is no news", async (way) => {
  const began = gate();
  await using running = way.run((request) => {
    began.resolve();
    return new Promise((_, reject) => {
      const { signal } = request;
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  });
  using peer = await running.connect();
  await peer.send(request());
  await within(began.promise, "the handler");
  await peer.send(record(ABORT, 1));
  await running.goOn();
  assertEquals(running.logged, []);
});
