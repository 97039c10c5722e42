// smisk check: whether there is a socket, and who may connect to it.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { IS_ROOT } from "../live/web_server.ts";
import { inFolder } from "../support/folder.ts";
import { Running } from "../support/running.ts";
import { check, lineOf } from "./checking.ts";

// Where nobody listens

Deno.test("smisk check says that nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { code, lines } = await check(`127.0.0.1:${port}`);
  assertEquals([code, lines], [1, [
    `problem  Nobody listens on 127.0.0.1:${port}: start the program, or look for its address in the line it prints`,
  ]]);
});

Deno.test("smisk check says that there is no such host", async () => {
  const { code, lines } = await check("no-host.invalid:9000");
  assertEquals(code, 1);
  assertMatch(
    lines[0]!,
    /^problem {2}There is no host no-host\.invalid: its name cannot be resolved$/,
  );
});

Deno.test("smisk check says what a socket is that is none", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const stale = `${folder}/stale.sock`;
    await makeStale(stale);
    const cases: [path: string, text: string][] = [
      [`${folder}/a.sock`, `There is no ${folder}/a.sock: the program does`],
      [
        `${folder}/none/deep/a.sock`,
        `There is no ${folder}/none/deep/a.sock, for there is not even the directory ${folder}/none/deep: make it`,
      ],
      [`${folder}/file`, `${folder}/file is a regular file, not a socket`],
      [folder, `${folder} is a directory, not a socket`],
      [stale, `Nobody listens on ${stale} any more: the program that made it`],
    ];
    for (const [path, text] of cases) {
      const { code, lines } = await check(path);
      assertEquals(code, 1);
      assert(
        lineOf(lines, "problem").startsWith(`problem  ${text}`),
        lines.join("\n"),
      );
    }
  });
});

/** Leaves the file of a socket behind, as a program that was killed does. */
async function makeStale(path: string): Promise<void> {
  const code = `Deno.listen({ transport: "unix", path: ${
    JSON.stringify(path)
  } }); Deno.kill(Deno.pid, "SIGKILL");`;
  await new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
}

// Who may connect

Deno.test("smisk check says who may connect to a socket", async () => {
  await inFolder(async (folder) => {
    await Deno.chmod(folder, 0o755);
    const path = `${folder}/a.sock`;
    await using running = new Running((_, response) => {
      response.write("x");
    });
    const listened = running.app.listen({ path });
    try {
      const at = async (mode: number, ...args: string[]) => {
        await Deno.chmod(path, mode);
        return await check(path, ...args);
      };
      const open = await at(0o666);
      assertEquals([open.code, open.lines.length], [0, 4]);
      assertEquals(
        open.lines[0],
        `ok       ${path} is a socket; everybody may connect`,
      );
      const shut = await at(0o700);
      assertEquals(shut.code, 0);
      assertMatch(
        lineOf(shut.lines, "warning"),
        /^warning {2}Nobody but \S+ may connect to .*start the program with --mode 0660/,
      );
      const grouped = await at(0o660);
      assertMatch(grouped.lines[0]!, / and the group \S+ may connect$/);
      assertEquals(grouped.code, 0);

      const allowed = await at(0o666, "--user=nobody");
      assertEquals(allowed.lines[1], "ok       nobody may connect to it");
      const refused = await at(0o660, "--user=nobody");
      assertEquals(refused.code, 1);
      assertMatch(
        lineOf(refused.lines, "problem"),
        /^problem {2}nobody may not connect to .* \(mode 0660 of \S+ and the group \S+\): start the program with --mode 0660/,
      );
      const root = await at(0o600, "--user=root");
      assertEquals(root.lines[1], "ok       root may connect to it");
      const unknown = await at(0o600, "--user=no-such-user");
      assertMatch(
        lineOf(unknown.lines, "problem"),
        /There is no user no-such-user on this machine/,
      );
      await Deno.chmod(folder, 0o700);
      const hidden = await at(0o666, "--user=nobody");
      assertMatch(
        lineOf(hidden.lines, "problem"),
        /^problem {2}nobody may not enter .*, and so not reach the socket: chmod o\+x /,
      );
    } finally {
      await listened.abort();
    }
  });
});

/** Runs the command as a user who may do little; null where none can be. */
function asNobody(args: readonly string[]): Deno.CommandOutput | null {
  if (!IS_ROOT) return null;
  const folder = Deno.makeTempDirSync();
  try {
    Deno.chmodSync(folder, 0o777);
    return new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "-A", CLI, ...args],
      env: { DENO_DIR: folder, NO_COLOR: "1" },
      // Those of nobody, and of nogroup.
      uid: 65534,
      gid: 65534,
      stdin: "null",
    }).outputSync();
  } catch {
    return null;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const CLI = new URL("../../src/cli/cli.ts", import.meta.url).pathname;

/** What it finds for the user who runs this, or for nobody if that is root. */
async function checkAsOther(path: string): Promise<string[]> {
  if (!IS_ROOT) return (await check(path)).lines;
  const { code, stdout } = asNobody(["check", path])!;
  assertEquals(code, 1);
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

/** The superuser may do anything, and another may not be able to read this. */
const IS_ALONE = IS_ROOT && !asNobody(["--version"])?.success;

Deno.test({
  name: "smisk check says that the user who runs it may not look or connect" +
    (IS_ALONE ? " (not run: nobody may not read the sources or Deno)" : ""),
  ignore: IS_ALONE,
  async fn() {
    await inFolder(async (folder) => {
      await Deno.chmod(folder, 0o755);
      const path = `${folder}/a.sock`;
      await using running = new Running(() => {});
      const listened = running.app.listen({ path, mode: 0 });
      try {
        assertMatch(
          lineOf(await checkAsOther(path), "problem"),
          /This user may not connect to .*: run the check as the web server's user/,
        );
        await Deno.chmod(folder, 0);
        assertMatch(
          lineOf(await checkAsOther(path), "problem"),
          /This user may not look at .*: .* lets in others/,
        );
      } finally {
        await Deno.chmod(folder, 0o700);
        await listened.abort();
      }
    });
  },
});
