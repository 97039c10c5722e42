// Workers that are replaced though nothing is wrong with them: because of
// SIGHUP, or of maxRequests.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { STDOUT } from "../support/wire.ts";
import { askOn, Group, PROGRAM, send } from "./group.ts";

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
  const events = group.program.output
    .map((line) => /^(start|stop) \d+$/.exec(line)?.[1])
    .filter((event) => event !== undefined).slice(2, 8);
  assertEquals(events.join(" "), "start stop start stop start stop");
  assertMatch(group.program.errors.join("\n"), /^$/);
});
