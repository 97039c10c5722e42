// What a supervisor knows of its workers.

import { assert, assertEquals } from "@std/assert";
import type { GroupStats } from "../../src/workers/messages.ts";
import { STDOUT } from "../support/wire.ts";
import { askOn, Group, send } from "./group.ts";

Deno.test("groupStats() tells of every worker, and adds up what they count, those that have ended included", async () => {
  await using group = await Group.start();
  const [one, other] = await group.both();
  for (let i = 0; i < 10; i++) await askOn(one.peer);
  await send(other.peer, "/wait");
  await other.peer.until(({ type }) => type === STDOUT);

  const of = ({ workers }: GroupStats, pid: number) =>
    workers.find((worker) => worker.pid === pid)!;
  const before = await group.until(
    (stats) =>
      of(stats, one.pid).stats.served >= 11 &&
      of(stats, other.pid).stats.inFlight >= 1,
    "what was asked to be counted",
  );
  assertEquals(before.pid, group.program.pid);
  assertEquals(before.workers.map(({ worker }) => worker).sort(), [1, 2]);
  for (const worker of before.workers) {
    assertEquals(worker.state, "ready");
    assert(worker.ageMs > 0 && worker.ageMs <= before.ageMs);
    assert(worker.silentMs >= 0 && worker.silentMs < 20_000);
    assert(worker.rssBytes > worker.heapUsedBytes && worker.heapUsedBytes > 0);
  }
  for (const name of ["accepted", "served", "bytesIn", "inFlight"] as const) {
    assertEquals(
      before.total[name],
      before.workers.reduce((sum, { stats }) => sum + stats[name], 0),
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
  assertEquals(of(after, one.pid), undefined);
  // Nothing that was counted goes down, but for what is no more.
  assert(after.total.served >= before.total.served);
  assert(after.total.bytesOut >= before.total.bytesOut);
  assert(after.total.accepted >= before.total.accepted);

  group.program.signal("SIGHUP");
  await group.until(
    (stats) => of(stats, other.pid).state === "leaving",
    "the other worker to leave",
  );
  await askOn(other.peer, "/go-on", 2);
  await other.peer.answer();
  other.peer.close();
});
