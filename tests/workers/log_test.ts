// What workers write to one file or pipe: their lines stay whole.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { within } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { request } from "../support/wire.ts";
import { Group, PROGRAM } from "./group.ts";
import { inFolder } from "../support/folder.ts";

const FORMAT = "%p [%q] end";
const LINE = /^\d+ \[a*\] end$/;
const QUERY = "a".repeat(300);
const COUNT = 1000;

/** Asks each of two workers so often; gives their process ids. */
async function askBoth(group: Group): Promise<number[]> {
  const both = await group.both();
  for (const { peer } of both) {
    const params = { REQUEST_URI: `/?${QUERY}`, QUERY_STRING: QUERY };
    for (let i = 0; i < COUNT; i++) {
      await peer.send(request({ params }));
      await peer.answer();
    }
    peer.close();
  }
  return both.map(({ pid }) => pid);
}

function check(text: string, pids: readonly number[]): void {
  const lines = text.trimEnd().split("\n");
  assertEquals(lines.filter((line) => !LINE.test(line)), []);
  for (const pid of pids) {
    const own = lines.filter((line) => line === `${pid} [${QUERY}] end`);
    assertEquals(own.length, COUNT);
  }
}

const args = ["--bind", "127.0.0.1:0", "--workers", "2"];

Deno.test("workers write whole lines to one accessLog, also after it was renamed", () =>
  inFolder(async (folder) => {
    const log = `${folder}/access.log`;
    await using group = await Group.start({
      args: [...args, "--access-log", log, "--access-format", FORMAT],
    });
    const pids = await askBoth(group);
    await Deno.rename(log, `${log}.1`);
    assertEquals((await askBoth(group)).sort(), [...pids].sort());
    await group.program.stop();
    const old = Deno.readTextFileSync(`${log}.1`);
    const now = Deno.readTextFileSync(log);
    assertMatch(old + now, /end\n$/);
    const both = (old + now).trimEnd().split("\n");
    assertEquals(both.filter((line) => !LINE.test(line)), []);
    const asked = both.filter((line) => line.includes(QUERY));
    assertEquals(asked.length, 4 * COUNT);
  }));

Deno.test("workers write whole lines to one pipe, also while it is full", () =>
  inFolder(async (folder) => {
    const pipe = `${folder}/pipe`;
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    const command = [Deno.execPath(), "run", "-A", "--no-check", PROGRAM];
    const program = new Program("sh", {
      args: [
        ...["-c", 'exec "$@" 2> "$PIPE"', "sh", ...command, ...args],
        ...["--access-log", "stderr", "--access-format", FORMAT],
      ],
      env: { PIPE: pipe },
    });
    using reader = await within(Deno.open(pipe), "the pipe to be opened");
    await using group = await Group.of(program);
    // More than a pipe holds, of which nothing is read yet.
    const pids = await askBoth(group);
    assert(2 * COUNT * QUERY.length > 64 * 1024);
    const all = new Response(reader.readable).text();
    await program.stop();
    check(await within(all, "the end of the pipe"), pids);
  }));
