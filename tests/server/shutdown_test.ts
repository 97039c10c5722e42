// Starting and stopping: what a graceful stop waits for, and what it does not.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Application } from "../../src/application.ts";
import { gate, Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { Peer, within } from "../support/peer.ts";
import {
  begin,
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

const ok: Service = (_, response) => void response.write("ok");

/** Answers `/slow` only when it is told to, and says that it has been asked. */
function slowly(
  started: PromiseWithResolvers<void>,
  until: Promise<void>,
): Service {
  return async (request, response) => {
    if (request.url.pathname === "/slow") {
      started.resolve();
      await until;
    }
    response.write("ok");
  };
}

for (const unix of [false, true]) {
  const socket = unix ? "a Unix socket" : "TCP";

  Deno.test(`shutdown() finishes what is in flight, closes idle connections and refuses new ones over ${socket}`, async () => {
    const started = gate();
    const { promise, resolve } = gate();
    await using host = new Running(slowly(started, promise), { unix });
    using idle = await host.connect();
    using used = await host.connect();
    await used.ask(request());
    using busy = await host.connect();
    await busy.send(request({ params: { REQUEST_URI: "/slow" } }));
    await started.promise;

    let isFinished = false;
    const { addr } = host.server;
    const stopping = host.server.shutdown();
    host.server.finished.then(() => isFinished = true);
    assertEquals(await idle.toEnd(), []);
    assertEquals(await used.toEnd(), []);
    await assertRejects(() => Peer.to({ addr }));
    assertEquals(isFinished, false);
    assertEquals(busy.isEnded, false);
    resolve();
    assertEquals((await busy.answer()).text, "ok");
    assertEquals(await busy.toEnd(), []);
    for (const peer of [idle, used, busy]) peer.close();
    await within(stopping, "the server to stop");
    assertEquals(host.logged, []);
  });

  Deno.test(`shutdown() answers whom maxConnections kept waiting over ${socket}`, async () => {
    const started = gate();
    const { promise, resolve } = gate();
    await using host = new Running(slowly(started, promise), {
      maxConnections: 1,
      unix,
    });
    using busy = await host.connect();
    await busy.send(request({ params: { REQUEST_URI: "/slow" } }));
    await started.promise;
    using second = await host.connect();
    using third = await host.connect();
    for (const peer of [second, third]) await peer.send(request());
    const stopping = host.server.shutdown();
    for (const peer of [second, third]) {
      assertEquals((await peer.answer()).text, "ok");
    }
    resolve();
    assertEquals((await busy.answer()).text, "ok");
    await within(stopping, "the server to stop");
  });
}

Deno.test("shutdown() answers everybody who connects to a Unix socket while it is there", async () => {
  await using host = new Running(ok, { unix: true });
  const { path } = host.server.addr as Deno.UnixAddr;
  let answered = 0;
  const clients = Array.from({ length: 8 }, async () => {
    for (let i = 0; i < 100_000; i++) {
      let peer;
      try {
        peer = await Peer.connect({ path });
      } catch {
        return; // It is there no more.
      }
      using _ = peer;
      assertEquals((await peer.ask(request({ keep: false }))).text, "ok");
      answered++;
    }
    throw new Error("the stop never came");
  });
  while (answered < 200) await host.goOn(1);
  const stopping = host.server.shutdown();
  await within(Promise.all(clients), "the clients to be refused");
  await within(stopping, "the server to stop");
});

Deno.test("shutdown() leaves the socket of a server that was started meanwhile alone", async () => {
  await using host = new Running(ok, { unix: true });
  const { path } = host.server.addr as Deno.UnixAddr;
  await host.goOn(1);
  const stopping = host.server.shutdown();
  const next = new Application();
  // The file goes at once, and the listening socket a little later.
  const server = next.listen({ path });
  try {
    await within(stopping, "the server to stop");
    using peer = await Peer.connect({ path });
    assertEquals((await peer.ask(request())).status, 200);
  } finally {
    await server.shutdown();
  }
});

Deno.test("shutdown() without a connection settles at once, however often it is called", async () => {
  await using host = new Running(ok);
  const all = [
    host.server.shutdown(),
    host.server.shutdown(),
    host.server.finished,
    host.server[Symbol.asyncDispose](),
  ];
  await within(Promise.all(all), "the server to stop");
  await host.server.shutdown();
});

Deno.test("shutdown() waits for every request of a connection, also one that is still coming", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    const body = await request.text();
    if (request.url.pathname === "/slow") await promise;
    response.write(`[${body}]`);
  });
  using peer = await host.connect();
  const params = pairs({ ...GET, CONTENT_LENGTH: "5" });
  await peer.send(
    request({ id: 1, params: { REQUEST_URI: "/slow" } }),
    begin(2),
    record(PARAMS, 2, params.subarray(0, 30)),
    begin(3),
    stream(PARAMS, 3, params),
    record(STDIN, 3, "Hel"),
  );
  await host.goOn(5);
  const stopping = host.server.shutdown();
  await peer.send(record(STDIN, 3, "lo"));
  assertEquals((await peer.answer(3)).text, "[Hello]");
  await peer.send(
    record(PARAMS, 2, params.subarray(30)),
    record(PARAMS, 2),
    record(STDIN, 2, "World"),
  );
  assertEquals((await peer.answer(2)).text, "[World]");
  resolve();
  assertEquals((await peer.answer(1)).text, "[]");
  assertEquals(await peer.toEnd(), []);
  peer.close();
  await within(stopping, "the server to stop");
});

Deno.test("shutdown() waits for a long response to be read", async () => {
  const length = 20_000_000;
  await using host = new Running((_, response) => {
    response.write(new Uint8Array(length));
  });
  using peer = await host.connect();
  await peer.send(request());
  await peer.until(({ type }) => type === STDOUT);
  const stopping = host.server.shutdown();
  assertEquals((await peer.answer()).body.length, length);
  assertEquals(await peer.toEnd(), []);
  peer.close();
  await within(stopping, "the server to stop");
});

Deno.test("shutdown() ends though an idle client never closes its side", async () => {
  await using host = new Running(ok);
  using peer = await host.connect();
  await peer.ask(request());
  await within(host.server.shutdown(), "the server to stop", 10_000);
  assertEquals(await peer.toEnd(), []);
});

for (const shutdownTimeoutMs of [0, 100]) {
  Deno.test(`shutdown() aborts what is in flight after a shutdownTimeoutMs of ${shutdownTimeoutMs}`, async () => {
    const started = gate();
    const fired = gate<unknown>();
    await using host = new Running(async (request, response) => {
      response.write("begun");
      await response.flush();
      request.signal.onabort = () => fired.resolve(request.signal.reason);
      started.resolve();
      await fired.promise;
      response.write("dropped");
    }, { shutdownTimeoutMs });
    using peer = await host.connect();
    await peer.send(request());
    await started.promise;
    await within(host.server.shutdown(), "the server to stop");
    const reason = await fired.promise as Error;
    assertEquals(reason.name, "AbortedError");
    assert(reason.message.includes("shutdownTimeoutMs"), reason.message);
    const all = await peer.toEnd();
    assertEquals(all.filter(({ type }) => type === END), []);
    assertEquals(host.logged, []);
  });
}

Deno.test("abort() aborts what is in flight, and a stop that is under way", async () => {
  const started = gate();
  const fired = gate<unknown>();
  await using host = new Running(async (request) => {
    request.signal.onabort = () => fired.resolve(request.signal.reason);
    started.resolve();
    await request.bytes();
  });
  using peer = await host.connect();
  await peer.send(begin(1), stream(PARAMS, 1, pairs(GET)));
  await started.promise;
  const stopping = host.server.shutdown();
  await within(host.server.abort(), "the server to stop");
  await stopping;
  assertEquals((await fired.promise as Error).name, "AbortedError");
  assertEquals(outline(await peer.toEnd()), []);
  assertEquals(host.logged, []);
});

Deno.test("the server's address tells the port it was given", async () => {
  await using host = new Running(ok);
  const addr = host.server.addr as Deno.NetAddr;
  assertEquals([addr.transport, addr.hostname], ["tcp", "127.0.0.1"]);
  assert(addr.port > 0);
});

Deno.test("applicationWillStart() runs before anything is accepted, applicationDidStop() once after all has ended", async () => {
  const events: string[] = [];
  const ready = gate();
  class App extends Application {
    override async applicationWillStart() {
      await ready.promise;
      events.push("start");
    }
    override service() {
      events.push("service");
      this.response.write("ok");
    }
    override async applicationDidStop() {
      await Promise.resolve();
      events.push("stop");
    }
  }
  const app = new App();
  const local = { hostname: "127.0.0.1", port: 0 };
  const servers = [app.listen(local), app.listen(local)];
  {
    using first = await Peer.to(servers[0]!);
    using second = await Peer.to(servers[1]!);
    await first.send(request());
    await second.send(request());
    ready.resolve();
    assertEquals((await first.answer()).text, "ok");
    assertEquals((await second.answer()).text, "ok");
  }
  await within(app.exit(), "the application to stop");
  assertEquals(events, ["start", "service", "service", "stop"]);
  await Promise.all(servers.map((server) => server.finished));
});

Deno.test("an applicationWillStart() that fails stops the server with its error", async () => {
  class App extends Application {
    override applicationWillStart() {
      throw new RangeError("cannot start");
    }
  }
  const server = new App().listen({ hostname: "127.0.0.1", port: 0 });
  await assertRejects(() => server.finished, RangeError, "cannot start");
});

Deno.test("two applications run in one process on different addresses", async () => {
  await using one = new Running((_, response) => void response.write("one"));
  await using two = new Running((_, response) => void response.write("two"), {
    unix: true,
  });
  using first = await one.connect();
  using second = await two.connect();
  assertEquals((await first.ask(request())).text, "one");
  assertEquals((await second.ask(request())).text, "two");
  first.close();
  await one.server.shutdown();
  assertEquals((await second.ask(request())).text, "two");
});
