// Workers that end, each in its own way: what it takes with it, and what not.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { DEADLINE_MS, Peer, within } from "../support/peer.ts";
import type { Target } from "../support/peer.ts";
import { STDOUT } from "../support/wire.ts";
import { Gate } from "./gate.ts";
import { gone } from "../support/processes.ts";
import { askOn, Group, PATIENCE_MS, send } from "./group.ts";
import type { Known } from "./group.ts";

for (
  const [path, how] of [
    ["/exit", "with status 7"],
    ["/throw", "with status 1"],
    ["/memory", "by SIG(?:TRAP|ILL|ABRT)"],
  ] as const
) {
  Deno.test(`a worker that ends by ${path} takes its own requests with it and no others, and is replaced`, async () => {
    await using group = await Group.start({
      // What it may take, so that it has soon taken it.
      flags: ["-A", "--v8-flags=--max-old-space-size=96"],
    });
    const [{ pid: lost, peer: dying }, { pid: kept, peer: living }] =
      await group.both();
    await send(living, "/wait");
    await living.until(({ type }) => type === STDOUT);
    await send(dying, path);
    // Cut off, and by nothing that looks like an answer.
    assertEquals(await within(dying.toEnd().catch(() => []), "the end"), []);
    dying.close();
    const [line] = await group.program.until(
      new RegExp(`Worker [12] \\(process ${lost}\\) ended ${how}: .*`),
    );
    assertMatch(line, /: another takes its place$/);
    await gone(lost, PATIENCE_MS);

    const now = await group.pids();
    assert(!now.includes(lost), "the lost worker answers");
    assert(now.includes(kept), "the other worker was replaced too");
    assertEquals(await askOn(living, "/go-on", 2), String(kept));
    assertEquals((await living.answer()).text, "waiting over");
    living.close();
    const { crashes, workers } = await group.status();
    assertEquals([crashes, workers.length], [1, 2]);
  });
}

Deno.test("a worker that ends soon again and again is replaced after longer and longer pauses", async () => {
  // On a machine so busy that ten seconds pass, it did not end soon.
  for (let attempt = 0; attempt < 3; attempt++) {
    const pauses = await crashes(5);
    if (pauses === null) continue;
    assertEquals(pauses[0], 0);
    for (const [i, pause] of pauses.slice(1).entries()) {
      const expected = 100 * 2 ** i;
      const isSo = pause >= expected * 0.79 && pause <= expected * 1.21;
      assert(isSo, `${pauses}`);
    }
    return;
  }
  throw new Error("No worker ended soon");
});

/** The pauses after so many crashes, null where one took too long. */
async function crashes(count: number): Promise<number[] | null> {
  let startedAt = performance.now();
  await using group = await Group.start({ workers: 1 });
  const pauses: number[] = [];
  for (let i = 0; i < count; i++) {
    using peer = await group.connect();
    // Accepted, or in the queue until there is a worker again.
    const pid = await askOn(peer);
    await send(peer, "/exit");
    await peer.toEnd().catch(() => []);
    const [, pause] = await group.program.until(
      new RegExp(`process ${pid}\\).*: another (?:takes|starts in (\\d+))`),
    );
    if (performance.now() - startedAt > 9_500) return null;
    startedAt = performance.now();
    pauses.push(Number(pause ?? 0));
  }
  return pauses;
}

for (const how of ["loops for ever", "was stopped by SIGSTOP"]) {
  Deno.test(`a worker that ${how} is killed and replaced, and the others go on`, () =>
    standStill(({ pid, peer }) =>
      how.startsWith("loops") ? send(peer, "/loop") : Deno.kill(pid, "SIGSTOP")
    ));
}

async function standStill(
  stop: (worker: Known) => void | Promise<void>,
): Promise<void> {
  await using group = await Group.start({ env: { stuckTimeoutMs: "2000" } });
  const [worker, { pid: kept, peer: living }] = await group.both();
  const { pid: lost, peer: dying } = worker;
  await stop(worker);
  assertEquals(await askOn(living), String(kept));
  await group.program.until(
    new RegExp(`process ${lost}\\) gave no sign of life .*, and was killed`),
  );
  assertEquals(await within(dying.toEnd().catch(() => []), "the end"), []);
  await group.program.until(new RegExp(`process ${lost}\\) ended by SIGKILL`));
  assertEquals(await askOn(living), String(kept));
  const now = await group.pids();
  assert(now.includes(kept) && !now.includes(lost), `${now}`);
  for (const peer of [dying, living]) peer.close();
}

Deno.test("a worker that is told to stop by a signal finishes its requests, and is replaced meanwhile", async () => {
  await using group = await Group.start({ workers: 1 });
  using peer = await group.connect();
  const pid = Number(await askOn(peer));
  await send(peer, "/wait");
  await peer.until(({ type }) => type === STDOUT);
  // The second forces nothing: a whole group may be told twice.
  Deno.kill(pid, "SIGTERM");
  Deno.kill(pid, "SIGTERM");
  Deno.kill(pid, "SIGINT");
  await group.program.until(
    new RegExp(
      `process ${pid}\\) stops by itself: another takes its place$`,
    ),
  );
  assert(Number(await group.ask()) !== pid);
  assertEquals(await askOn(peer, "/go-on", 2), String(pid));
  assertEquals((await peer.answer()).text, "waiting over");
  assertEquals(await peer.toEnd(), []);
  await gone(pid, PATIENCE_MS);
  const { crashes, workers } = await group.until(
    ({ workers }) => workers.length === 1,
    "the old one to be gone",
  );
  assertEquals([crashes, workers[0]!.state], [1, "ready"]);
});

Deno.test("Application.exit() in a worker ends that worker, which is replaced", async () => {
  await using group = await Group.start({ workers: 1 });
  const pid = await group.ask("/leave");
  await group.program.until(new RegExp(`^after run\\(\\) ${pid}$`));
  assert(await group.ask() !== pid);
});

Deno.test("a worker whose program sends messages of its own over its pipe troubles nobody", async () => {
  await using group = await Group.start({ workers: 1 });
  const pid = await group.ask("/send");
  // Which goes over the same pipe, behind them.
  const { crashes, workers } = await group.status();
  assertEquals([crashes, workers.map(({ pid }) => pid)], [0, [Number(pid)]]);
  assertEquals(await group.ask(), pid);
});

Deno.test("a worker that ends while another still starts is replaced", async () => {
  const folder = await Deno.makeTempDir();
  try {
    using gate = new Gate();
    const path = `${folder}/a.sock`;
    await using program = Group.spawn({
      args: ["--bind", path, "--workers", "2"],
      env: gate.env,
    });
    const first = await gate.next();
    const second = await gate.next();
    first.open();
    using peer = await listening({ path });
    assertEquals(await askOn(peer), String(first.pid));
    await send(peer, "/exit");
    await program.until(
      new RegExp(`process ${first.pid}\\) ended with status 7: another takes`),
    );
    const third = await gate.next();
    for (const worker of [second, third]) worker.open();
    const group = await Group.of(program);
    assertEquals(
      (await group.pids()).sort(),
      [second.pid, third.pid].sort(),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Connects once somebody listens. */
async function listening(target: Target): Promise<Peer> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      return await Peer.connect(target);
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
