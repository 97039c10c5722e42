// Workers that end, each in its own way: what it takes with it, and what not.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { within } from "../support/peer.ts";
import { STDOUT } from "../support/wire.ts";
import { askOn, gone, Group, send } from "./group.ts";

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
    await gone(lost);

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
  await using group = await Group.start({ workers: 1 });
  const pauses: number[] = [];
  for (let i = 0; i < 5; i++) {
    using peer = await group.connect();
    // Accepted, or in the queue until there is a worker again.
    const pid = await askOn(peer);
    await send(peer, "/exit");
    await peer.toEnd().catch(() => []);
    const [, pause] = await group.program.until(
      new RegExp(`process ${pid}\\).*: another (?:takes|starts in (\\d+))`),
    );
    pauses.push(Number(pause ?? 0));
  }
  assertEquals(pauses[0], 0);
  for (const [i, pause] of pauses.slice(1).entries()) {
    const expected = 100 * 2 ** i;
    assert(pause >= expected * 0.79 && pause <= expected * 1.21, `${pauses}`);
  }
});

Deno.test("a worker that stands still is killed and replaced, and the others go on", async () => {
  await using group = await Group.start({ env: { stuckTimeoutMs: "2000" } });
  const [{ pid: lost, peer: dying }, { pid: kept, peer: living }] = await group
    .both();
  await send(dying, "/loop");
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
});

Deno.test("a worker that is told to stop by a signal finishes its requests, and is replaced", async () => {
  await using group = await Group.start();
  const [{ pid, peer }, { peer: other }] = await group.both();
  await send(peer, "/wait");
  await peer.until(({ type }) => type === STDOUT);
  // The second forces nothing: a whole group may be told twice.
  Deno.kill(pid, "SIGTERM");
  Deno.kill(pid, "SIGTERM");
  Deno.kill(pid, "SIGINT");
  assertEquals(await askOn(peer, "/go-on", 2), String(pid));
  assertEquals((await peer.answer()).text, "waiting over");
  assertEquals(await peer.toEnd(), []);
  for (const one of [peer, other]) one.close();
  await group.program.until(
    new RegExp(
      `process ${pid}\\) ended with status 0: another takes its place`,
    ),
  );
  assert(!(await group.pids()).includes(pid));
});

Deno.test("Application.exit() in a worker ends that worker, which is replaced", async () => {
  await using group = await Group.start({ workers: 1 });
  const pid = await group.ask("/leave");
  await group.program.until(new RegExp(`^after run\\(\\) ${pid}$`));
  assert(await group.ask() !== pid);
});
