// The flags that concern the process and its socket files, with workers.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { askOn, Group } from "./group.ts";
import { inFolder } from "../support/folder.ts";

function modeOf(path: string): number {
  return Deno.lstatSync(path).mode! & 0o777;
}

Deno.test("--pidfile, --umask and --chdir concern the process that keeps the workers, and them", () =>
  inFolder(async (folder) => {
    await using group = await Group.start({
      args: [
        ...["--chdir", folder, "--bind", "./a.sock", "--workers", "2"],
        ...["--pidfile", "pid", "--umask", "0077", "--access-log", "log"],
      ],
    });
    const pid = () => Deno.readTextFileSync(`${folder}/pid`);
    assertEquals(pid(), `${group.program.pid}\n`);
    assertEquals(modeOf(`${folder}/pid`), 0o600);
    assertEquals(modeOf(`${folder}/a.sock`), 0o700);
    assertEquals(modeOf(`${folder}/log`), 0o600);
    const target = { path: `${folder}/a.sock` };
    const [, directory] = JSON.parse(await group.ask("/environment", target));
    assertEquals(directory, folder);
    // The next workers find their way as the first did.
    group.program.signal("SIGHUP");
    await group.program.until(/^smisk: Reloaded 2 workers$/);
    assertEquals(
      JSON.parse(await group.ask("/environment", target))[1],
      folder,
    );
    assertEquals(pid(), `${group.program.pid}\n`);
    assertEquals((await group.program.stop()).code, 0);
    for (const name of ["pid", "a.sock"]) {
      await assertRejects(
        () => Deno.lstat(`${folder}/${name}`),
        Deno.errors.NotFound,
      );
    }
  }));

Deno.test("--bind replaces a stale socket file, and leaves one that workers serve alone", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a.sock`;
    const args = ["--bind", path, "--workers", "2"];
    const stale = await Group.start({ args });
    // Nobody is left to remove the file.
    const pids = await stale.pids();
    stale.program.signal("SIGKILL");
    await stale.program.end();
    assert(Deno.lstatSync(path).isSocket);

    await using group = await Group.start({ args });
    const now = await group.pids();
    assert(pids.every((pid) => !now.includes(pid)));
    await using second = Group.spawn({ args });
    assertEquals((await second.end()).code, 1);
    assertEquals(second.errors.length, 1);
    assertMatch(second.errors[0]!, /a\.sock: the address is in use/);
    assertEquals((await group.pids()).sort(), now.sort());
  }));

Deno.test("--allow closes connections from elsewhere in every worker", async () => {
  const bind = ["--bind", "127.0.0.1:0", "--workers", "2"];
  await using group = await Group.start({
    args: [...bind, "--allow", "192.0.2.1"],
  });
  for (let i = 0; i < 8; i++) {
    using peer = await group.connect();
    assertEquals(await peer.toEnd().catch(() => []), []);
  }
  await group.program.until(/connection from 127\.0\.0\.1: it is not among/);
  await using open = await Group.start({
    args: [...bind, "--allow", "127.0.0.0/8"],
  });
  using peer = await open.connect();
  assertMatch(await askOn(peer), /^\d+$/);
});

Deno.test("a program whose environment has the variable of workers by chance starts them all the same", async () => {
  await using group = await Group.start({ env: { SMISK_WORKER: "1" } });
  assertEquals((await group.pids()).length, 2);
});
