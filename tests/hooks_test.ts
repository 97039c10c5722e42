import { assert, assertEquals, assertRejects } from "@std/assert";
import { Application } from "../mod.ts";
import type { FastCGIServer } from "../mod.ts";
import { serveOn } from "../src/server/server.ts";
import type { TransportListener } from "../src/server/transport.ts";
import { gate } from "./support/running.ts";
import { Peer, within } from "./support/peer.ts";
import { request } from "./support/wire.ts";

const ANY = { hostname: "127.0.0.1", port: 0 };

/** An application that notes what is called, in order. */
class Noting extends Application implements AsyncDisposable {
  readonly calls: string[] = [];
  async [Symbol.asyncDispose]() {
    await this.exit();
  }
  override service(): void | Promise<void> {
    this.calls.push("service");
    this.response.write("served");
  }
  override applicationWillStart(): void | Promise<void> {
    this.calls.push("start");
  }
  override applicationDidStop(): void | Promise<void> {
    this.calls.push("stop");
  }
}

Deno.test("applicationWillStart() goes before, applicationDidStop() after all requests", async () => {
  const app = new Noting();
  const server = app.listen(ANY);
  using peer = await Peer.to(server);
  await peer.ask(request());
  await peer.ask(request());
  peer.close();
  await server.shutdown();
  assertEquals(app.calls, ["start", "service", "service", "stop"]);
});

/** Round trips of another application: time in which a request would be seen. */
async function otherRoundTrips(): Promise<void> {
  await using other = new Noting();
  using peer = await Peer.to(other.listen(ANY));
  for (let i = 0; i < 20; i++) await peer.ask(request());
  peer.close();
}

/** One whose start takes until its gate opens. */
class SlowStart extends Noting {
  readonly entered = gate();
  readonly ready = gate();
  override async applicationWillStart() {
    this.calls.push("start");
    this.entered.resolve();
    await this.ready.promise;
    this.calls.push("started");
  }
}

Deno.test("a request that comes during applicationWillStart() is served after it", async () => {
  await using app = new SlowStart();
  using peer = await Peer.to(app.listen(ANY));
  await peer.send(request());
  await otherRoundTrips();
  assertEquals(app.calls, ["start"]);
  app.ready.resolve();
  assertEquals((await peer.answer()).text, "served");
  assertEquals(app.calls, ["start", "started", "service"]);
  peer.close();
});

Deno.test("a second server serves nothing before applicationWillStart() is done", async () => {
  await using app = new SlowStart();
  app.listen(ANY);
  using peer = await Peer.to(app.listen(ANY));
  await peer.send(request());
  await otherRoundTrips();
  app.ready.resolve();
  await peer.answer();
  assertEquals(app.calls, ["start", "started", "service"]);
  peer.close();
});

Deno.test("applicationDidStop() is awaited before finished settles", async () => {
  const ready = gate();
  const app = new class extends Noting {
    override async applicationDidStop() {
      this.calls.push("stop");
      await ready.promise;
      this.calls.push("stopped");
    }
  }();
  const server = app.listen(ANY);
  using peer = await Peer.to(server);
  await peer.ask(request());
  const finished = server.shutdown().then(() => app.calls.push("finished"));
  await peer.toEnd();
  peer.close();
  ready.resolve();
  await within(finished, "finished to settle");
  assertEquals(app.calls, [
    "start",
    "service",
    "stop",
    "stopped",
    "finished",
  ]);
});

Deno.test("the hooks are called once for several servers", async () => {
  const app = new Noting();
  const servers = [app.listen(ANY), app.listen(ANY), app.listen(ANY)];
  for (const server of servers) {
    using peer = await Peer.to(server);
    await peer.ask(request());
  }
  await servers[0]!.shutdown();
  assertEquals(app.calls.filter((call) => call !== "service"), ["start"]);
  await app.exit();
  assertEquals(app.calls.filter((call) => call !== "service"), [
    "start",
    "stop",
  ]);
});

Deno.test("the hooks are called again for a server after the last has stopped", async () => {
  const app = new Noting();
  for (let i = 0; i < 2; i++) {
    await using server = app.listen(ANY);
    using peer = await Peer.to(server);
    await peer.ask(request());
  }
  assertEquals(app.calls, [
    "start",
    "service",
    "stop",
    "start",
    "service",
    "stop",
  ]);
});

Deno.test("applicationWillStart() that fails stops the server, and finished tells why", async () => {
  for (
    const fail of [
      () => {
        throw new RangeError("no database");
      },
      () => Promise.reject(new RangeError("no database")),
    ]
  ) {
    const app = new class extends Noting {
      override applicationWillStart(): void | Promise<void> {
        return fail();
      }
    }();
    const server = app.listen(ANY);
    await assertRejects(
      () => within(server.finished, "finished to settle"),
      RangeError,
      "no database",
    );
    await assertRejects(() => Peer.to(server));
    assertEquals(app.calls.includes("service"), false);
  }
});

Deno.test("applicationWillStart() that fails leaves no server of the application", async () => {
  const app = new class extends Noting {
    override applicationWillStart() {
      return Promise.reject(new RangeError("no database"));
    }
  }();
  const servers = [app.listen(ANY), app.listen(ANY)];
  const settled = Promise.allSettled(servers.map(({ finished }) => finished));
  await assertRejects(() => servers[0]!.finished, RangeError, "no database");
  // Ends the second where it goes on without the hook.
  servers[1]!.shutdown().catch(() => {});
  assertEquals(
    (await within(settled, "both to settle")).map(({ status }) => status),
    ["rejected", "rejected"],
  );
});

Deno.test("applicationDidStop() that fails is told by finished", async () => {
  const app = new class extends Noting {
    override applicationDidStop() {
      throw new RangeError("disk full");
    }
  }();
  const server = app.listen(ANY);
  await assertRejects(() => server.shutdown(), RangeError, "disk full");
});

Deno.test("applicationDidStop() is not called before applicationWillStart() is done", async () => {
  const app = new SlowStart();
  app.listen(ANY);
  await within(app.entered.promise, "applicationWillStart() to be called");
  const stopped = app.exit();
  app.ready.resolve();
  await within(stopped, "the application to stop");
  assertEquals(app.calls, ["start", "started", "stop"]);
});

Deno.test("applicationDidStop() is not called without applicationWillStart() before it", async () => {
  const app = new Noting();
  app.listen(ANY);
  await app.exit();
  const both = app.calls.length === 0 || app.calls.join() === "start,stop";
  assert(both, app.calls.join());
});

/** Connects until nobody listens: those in the queue are let in still. */
async function untilRefused(server: FastCGIServer): Promise<void> {
  for (;;) {
    try {
      using peer = await Peer.to(server);
      await peer.toEnd();
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return;
      throw error;
    }
  }
}

Deno.test("exit() lets what is in flight finish, and accepts nothing more", async () => {
  const [entered, leave] = [gate(), gate()];
  const app = new class extends Noting {
    override async service() {
      entered.resolve();
      await leave.promise;
      this.response.write("finished");
    }
  }();
  const server = app.listen(ANY);
  using peer = await Peer.to(server);
  await peer.send(request());
  await within(entered.promise, "the service to be called");
  const exited = app.exit();
  await within(untilRefused(server), "connections to be refused");
  assertEquals(app.calls, ["start"]);
  leave.resolve();
  assertEquals((await peer.answer()).text, "finished");
  assertEquals(await peer.toEnd(), []);
  peer.close();
  await within(exited, "exit() to settle");
  assertEquals(app.calls, ["start", "stop"]);
});

Deno.test("exit() called by a service stops after its answer", async () => {
  let exited: Promise<void> | undefined;
  const app = new class extends Noting {
    override service() {
      exited = this.exit();
      this.response.write("bye");
    }
  }();
  const server = app.listen(ANY);
  using peer = await Peer.to(server);
  assertEquals((await peer.ask(request())).text, "bye");
  await peer.toEnd();
  peer.close();
  await within(exited!, "exit() to settle");
  await server.finished;
});

Deno.test("exit() twice, and without a server, settles", async () => {
  const app = new Noting();
  await app.exit();
  assertEquals(app.calls, []);
  const server = app.listen(ANY);
  using peer = await Peer.to(server);
  await peer.ask(request());
  peer.close();
  await Promise.all([app.exit(), app.exit()]);
  await app.exit();
  assertEquals(app.calls, ["start", "service", "stop"]);
  await server.finished;
});

Deno.test("exit() in the turn in which a connection is accepted leaves none open", async () => {
  const app = new Noting();
  const listener = Deno.listen(ANY);
  let exited: Promise<void> | undefined;
  const server = app[serveOn]({
    addr: listener.addr,
    accept: async () => {
      const conn = await listener.accept();
      exited ??= app.exit();
      return conn;
    },
    close: () => listener.close(),
    ref: () => listener.ref(),
    unref: () => listener.unref(),
  } as TransportListener);
  using peer = await Peer.to(server);
  assertEquals(await peer.toEnd(), []);
  await within(exited!, "exit() to settle");
  assertEquals(app.calls, ["start", "stop"]);
});
