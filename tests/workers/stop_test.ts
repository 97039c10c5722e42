// Stopping a program with workers, and what becomes of them without it.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { inFolder } from "../support/folder.ts";
import { refused, within } from "../support/peer.ts";
import { STDOUT } from "../support/wire.ts";
import { gone } from "../support/processes.ts";
import { askOn, Group, PATIENCE_MS, send } from "./group.ts";
import type { Known } from "./group.ts";

/** Lets both workers have a request in flight. */
async function waiting(group: Group): Promise<[Known, Known]> {
  const both = await group.both();
  for (const { peer } of both) {
    await send(peer, "/wait");
    await peer.until(({ type }) => type === STDOUT);
  }
  return both;
}

for (const isUnix of [false, true]) {
  Deno.test(`SIGTERM lets all workers finish over ${isUnix ? "a Unix socket" : "TCP"}, and takes nobody more`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/a.sock`;
      const bind = isUnix ? path : "127.0.0.1:0";
      await using group = await Group.start({
        args: ["--bind", bind, "--workers", "2"],
      });
      const idle = await group.connect();
      await askOn(idle);
      const both = await waiting(group);
      group.program.signal("SIGTERM");
      assertEquals(await idle.toEnd(), []);
      idle.close();
      await refused(group.targets[0]!);
      if (isUnix) {
        await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
      }
      for (const { pid, peer } of both) {
        assertEquals(await askOn(peer, "/go-on", 2), String(pid));
        assertEquals((await peer.answer()).text, "waiting over");
        assertEquals(await peer.toEnd(), []);
        peer.close();
      }
      const { code, signal } = await group.program.end();
      assertEquals([code, signal], [0, null]);
      const ends = group.program.output.slice(-5);
      // Each worker goes on behind run(), and this process does last of all.
      assertEquals(ends.at(-1), `after run() ${group.program.pid}`);
      for (const { pid } of both) {
        assert(ends.includes(`stop ${pid}`), `${ends}`);
        assert(ends.includes(`after run() ${pid}`), `${ends}`);
      }
      assertEquals(group.program.errors, []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

for (const signal of ["SIGTERM", "SIGHUP"] as const) {
  Deno.test(`${signal} as soon as there is a socket leaves no file behind`, async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/a.sock`;
      await using program = Group.spawn({
        args: ["--bind", path, "--workers", "2"],
      });
      await exists(path);
      program.signal(signal);
      // There is nothing to reload yet, and nothing stops for it.
      if (signal === "SIGHUP") {
        await Group.of(program);
        program.signal("SIGTERM");
      }
      const ended = await program.end();
      assertEquals([ended.code, ended.signal], [0, null]);
      assertEquals([...Deno.readDirSync(folder)], []);
    });
  });
}

/** Waits for a file. */
async function exists(path: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      Deno.lstatSync(path);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

Deno.test("a second signal ends all workers at once", async () => {
  await using group = await Group.start();
  const both = await waiting(group);
  const idle = await group.connect();
  await askOn(idle);
  group.program.signal("SIGINT");
  // The first has been heard.
  assertEquals(await idle.toEnd(), []);
  idle.close();
  group.program.signal("SIGTERM");
  for (const { peer } of both) {
    await within(peer.toEnd().catch(() => {}), "the connection to end");
    peer.close();
  }
  assertEquals((await group.program.end()).code, 0);
  for (const { pid } of both) await gone(pid, PATIENCE_MS);
});

Deno.test("shutdownTimeoutMs bounds the stop of a worker", async () => {
  await using group = await Group.start({ env: { shutdownTimeoutMs: "100" } });
  const both = await waiting(group);
  group.program.signal("SIGTERM");
  for (const { peer } of both) {
    await within(peer.toEnd().catch(() => {}), "the connection to end");
    peer.close();
  }
  assertEquals((await group.program.end()).code, 0);
});

Deno.test("a stop ends a worker that stands still", async () => {
  await using group = await Group.start({
    env: { stuckTimeoutMs: "2000", shutdownTimeoutMs: "100" },
  });
  const [{ peer }, { peer: other }] = await group.both();
  await send(peer, "/loop");
  group.program.signal("SIGTERM");
  assertEquals((await group.program.end()).code, 0);
  for (const one of [peer, other]) one.close();
});

Deno.test("a stop ends workers that have not started yet", async () => {
  await using program = Group.spawn({ env: { START: "never" } });
  // Both run, and neither will ever be ready.
  const children = `/proc/${program.pid}/task/${program.pid}/children`;
  await within(
    (async () => {
      for (;;) {
        const text = await Deno.readTextFile(children);
        if (text.trim().split(" ").length === 2) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })(),
    "two workers",
  );
  program.signal("SIGTERM");
  assertEquals((await program.end()).code, 0);
  assertEquals(program.output.filter((line) => /ready|Listen/.test(line)), []);
});

Deno.test("workers stop gracefully when the process that keeps them is gone", async () => {
  await using group = await Group.start();
  const both = await waiting(group);
  group.program.signal("SIGKILL");
  for (const { pid, peer } of both) {
    assertEquals(await askOn(peer, "/go-on", 2), String(pid));
    assertEquals((await peer.answer()).text, "waiting over");
    assertEquals(await peer.toEnd(), []);
    peer.close();
  }
  for (const { pid } of both) await gone(pid, PATIENCE_MS);
  await refused(group.targets[0]!);
});
