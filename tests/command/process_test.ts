// --pidfile, --chdir and --umask, as a user sees them.

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { deno, ended, HELLO, program } from "./programs.ts";
import { inFolder } from "../support/folder.ts";

function exists(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}

Deno.test("run() with --pidfile has its process id there when it says that it listens, and nothing once it has stopped", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/own.pid`;
    await Deno.writeTextFile(path, "999999999 of one that crashed\n");
    await using running = deno([
      "--allow-net",
      `--allow-read=${path}`,
      `--allow-write=${path}`,
      HELLO,
      "--bind=127.0.0.1:0",
      `--pidfile=${path}`,
    ], {});
    await running.until(/^Listening/);
    assertEquals(await Deno.readTextFile(path), `${running.pid}\n`);
    assertEquals((await running.stop()).code, 0);
    assertEquals([await exists(path), running.errors], [false, []]);
  });
});

Deno.test("run() with --pidfile leaves the file of its successor alone, and misses none that was removed", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/own.pid`;
    for (const text of ["1\n", null]) {
      await using running = program(["--bind=127.0.0.1:0", "--pidfile", path]);
      await running.until(/^Listening/);
      if (text === null) await Deno.remove(path);
      else await Deno.writeTextFile(path, text);
      assertEquals((await running.stop()).code, 0);
      assertEquals(running.errors, []);
      assertEquals(await exists(path), text !== null);
      if (text !== null) assertEquals(await Deno.readTextFile(path), text);
    }
  });
});

Deno.test("run() with --pidfile leaves the file alone where another listens, and no socket where it cannot be written", async () => {
  await inFolder(async (folder) => {
    const socket = `${folder}/a.sock`;
    const path = `${folder}/own.pid`;
    await using running = program(["--bind", socket, "--pidfile", path]);
    await running.until(/^Listening/);
    const second = await ended(program(["--bind", socket, "--pidfile", path]));
    assertEquals([second.code, second.errors.length], [1, 1]);
    assertEquals(await Deno.readTextFile(path), `${running.pid}\n`);

    const other = `${folder}/b.sock`;
    const { code, output, errors } = await ended(
      program(["--bind", other, "--pidfile", `${folder}/none/own.pid`]),
    );
    assertEquals([code, output, errors.length], [1, [], 1]);
    assertMatch(
      errors[0]!,
      /^smisk: Cannot write the process id to .*\/none\/own\.pid: /,
    );
    assertEquals(await exists(other), false);
  });
});

Deno.test("run() with --chdir and --umask does so before it makes its files", async () => {
  await inFolder(async (folder) => {
    await using running = program([
      "--pidfile=own.pid",
      "--bind=./a.sock",
      "--umask=0077",
      `--chdir=${folder}`,
    ]);
    await running.until(/^Listening for FastCGI on \.\/a\.sock$/);
    for (const name of ["own.pid", "a.sock"]) {
      const { mode } = await Deno.stat(`${folder}/${name}`);
      assertEquals(mode! & 0o077, 0, name);
    }
    assertEquals((await running.stop()).code, 0);
    assertEquals(Array.from(Deno.readDirSync(folder)), []);
  });
});

Deno.test("run() says in one line that --chdir leads nowhere, and never listens", async () => {
  await inFolder(async (folder) => {
    const nowhere = `${folder}/nowhere`;
    const { code, output, errors } = await ended(
      program(["--bind=127.0.0.1:0", "--chdir", nowhere]),
    );
    assertEquals([code, output, errors.length], [1, [], 1]);
    assertMatch(errors[0]!, /^smisk: Cannot go to .*\/nowhere: .*No such file/);
    await assertRejects(() => Deno.lstat(nowhere), Deno.errors.NotFound);
  });
});
