// Workers that are replaced though nothing is wrong with them: because of
// SIGHUP, or of maxRequests.

import { assert, assertEquals } from "@std/assert";
import { STDOUT } from "../support/wire.ts";
import { Gate } from "./gate.ts";
import { gone } from "../support/processes.ts";
import { askOn, Group, PATIENCE_MS, PROGRAM, send } from "./group.ts";

const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** A program whose code can be changed. */
class Changing implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync();
  readonly main: string = `${this.folder}/main.ts`;
  readonly flags: readonly string[] = ["-A", "--config", CONFIG];

  change(code: string): void {
    Deno.writeTextFileSync(
      this.main,
      `${code}\nawait import("file://${PROGRAM}");\n`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("SIGHUP replaces all workers by what the program is now, and old ones finish", async () => {
  await using program = new Changing();
  program.change(`globalThis.version = "one";`);
  await using group = await Group.start(program);
  const before = await group.both();
  const [{ peer: busy, pid }, { peer: idle }] = before;
  assertEquals(await askOn(idle, "/version"), "one");
  await send(busy, "/wait");
  await busy.until(({ type }) => type === STDOUT);

  program.change(`globalThis.version = "two";`);
  group.program.signal("SIGHUP");
  await group.program.until(/^smisk: Reloaded 2 workers$/);
  assertEquals(await idle.toEnd(), []);
  idle.close();
  for (let i = 0; i < 20; i++) assertEquals(await group.ask("/version"), "two");
  const after = await group.pids();
  assert(before.every((old) => !after.includes(old.pid)), `${after}`);

  assertEquals(await askOn(busy, "/go-on", 2), String(pid));
  assertEquals((await busy.answer()).text, "waiting over");
  assertEquals(await busy.toEnd(), []);
  busy.close();
  const { reloads, crashes } = await group.status();
  assertEquals([reloads, crashes], [1, 0]);
});

Deno.test("SIGHUP leaves the workers alone where the program cannot start any more", async () => {
  await using program = new Changing();
  program.change(`globalThis.version = "one";`);
  await using group = await Group.start(program);
  const before = await group.pids();
  for (
    const broken of [
      "this is no program",
      `throw new Error("on purpose");`,
      `Deno.env.set("START", "fail");`,
    ]
  ) {
    program.change(broken);
    group.program.lines.length = 0;
    group.program.signal("SIGHUP");
    await group.program.until(/ ended with status 1 before it was ready$/);
    await group.program.until(
      /^smisk: Reloaded 0 of 2 workers: the others go on as they are$/,
    );
    assertEquals((await group.pids()).sort(), before.sort());
    assertEquals(await group.ask("/version"), "one");
  }
  program.change(`globalThis.version = "two";`);
  group.program.signal("SIGHUP");
  await group.program.until(/^smisk: Reloaded 2 workers$/);
  assertEquals(await group.ask("/version"), "two");
});

Deno.test("SIGHUP again and again reloads once more after the reload that is under way", async () => {
  await using group = await Group.start();
  const before = await group.pids();
  for (let i = 0; i < 10; i++) group.program.signal("SIGHUP");
  await group.until(({ reloads }) => reloads >= 1, "a reload");
  const { workers } = await group.until(
    ({ workers }) =>
      workers.length === 2 && workers.every(({ state }) => state === "ready"),
    "two workers",
  );
  assert(workers.every(({ pid }) => !before.includes(pid)));
  assert((await group.status()).reloads <= 3);
});

Deno.test("SIGHUP gives up a worker that is not ready within startTimeoutMs", async () => {
  await using program = new Changing();
  program.change(`globalThis.version = "one";`);
  await using group = await Group.start(program);
  const before = await group.pids();
  program.change(
    `Deno.env.set("START", "never"); Deno.env.set("startTimeoutMs", "1000");`,
  );
  group.program.signal("SIGHUP");
  const [, lost] = await group.program.until(
    /^smisk: Worker 1 \(process (\d+)\) was not ready after 1 s, and was killed$/,
  );
  await group.program.until(
    /^smisk: Reloaded 0 of 2 workers: the others go on as they are$/,
  );
  await gone(Number(lost), PATIENCE_MS);
  assertEquals((await group.pids()).sort(), before.sort());
});

Deno.test("SIGHUP while workers start replaces them once they are ready", async () => {
  using gate = new Gate();
  await using program = Group.spawn({ env: gate.env });
  const first = [await gate.next(), await gate.next()];
  program.signal("SIGHUP");
  for (const worker of first) worker.open();
  const group = await Group.of(program);
  (await gate.next()).open();
  (await gate.next()).open();
  await program.until(/^smisk: Reloaded 2 workers$/);
  const now = await group.pids();
  assert(first.every(({ pid }) => !now.includes(pid)), `${now}`);
  assertEquals(program.errors.length, 1, program.said);
});

Deno.test("SIGHUP while a worker waits to be replaced after crashes starts no more than its place has", async () => {
  await using program = new Changing();
  program.change("");
  await using group = await Group.start({ ...program, workers: 1 });
  for (let i = 0; i < 5; i++) {
    using peer = await group.connect();
    const pid = await askOn(peer);
    if (i === 4) program.change("this is no program");
    await send(peer, "/exit");
    await group.program.until(new RegExp(`process ${pid}\\) ended`));
  }
  group.program.signal("SIGHUP");
  await group.program.until(/^smisk: Reloaded 0 of 1 workers/);
  program.change(`globalThis.version = "two";`);
  assertEquals(await group.ask("/version"), "two");
  group.program.signal("SIGHUP");
  await group.program.until(/^smisk: Reloaded 1 workers$/);
  await group.until(({ workers }) => workers.length === 1, "one worker");
});

Deno.test("SIGTERM while SIGHUP replaces workers starts no other", async () => {
  using gate = new Gate();
  await using program = Group.spawn({ env: gate.env });
  (await gate.next()).open();
  (await gate.next()).open();
  const group = await Group.of(program);
  const { workers } = await group.status();
  const { pid } = workers.find(({ worker }) => worker === 1)!;
  program.signal("SIGHUP");
  const next = await gate.next();
  // It cannot tell that it takes nobody more, which is waited for.
  Deno.kill(pid, "SIGSTOP");
  try {
    next.open();
    await group.until(
      ({ workers }) =>
        workers.some((worker) =>
          worker.pid === pid && worker.state === "leaving"
        ),
      "the old one to be told to stop",
    );
    using peer = await group.connect();
    await askOn(peer);
    program.signal("SIGTERM");
    // It has been heard.
    assertEquals(await peer.toEnd(), []);
  } finally {
    Deno.kill(pid, "SIGCONT");
  }
  assertEquals((await program.end()).code, 0);
  assertEquals(program.errors, []);
  const starts = program.output.filter((line) => line.startsWith("start "));
  assertEquals(starts.length, 3);
});

Deno.test("maxRequests replaces workers, never two at once", async () => {
  await using group = await Group.start({ env: { maxRequests: "20" } });
  const { recycled, crashes, served } = await group.until(
    ({ recycled }) => recycled >= 3,
    "three workers to be replaced",
  );
  assert(recycled >= 3);
  assertEquals(crashes, 0);
  // None before it has served so many.
  assert(served >= 60, `served ${served}`);
  await group.program.until(/^stop /, 3);
  const events = group.program.output
    .map((line) => /^(start|stop) \d+$/.exec(line)?.[1])
    .filter((event) => event !== undefined).slice(2, 8);
  assertEquals(events.join(" "), "start stop start stop start stop");
  assertEquals(group.program.errors, []);
});

Deno.test("SIGHUP does not wait for a worker that maxRequests replaced and that still serves", async () => {
  await using group = await Group.start({
    workers: 1,
    env: { maxRequests: "10" },
  });
  using peer = await group.connect();
  const pid = Number(await askOn(peer));
  await send(peer, "/wait");
  await peer.until(({ type }) => type === STDOUT);
  await group.until(({ recycled }) => recycled === 1, "it to be replaced");
  group.program.signal("SIGHUP");
  await group.program.until(/^smisk: Reloaded 1 workers$/);
  const { workers } = await group.status();
  assertEquals(workers.find((worker) => worker.pid === pid)?.state, "leaving");
  assertEquals(await askOn(peer, "/go-on", 2), String(pid));
  assertEquals((await peer.answer()).text, "waiting over");
});
