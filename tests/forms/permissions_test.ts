// What form() says where a permission is missing, and that it never prompts.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Folder, namesIn } from "./asking.ts";
import { HAS_TERMINAL, start, upload } from "./programs.ts";

/** Asks for an upload that cannot be; gives what the log has of it. */
async function refused(
  flags: string[],
  query: Record<string, string> = {},
  env: Record<string, string> = {},
): Promise<string> {
  await using program = start(["--allow-net", ...flags], { env });
  const { status, stderr } = await upload(program, query);
  assertEquals(status, 500);
  const [line] = /No permission .*$/m.exec(stderr) ?? [];
  return line ?? stderr;
}

Deno.test("form() names the permission to write that is missing", async () => {
  await using folder = new Folder();
  const { path } = folder;
  const written = (where: string) =>
    `No permission to write uploaded files in ${where}: add --allow-write=${where}`;
  assertEquals(await refused([]), written("/tmp"));
  const env = { TMPDIR: path };
  assertEquals(await refused(["--allow-env"], {}, env), written(path));
  assertEquals(
    await refused([`--allow-write=/srv`], { directory: path }),
    written(path),
  );
});

Deno.test("stream() and move() name the permission that is missing", async () => {
  await using folder = new Folder();
  const { path } = folder;
  const write = `--allow-write=${path}`;
  const read = `--allow-read=${path}`;
  const directory = path;
  const missing = (name: string, where: string) =>
    `No permission to ${name} uploaded files in ${where}: add --allow-${name}=${where}`;
  assertEquals(
    await refused([write], { directory, stream: "" }),
    missing("read", path),
  );
  assertEquals(
    await refused([write], { directory, move: `${path}/kept` }),
    missing("read", path),
  );
  assertEquals(
    await refused([write, read], { directory, move: "/srv/a/kept" }),
    missing("write", "/srv/a"),
  );
  assertEquals(namesIn(path), []);
});

Deno.test("form() needs write permission for its directory alone, and stores in TMPDIR", async () => {
  await using folder = new Folder();
  const { path } = folder;
  await Deno.mkdir(`${path}/uploads`);
  const env = { TMPDIR: path };
  const runs: [
    flags: string[],
    query: Record<string, string>,
    where: string,
  ][] = [
    [[`--allow-write=${path}`, "--allow-env=TMPDIR"], {}, path],
    [["--allow-write"], {}, path],
    [
      [`--allow-write=${path}/uploads`],
      { directory: `${path}/uploads` },
      `${path}/uploads`,
    ],
    [
      [`--allow-write=${path}`, `--allow-read=${path}`, "--allow-env=TMPDIR"],
      { stream: "", move: `${path}/kept` },
      path,
    ],
  ];
  for (const [flags, query, where] of runs) {
    await using program = start(["--allow-net", ...flags], { env });
    const { status, text } = await upload(program, query);
    assertEquals(status, 200, text);
    const told = JSON.parse(text);
    assert(told.path.startsWith(`${where}/smisk-upload-`), told.path);
    assertEquals(told.size, 7);
    await program.stop();
    const left = namesIn(path).filter((name) => name.startsWith("smisk-"));
    assertEquals(left, []);
  }
  assertEquals(namesIn(path).sort(), ["kept", "uploads"]);
  assertEquals(await Deno.readTextFile(`${path}/kept`), "content");
});

Deno.test({
  name: `form() never prompts${
    HAS_TERMINAL ? "" : " (not run: script is not installed)"
  }`,
  ignore: !HAS_TERMINAL,
  async fn() {
    await using folder = new Folder();
    const { path } = folder;
    const write = `--allow-write=${path}`;
    const runs: [flags: string[], query: Record<string, string>][] = [
      [[], {}],
      // Write permission for a place that may not be the system's.
      [[write], {}],
      [[], { directory: path }],
      [[write], { directory: path, stream: "" }],
      [[write], { directory: path, move: `${path}/kept` }],
    ];
    for (const [flags, query] of runs) {
      await using program = start(["--allow-net", ...flags], {
        terminal: true,
        env: { TMPDIR: path },
      });
      const { status, stderr } = await upload(program, { ...query, exit: "" });
      await program.end();
      assertEquals(status, 500);
      assertMatch(stderr, /No permission to (?:read|write) uploaded files/);
      assert(!/requests|Allow\?/.test(program.said), program.said);
    }
  },
});
