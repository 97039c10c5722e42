// What the page of status tells of workers.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { askOn, Group, send } from "./group.ts";
import type { GroupStatus } from "./group.ts";
import { HAS_PARSER, parseMetrics } from "../observe/openmetrics.ts";
import { STDOUT } from "../support/wire.ts";

/** The worker that is a process, undefined where it is no more. */
function workerOf({ workers }: GroupStatus, pid: number) {
  return workers.find((worker) => worker.pid === pid);
}

Deno.test("statusPath tells of every worker, and adds up what they count, those that have ended included", async () => {
  await using group = await Group.start();
  const [one, other] = await group.both();
  for (let i = 0; i < 10; i++) await askOn(one.peer);
  await send(other.peer, "/wait");
  await other.peer.until(({ type }) => type === STDOUT);

  const before = await group.until(
    (status) =>
      workerOf(status, one.pid)!.served >= 11 &&
      workerOf(status, other.pid)!.inFlight >= 1,
    "what was asked to be counted",
  );
  assertEquals(before.pid, group.program.pid);
  assertEquals(before.workers.map(({ worker }) => worker).sort(), [1, 2]);
  for (const worker of before.workers) {
    assertEquals(worker.state, "ready");
    assert(worker.uptimeSeconds <= before.uptimeSeconds + 1);
    assert(worker.memoryBytes > 1e6 && worker.memoryBytes < before.memoryBytes);
  }
  for (const name of ["accepted", "served", "bytesIn", "inFlight"] as const) {
    assertEquals(
      before[name],
      before.workers.reduce((sum, worker) => sum + worker[name], 0),
      name,
    );
  }

  await send(one.peer, "/exit");
  await one.peer.toEnd().catch(() => []);
  one.peer.close();
  await group.program.until(/another takes its place/);
  const after = await group.until(
    ({ workers }) =>
      workers.length === 2 && workers.every(({ state }) => state === "ready"),
    "another worker",
  );
  assertEquals(after.crashes, 1);
  assertEquals(workerOf(after, one.pid), undefined);
  // Nothing that was counted goes down, but for what is no more.
  assert(after.served >= before.served);
  assert(after.bytesOut >= before.bytesOut);
  assert(after.accepted >= before.accepted);

  group.program.signal("SIGHUP");
  await group.until(
    (status) => workerOf(status, other.pid)?.state === "leaving",
    "the other worker to leave",
  );
  await askOn(other.peer, "/go-on", 2);
  await other.peer.answer();
  other.peer.close();
});

Deno.test("statusPath has a line for each worker, and metrics with its number and process", async () => {
  await using group = await Group.start();
  const { workers } = await group.until(
    ({ workers }) => workers.every(({ memoryBytes }) => memoryBytes > 0),
    "a first sign of life",
  );
  const lines = await group.ask("/status?text");
  const metrics = await group.ask("/status?openmetrics");
  assertMatch(lines, /^workers: +2$/m);
  assertMatch(metrics, /^smisk_reloads_total 0$/m);
  if (HAS_PARSER) {
    const families = await parseMetrics(metrics);
    assert(
      families.includes("smisk_worker_memory_bytes gauge bytes 2"),
      families.join("\n"),
    );
  }
  for (const { worker, pid } of workers) {
    assertMatch(
      lines,
      new RegExp(
        `^worker ${worker}: +process ${pid}, ready, up \\d+ s, \\d+ bytes, \\d+ in flight, \\d+ served$`,
        "m",
      ),
    );
    for (
      const name of [
        "age_seconds",
        "memory_bytes",
        "requests_in_flight",
        "requests_served_total",
      ]
    ) {
      assertMatch(
        metrics,
        new RegExp(
          `^smisk_worker_${name}\\{worker="${worker}",pid="${pid}"\\} \\d`,
          "m",
        ),
      );
    }
  }
});
