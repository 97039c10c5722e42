// FastCGIClient where connections are few: requests wait in order, and no kept
// connection starves a new one.

import { assertEquals, assertRejects } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { ClosedError, ConnectError, LimitError } from "../../src/errors.ts";
import { answering, get, settle, text, whole } from "../support/answering.ts";
import { within } from "../support/peer.ts";
import type { Peer } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { readRequest, Scripted } from "../support/scripted.ts";
import { response } from "../support/wire.ts";

/** A server whose answers wait for the test, each with its path. */
function holding(): {
  server: Scripted;
  paths: string[];
  answer(path: string): void;
  /** Waits until so many requests have come. */
  came(count: number): Promise<void>;
} {
  const paths: string[] = [];
  let changed = gate();
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const of = (path: string) => {
    if (!gates.has(path)) gates.set(path, gate());
    return gates.get(path)!;
  };
  const server = new Scripted(async (peer) => {
    try {
      for (;;) {
        const { params } = await readRequest(peer);
        const path = params.PATH_INFO!;
        paths.push(path);
        changed.resolve();
        changed = gate();
        await of(path).promise;
        await peer.send(response(`A: b\r\n\r\n${path}`));
      }
    } catch {
      // Closed by the client.
    }
  });
  return {
    server,
    paths,
    answer: (path) => of(path).resolve(),
    async came(count) {
      while (paths.length < count) {
        await within(changed.promise, `request ${count} to come`);
      }
    },
  };
}

const at = (path: string, init?: RequestInit) =>
  new Request(`http://test${path}`, init);

Deno.test("FastCGIClient opens no more than maxConnections, and serves those who wait in order", async () => {
  const { server, paths, answer, came } = holding();
  await using _ = server;
  await using client = new FastCGIClient(server.address, {
    maxConnections: 2,
    multiplex: false,
  });
  const all = ["/a", "/b", "/c", "/d", "/e"];
  const asked = all.map((path) => text(client, at(path)));
  await came(2);
  assertEquals(client.stats(), {
    connections: 2,
    idle: 0,
    waiting: 3,
    requests: 2,
  });
  assertEquals(paths.toSorted(), ["/a", "/b"]);
  answer("/b");
  await came(3);
  answer("/a");
  await came(4);
  assertEquals(paths.slice(2), ["/c", "/d"]);
  for (const path of ["/c", "/d", "/e"]) answer(path);
  assertEquals(await Promise.all(asked), all);
  assertEquals(server.connections, 2);
});

Deno.test("FastCGIClient gives nobody who waits a connection that is not to be kept", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(whole);
    // Nothing else comes on it.
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address, {
    maxConnections: 2,
    maxIdleConnections: 0,
  });
  const ask = () => text(client, get({ method: "POST", body: "once" }));
  const texts = await Promise.all(Array.from({ length: 7 }, ask));
  assertEquals(texts, Array(7).fill("hello"));
  assertEquals(server.connections, 7);
});

Deno.test("FastCGIClient lets those who wait connect where a connection is gone", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(whole);
    peer.close();
  });
  await using client = new FastCGIClient(server.address, { maxConnections: 1 });
  const asked = Array.from({ length: 5 }, () => text(client));
  assertEquals(await Promise.all(asked), Array(5).fill("hello"));
  assertEquals(server.connections, 5);
});

Deno.test("FastCGIClient lets those who wait connect where connecting fails", async () => {
  let tries = 0;
  await using server = answering();
  await using client = new FastCGIClient({
    async connect() {
      await settle();
      if (++tries < 3) throw new Error("on purpose");
      return await Deno.connect(server.address);
    },
  }, { maxConnections: 1 });
  const asked = [1, 2, 3].map(() => client.fetch(get()));
  await assertRejects(() => asked[0]!, ConnectError, "on purpose");
  await assertRejects(() => asked[1]!, ConnectError, "on purpose");
  assertEquals(await (await asked[2]!).text(), "hello");
});

Deno.test("FastCGIClient.fetch() fails after queueTimeoutMs without a connection", async () => {
  const { server, answer } = holding();
  await using _ = server;
  await using client = new FastCGIClient(server.address, {
    maxConnections: 1,
    queueTimeoutMs: 40,
  });
  const first = text(client, at("/a"));
  const error = await assertRejects(() => client.fetch(at("/b")), LimitError);
  assertEquals(
    [error.code, error.status, error.limit],
    ["QUEUE_TIMEOUT", 503, 40],
  );
  assertEquals(client.stats().waiting, 0);
  answer("/a");
  assertEquals(await first, "/a");
});

Deno.test("FastCGIClient.fetch() gives the wait for a connection up where its signal fires, and lets the next have it", async () => {
  const { server, paths, answer, came } = holding();
  await using _ = server;
  await using client = new FastCGIClient(server.address, { maxConnections: 1 });
  const first = text(client, at("/a"));
  await came(1);
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("on purpose");
  const second = assertRejects(() => client.fetch(at("/b", { signal })));
  const third = text(client, at("/c"));
  controller.abort(reason);
  assertEquals(await second, reason);
  answer("/a");
  answer("/c");
  assertEquals([await first, await third], ["/a", "/c"]);
  assertEquals(paths, ["/a", "/c"]);
});

Deno.test("FastCGIClient.close() refuses those who wait", async () => {
  const { server, answer, came } = holding();
  await using _ = server;
  const client = new FastCGIClient(server.address, { maxConnections: 1 });
  const asked = ["/a", "/b"].map((path) =>
    assertRejects(() => client.fetch(at(path)), ClosedError)
  );
  await came(1);
  client.close();
  await within(Promise.all(asked), "both to fail");
  answer("/a");
});

/**
 * A server as PHP-FPM is: a process serves one connection until it is closed,
 * and a connection beyond the processes waits for one.
 */
class Processes implements AsyncDisposable {
  readonly #server: Scripted;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(processes: number) {
    this.#free = processes;
    this.#server = new Scripted((peer) => this.#serve(peer));
  }

  get address(): { hostname: string; port: number } {
    return this.#server.address;
  }

  async #serve(peer: Peer): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      for (;;) {
        await readRequest(peer);
        await peer.send(whole);
      }
    } catch {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const next of this.#waiting.splice(0)) next();
    await this.#server[Symbol.asyncDispose]();
  }
}

Deno.test("FastCGIClient lets kept connections go where new ones wait for the processes they hold", async () => {
  await using server = new Processes(2);
  await using client = new FastCGIClient(server.address, {
    maxIdleConnections: 8,
  });
  const asked = Array.from({ length: 7 }, () => text(client));
  assertEquals(
    await within(Promise.all(asked), "all answers", 10_000),
    Array(7).fill("hello"),
  );
  // And without anybody waiting they are kept.
  await text(client);
  assertEquals(client.stats().idle > 0, true);
});
