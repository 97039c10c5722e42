// stats(): what a server counts, against what was done to it.

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import type { ServerStats } from "../../mod.ts";
import { addStats } from "../../src/server/stats.ts";
import { gate, Running } from "../support/running.ts";
import type { RunningOptions, Service } from "../support/running.ts";
import { within } from "../support/peer.ts";
import type { Peer } from "../support/peer.ts";
import {
  ABORT,
  begin,
  concatLarge,
  GET,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  STDOUT,
  stream,
} from "../support/wire.ts";

const ok: Service = (_, response) => void response.write("ok");

/** The figures of a server once everything has been written and closed. */
async function stopped(host: Running, ...peers: Peer[]): Promise<ServerStats> {
  const stopping = host.server.shutdown();
  for (const peer of peers) {
    await peer.toEnd();
    peer.close();
  }
  await within(stopping, "the server to stop");
  return host.server.stats();
}

Deno.test("stats() tells zeros before anything has happened", async () => {
  await using host = new Running(ok);
  const { latency, ...figures } = host.server.stats();
  assertEquals(new Set(Object.values(figures)), new Set([0]));
  assertEquals(Object.keys(figures).length, 9);
  assertEquals(latency.counts.length, latency.boundsMs.length + 1);
  assertEquals((await stopped(host)).latency.sumMs, 0);
});

Deno.test("stats() tells open connections and requests in flight as they are", async () => {
  const { promise, resolve } = gate();
  const started = gate();
  await using host = new Running(async (request, response) => {
    if (request.url.pathname === "/last") started.resolve();
    if (request.url.pathname !== "/") await promise;
    response.write("ok");
  });
  using idle = await host.connect();
  await idle.ask(request());
  using busy = await host.connect();
  for (const [id, path] of [[1, "/first"], [2, "/last"]] as const) {
    await busy.send(request({ id, params: { REQUEST_URI: path } }));
  }
  await started.promise;
  const { accepted, active, inFlight, served, ...rest } = host.server.stats();
  assertEquals([accepted, active, rest.idle], [2, 1, 1]);
  assertEquals([inFlight, served], [2, 1]);
  resolve();
  await busy.answer(1);
  await busy.answer(2);
  const after = await stopped(host, idle, busy);
  assertEquals([after.accepted, after.active, after.idle], [2, 0, 0]);
  assertEquals([after.inFlight, after.served], [0, 3]);
  assertEquals([after.aborted, after.refused], [0, 0]);
});

for (const unix of [false, true]) {
  Deno.test(`stats() counts the bytes of ${unix ? "a Unix socket" : "TCP"} exactly`, async () => {
    await using host = new Running(async (request, response) => {
      await request.bytes();
      response.write(new Uint8Array(1_000_000));
    }, { unix });
    using peer = await host.connect();
    const sent = concatLarge([
      request({ body: new Uint8Array(300_000) }),
      request({ id: 2 }),
    ]);
    await peer.send(sent);
    await peer.answer(1);
    await peer.answer(2);
    const { bytesIn, bytesOut } = await stopped(host, peer);
    assertEquals(bytesIn, sent.length);
    assertEquals(bytesOut, peer.reads.reduce((sum, read) => sum + read, 0));
  });
}

Deno.test("stats() tells requests apart that were served, aborted and refused", async () => {
  await using host = new Running(async (request, response) => {
    switch (request.url.pathname) {
      case "/error":
        throw new Error("on purpose");
      case "/broken":
        response.write("begun");
        await response.flush();
        throw new Error("on purpose");
      case "/wait":
        response.write("waiting");
        await response.flush();
        await new Promise((resolve) => request.signal.onabort = resolve);
        return;
    }
    response.write("ok");
  }, { maxRequestsPerConnection: 2, maxBodyBytes: 10, maxParamsBytes: 1024 });
  const on = (path: string) => ({ REQUEST_URI: path });

  using served = await host.connect();
  assertEquals((await served.ask(request())).status, 200);
  // An error that was answered was served; so was what is malformed.
  assertEquals(
    (await served.ask(request({ params: on("/error") }))).status,
    500,
  );
  await served.send(begin(), stream(PARAMS, 1, "\xff"), record(STDIN, 1));
  assertEquals((await served.answer()).status, 400);

  using refused = await host.connect();
  const large = { CONTENT_LENGTH: "11" };
  assertEquals((await refused.ask(request({ params: large }))).status, 413);
  const long = { LONG: "x".repeat(2000) };
  assertEquals((await refused.ask(request({ params: long }))).status, 431);
  for (let id = 1; id <= 5; id++) await refused.send(begin(id));
  // Two are let in, two are followed to their end, and one is not even that.
  for (let id = 1; id <= 4; id++) {
    await refused.send(stream(PARAMS, id, pairs(GET)), record(STDIN, id));
  }
  for (const id of [1, 2]) assertEquals((await refused.answer(id)).status, 200);
  for (const id of [3, 4, 5]) {
    assertEquals((await refused.answer(id)).status, 503);
  }

  using aborting = await host.connect();
  await aborting.send(request({ params: on("/wait") }));
  await aborting.until(({ type }) => type === STDOUT);
  await aborting.send(record(ABORT, 1));
  await aborting.answer();
  {
    using broken = await host.connect();
    await broken.send(request({ params: on("/broken") }));
    await broken.toEnd();
  }
  {
    using lost = await host.connect();
    await lost.send(request({ params: on("/wait") }));
    await lost.until(({ type }) => type === STDOUT);
  }
  using forced = await host.connect();
  await forced.send(request({ params: on("/wait") }));
  await forced.until(({ type }) => type === STDOUT);
  await within(host.server.abort(), "the server to stop");

  const stats = host.server.stats();
  assertEquals([stats.served, stats.refused, stats.aborted], [5, 5, 4]);
  assertEquals(sum(stats.latency.counts), 5);
});

Deno.test("stats() counts a request among the refused whose parameters never end", async () => {
  await using host = new Running(ok, { paramsTimeoutMs: 20 });
  using peer = await host.connect();
  await peer.send(begin());
  assertEquals((await peer.answer()).status, 408);
  const { served, refused } = await stopped(host, peer);
  assertEquals([served, refused], [0, 1]);
});

Deno.test("stats() counts a request among the aborted whose connection ends amid its parameters", async () => {
  await using host = new Running(ok);
  for (const isClosed of [false, true]) {
    using peer = await host.connect();
    await peer.send(begin(), record(PARAMS, 1, pairs(GET)));
    await host.goOn(2);
    if (isClosed) peer.close();
    else {
      await peer.conn.closeWrite();
      await peer.toEnd();
    }
  }
  const { served, aborted } = await stopped(host);
  assertEquals([served, aborted], [0, 2]);
});

// Latency

function sum(counts: readonly number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}

async function asked(
  service: Service,
  count: number,
  options?: RunningOptions,
): Promise<ServerStats> {
  await using host = new Running(service, options);
  using peer = await host.connect();
  for (let i = 0; i < count; i++) await peer.ask(request());
  return await stopped(host, peer);
}

Deno.test("stats() puts a request into the bucket of the time it took", async () => {
  let least = 0;
  const { latency } = await asked(async (_, response) => {
    const begun = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 30));
    least = performance.now() - begun;
    response.write("ok");
  }, 1);
  const bucket = latency.counts.indexOf(1);
  assertEquals(sum(latency.counts), 1);
  assert(bucket > 0, "the first bucket");
  const { boundsMs } = latency;
  assert(bucket === boundsMs.length || boundsMs[bucket]! >= least);
  assert(latency.sumMs >= least);
  assert(boundsMs[bucket - 1]! < latency.sumMs);
  assert(bucket === boundsMs.length || latency.sumMs <= boundsMs[bucket]!);
  assertEquals([...boundsMs].sort((a, b) => a - b), boundsMs);
});

Deno.test("stats() times every request where they are few, and a sample where they are many", async () => {
  assertEquals(sum((await asked(ok, 50)).latency.counts), 50);
  const many = 3_000;
  const { served, latency } = await asked(ok, many);
  assertEquals(served, many);
  // Of 64 or more in a tick, the sample is short of 16 at the most.
  assertLessOrEqual(Math.abs(sum(latency.counts) - many), many / 4);
});

Deno.test("addStats() adds up several servers, and none to zeros", async () => {
  const one = await asked(ok, 2);
  const two = await asked(ok, 3);
  const all = addStats([one, two]);
  assertEquals([all.accepted, all.served], [2, 5]);
  assertEquals(all.bytesIn, one.bytesIn + two.bytesIn);
  assertEquals(all.latency.sumMs, one.latency.sumMs + two.latency.sumMs);
  assertEquals(sum(all.latency.counts), 5);
  assertEquals(all.latency.boundsMs, one.latency.boundsMs);
  assertEquals(one.served, 2, "what is added is left as it was");
  assertEquals(addStats([]).served, 0);
});
