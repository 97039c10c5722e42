// FCGI_ABORT_REQUEST (FastCGI 1.0, section 5.4) in every phase of a request.

import { assert, assertEquals } from "@std/assert";
import { AbortedError } from "../../src/errors.ts";
import { gate, Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import {
  ABORT,
  begin,
  concatLarge,
  END,
  GET,
  outline,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  STDOUT,
  stream,
} from "../support/wire.ts";

const abort = (id = 1) => record(ABORT, id);
const params = pairs({ ...GET, CONTENT_LENGTH: "5" });

/** What the application saw of the request that was aborted. */
interface Seen {
  started: PromiseWithResolvers<void>;
  signal: PromiseWithResolvers<unknown>;
  body: PromiseWithResolvers<unknown>;
  write: PromiseWithResolvers<unknown>;
}

function newSeen(): Seen {
  return { started: gate(), signal: gate(), body: gate(), write: gate() };
}

/** Phases: what was sent before the abort, and what is served. */
const PHASES: [
  name: string,
  service: (seen: Seen) => Service,
  sent: Uint8Array,
][] = [
  [
    "while it waits for its body",
    (seen) => async (request, response) => {
      request.signal.onabort = () => seen.signal.resolve(request.signal.reason);
      seen.started.resolve();
      await request.bytes().catch(seen.body.resolve);
      await response.write("dropped").catch(seen.write.resolve);
    },
    concatLarge([begin(1), stream(PARAMS, 1, params)]),
  ],
  [
    "in the middle of its body",
    (seen) => async (request, response) => {
      request.signal.onabort = () => seen.signal.resolve(request.signal.reason);
      try {
        for await (const _ of request.body) seen.started.resolve();
      } catch (error) {
        seen.body.resolve(error);
      }
      await response.write("dropped").catch(seen.write.resolve);
    },
    concatLarge([
      begin(1),
      stream(PARAMS, 1, params),
      record(STDIN, 1, "Hel"),
    ]),
  ],
  [
    "after its body was complete",
    (seen) => async (request, response) => {
      seen.started.resolve();
      await new Promise((resolve) => request.signal.onabort = resolve);
      seen.signal.resolve(request.signal.reason);
      await response.write("dropped").catch(seen.write.resolve);
      await response.flush().catch(seen.write.resolve);
    },
    request(),
  ],
  [
    "while a body that nobody reads waits",
    (seen) => async (request, response) => {
      seen.started.resolve();
      await new Promise((resolve) => request.signal.onabort = resolve);
      seen.signal.resolve(request.signal.reason);
      await request.bytes().catch(seen.body.resolve);
      await response.write("dropped").catch(seen.write.resolve);
    },
    concatLarge([
      begin(1),
      stream(PARAMS, 1, params),
      record(STDIN, 1, "Hel"),
    ]),
  ],
  [
    "before a signal was asked for",
    (seen) => async (request, response) => {
      seen.started.resolve();
      await request.bytes().catch(seen.body.resolve);
      assert(request.signal.aborted);
      seen.signal.resolve(request.signal.reason);
      await response.write("dropped").catch(seen.write.resolve);
    },
    concatLarge([begin(1), stream(PARAMS, 1, params)]),
  ],
];

for (const [name, service, sent] of PHASES) {
  for (const keep of [true, false]) {
    Deno.test(`FCGI_ABORT_REQUEST ${name} ends it at once${keep ? "" : " and closes without keep-conn"}`, async () => {
      const seen = newSeen();
      let isFirst = true;
      await using host = new Running((request, response) => {
        if (!isFirst) return void response.write("next");
        isFirst = false;
        return service(seen)(request, response);
      });
      using peer = await host.connect();
      const bytes = sent.slice();
      if (!keep) bytes[10] = 0;
      await peer.send(bytes);
      await seen.started.promise;
      await peer.send(abort());
      const end = await peer.until(({ type }) => type === END);
      assertEquals(end.content[4], 0);
      assert(await seen.signal.promise instanceof AbortedError);
      assert(await seen.write.promise instanceof AbortedError);
      if (!name.startsWith("after")) {
        assert(await seen.body.promise instanceof AbortedError);
      }
      if (keep) {
        peer.take();
        assertEquals((await peer.ask(request())).text, "next");
      }
      if (keep) await peer.conn.closeWrite();
      const all = await peer.toEnd();
      assertEquals(outline(all), keep ? [] : ["END 1 8"]);
      assertEquals(host.logged, []);
    });
  }
}

Deno.test("FCGI_ABORT_REQUEST amid the parameters ends a request that was never served", async () => {
  let served = 0;
  await using host = new Running(() => void served++);
  using peer = await host.connect();
  await peer.send(begin(1), record(PARAMS, 1, params.subarray(0, 20)), abort());
  await peer.until(({ type }) => type === END);
  assertEquals(outline(peer.take()), ["END 1 8"]);
  assertEquals(served, 0);
  // The rest of what was under way is ignored.
  await peer.send(record(PARAMS, 1, params.subarray(20)), record(PARAMS, 1));
  await host.goOn(5);
  assertEquals(served, 0);
  assertEquals((await peer.ask(request())).status, 200);
  assertEquals(served, 1);
});

Deno.test("FCGI_ABORT_REQUEST right after FCGI_BEGIN_REQUEST ends it", async () => {
  await using host = new Running(() => {});
  using peer = await host.connect();
  await peer.send(begin(1), abort());
  await peer.until(({ type }) => type === END);
  assertEquals(outline(peer.take()), ["END 1 8"]);
});

Deno.test("FCGI_ABORT_REQUEST while the response streams: nothing of the id follows its end", async () => {
  const streaming = gate();
  const failed = gate<unknown>();
  await using host = new Running(async (request, response) => {
    if (request.url.pathname === "/next") return void response.write("next");
    try {
      for (;;) {
        await response.write(new Uint8Array(50_000));
        await response.flush();
        streaming.resolve();
      }
    } catch (error) {
      failed.resolve(error);
    }
  });
  using peer = await host.connect();
  await peer.send(request({ id: 1 }));
  await streaming.promise;
  await peer.send(abort());
  await peer.until(({ type }) => type === END);
  const all = peer.take();
  assertEquals(all.at(-1)!.type, END);
  assert(all.slice(0, -1).every(({ type }) => type === STDOUT));
  assert(await failed.promise instanceof AbortedError);
  await peer.send(request({ id: 2, params: { REQUEST_URI: "/next" } }));
  assertEquals((await peer.answer(2)).text, "next");
  assertEquals(peer.records, []);
});

Deno.test("FCGI_ABORT_REQUEST after an early answer ends the wait for the body, and no signal fires", async () => {
  let hasFired = false;
  await using host = new Running((request, response) => {
    request.signal.onabort = () => hasFired = true;
    response.write("early");
  });
  using peer = await host.connect();
  await peer.send(begin(1), stream(PARAMS, 1, params), record(STDIN, 1, "H"));
  await peer.until(({ type }) => type === STDOUT);
  await peer.send(abort());
  assertEquals((await peer.answer()).text, "early");
  assertEquals(peer.records, []);
  assertEquals(hasFired, false);
});

Deno.test("FCGI_ABORT_REQUEST of one request leaves the others alone", async () => {
  const { promise, resolve } = gate();
  const signals: boolean[] = [];
  await using host = new Running(async (request, response) => {
    await promise;
    signals.push(request.signal.aborted);
    response.write(request.url.pathname);
  });
  using peer = await host.connect();
  for (const id of [1, 2, 3]) {
    await peer.send(request({ id, params: { REQUEST_URI: `/${id}` } }));
  }
  await peer.send(abort(2));
  await peer.until(({ type, id }) => type === END && id === 2);
  assertEquals(outline(peer.take()), ["END 2 8"]);
  resolve();
  assertEquals((await peer.answer(1)).text, "/1");
  assertEquals((await peer.answer(3)).text, "/3");
  assertEquals(signals.toSorted(), [false, false, true]);
  assertEquals(peer.records, []);
});

Deno.test("FCGI_ABORT_REQUEST twice, with content and for idle ids is one end", async () => {
  const started = gate();
  await using host = new Running(async (request) => {
    started.resolve();
    await request.bytes();
  });
  using peer = await host.connect();
  await peer.send(begin(1), stream(PARAMS, 1, params));
  await started.promise;
  await peer.send(abort(7), record(ABORT, 1, "content", 9), abort(), abort());
  await peer.until(({ type }) => type === END);
  await peer.conn.closeWrite();
  assertEquals(outline(await peer.toEnd()), ["END 1 8"]);
});

Deno.test("an error of the service that the abort caused is not logged, another one is", async () => {
  const started = gate();
  const ended = gate();
  await using host = new Running(async (request) => {
    started.resolve();
    if (request.url.pathname === "/own") {
      await request.bytes().catch(() => {});
      ended.resolve();
      throw new Error("of its own");
    }
    try {
      await request.bytes();
    } finally {
      ended.resolve();
    }
  });
  using peer = await host.connect();
  await peer.send(begin(1), stream(PARAMS, 1, params));
  await started.promise;
  await peer.send(abort());
  await ended.promise;
  await host.goOn(5);
  assertEquals(host.logged, []);
  const own = pairs({ ...GET, REQUEST_URI: "/own", CONTENT_LENGTH: "5" });
  await peer.send(begin(1), stream(PARAMS, 1, own));
  await host.goOn(5);
  await peer.send(abort());
  await host.goOn(5);
  assertEquals(host.logged.length, 1);
  assert(host.logged[0]!.includes("of its own"));
});

Deno.test("request.signal never fires after success", async () => {
  const signals: AbortSignal[] = [];
  await using host = new Running((request, response) => {
    signals.push(request.signal);
    response.write("ok");
  });
  {
    using peer = await host.connect();
    await peer.ask(request());
    await peer.send(abort());
    await peer.ask(request({ keep: false }));
    await peer.toEnd();
  }
  await host.server.shutdown();
  assertEquals(signals.map(({ aborted }) => aborted), [false, false]);
});
