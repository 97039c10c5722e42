// FileSessionStore: the contract, and what may happen to files.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { FastCgiError } from "../../mod.ts";
import { FileSessionStore } from "../../src/sessions/file.ts";
import type { SessionStoreOptions } from "../../src/sessions/store.ts";
import { digestOf, newSessionId } from "../../src/sessions/store.ts";
import { Running } from "../support/running.ts";
import { CONTRACT, EXPIRY, read, start } from "./contract.ts";
import type { Place } from "./contract.ts";
import { Visitor } from "./visitor.ts";

/** A directory, with a clock that stands. */
interface Directory extends Place {
  directory: string;
  open(options?: SessionStoreOptions): FileSessionStore;
  elapse(seconds: number): void;
}

async function place(): Promise<Directory> {
  const directory = await Deno.makeTempDir();
  let now = Date.now();
  return {
    directory,
    open: (options) =>
      new FileSessionStore({ directory, ...options, now: () => now }),
    elapse: (seconds) => void (now += seconds * 1000),
    async [Symbol.asyncDispose]() {
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** The files of sessions in a directory, without those of locks. */
function filesIn(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => name)
    .filter((name) => !/^\.lock-[0-9a-v]$/.test(name));
}

for (const [name, hold] of [...CONTRACT, ...EXPIRY]) {
  Deno.test(`FileSessionStore ${name}`, async () => {
    await using here = await place();
    await hold(here);
    // Nothing is left that was not written to its end.
    const left = filesIn(here.directory).filter((name) => name.length !== 32);
    assertEquals(left, []);
  });
}

Deno.test("FileSessionStore keeps sessions where another process finds them, and tells no id", async () => {
  await using here = await place();
  const id = await start(here.open(), { a: "1" });
  assertEquals(await read(here.open(), id), { a: "1" });
  const files = Array.from(Deno.readDirSync(here.directory), (f) => f.name);
  assert(!files.some((name) => name.includes(id)), String(files));
  const file = `${here.directory}/${await digestOf(id)}`;
  assertEquals(await Deno.readTextFile(file), '{"a":1}');
  assertEquals((await Deno.stat(file)).mode! & 0o777, 0o600);
});

Deno.test("FileSessionStore makes its directory, for its user alone, and again where it was removed", async () => {
  await using here = await place();
  const directory = `${here.directory}/a/b/`;
  const store = new FileSessionStore({ directory });
  await store.read(newSessionId());
  assertEquals((await Deno.stat(directory)).mode! & 0o777, 0o700);
  const id = await start(store);
  await Deno.remove(directory, { recursive: true });
  assertEquals(await store.read(id), null);
  await assertRejects(() => start(store), Deno.errors.NotFound);
  await start(store);
});

Deno.test("FileSessionStore takes a file: URL", async () => {
  await using here = await place();
  const url = new URL(`file://${here.directory}/a%20b`);
  const id = await start(new FileSessionStore({ directory: url }), { a: "1" });
  const store = new FileSessionStore({ directory: `${here.directory}/a b` });
  assertEquals(await read(store, id), { a: "1" });
});

Deno.test("FileSessionStore refuses what is no directory", async () => {
  for (const none of ["", null, 5, new URL("http://a/b")]) {
    assertThrows(
      () => new FileSessionStore({ directory: none as string }),
      TypeError,
      "it takes a directory, a path or a file: URL",
    );
  }
  await using here = await place();
  const path = `${here.directory}/file`;
  await Deno.writeTextFile(path, "");
  const store = new FileSessionStore({ directory: path });
  await assertRejects(() => store.read(newSessionId()));
});

Deno.test("FileSessionStore refuses a directory that every user may write to", async () => {
  await using here = await place();
  await Deno.chmod(here.directory, 0o777);
  const error = await assertRejects(
    () => here.open().read(newSessionId()),
    FastCgiError,
    "every user may write there",
  );
  assertEquals(error.code, "SESSION_STORE");
});

Deno.test("FileSessionStore answers 500 while its directory cannot be read, and recovers", async () => {
  await using here = await place();
  const sessions = here.open();
  await using running = new Running(async (request, response) => {
    const session = await request.session();
    session.set("a", "kept");
    response.write("?");
  }, { sessions });
  const visitor = new Visitor(running.server);
  await visitor.ask();
  // A file in its place, for the superuser may read whatever there is.
  await Deno.rename(here.directory, `${here.directory}.away`);
  await Deno.writeTextFile(here.directory, "");
  const { status, text, stderr } = await visitor.ask();
  assertEquals(status, 500);
  assert(!text.includes(here.directory), text);
  assert(stderr.includes("Cannot read a session"), stderr);
  assert(stderr.includes(here.directory), stderr);
  assert(!stderr.includes(visitor.cookie!), "the log tells the id");
  await Deno.remove(here.directory);
  await Deno.rename(`${here.directory}.away`, here.directory);
  assertEquals((await visitor.ask()).status, 200);
});

const DAMAGES: [string, (file: string) => Promise<unknown>][] = [
  ["emptied", (file) => Deno.truncate(file)],
  ["cut", (file) => Deno.writeTextFile(file, '{"a":')],
  ["no JSON", (file) => Deno.writeTextFile(file, "\0\xff")],
  ["no object", (file) => Deno.writeTextFile(file, "[1]")],
  ["null", (file) => Deno.writeTextFile(file, "null")],
  ["longer", (file) => Deno.writeTextFile(file, '{"a":1}}')],
  ["huge", (file) => Deno.truncate(file, 10 * 1024 * 1024)],
  ["a directory", async (file) => {
    await Deno.remove(file);
    await Deno.mkdir(file);
  }],
  ["a symbolic link", async (file) => {
    await Deno.rename(file, `${file}.target`);
    await Deno.symlink(`${file}.target`, file);
  }],
];

Deno.test("FileSessionStore reads nothing out of a file that was tampered with, and says which", async () => {
  for (const [name, damage] of DAMAGES) {
    await using here = await place();
    const store = here.open();
    const id = await start(store, { a: "1" });
    const other = await start(store, { b: "2" });
    const file = `${here.directory}/${await digestOf(id)}`;
    await damage(file);
    const changes = new Map([["a", { value: "2" }]]);
    for (
      const use of [
        () => store.read(id),
        () => store.write(id, { from: id, changes }),
        () => store.write(newSessionId(), { from: id, changes }),
      ]
    ) {
      const error = await assertRejects(use, FastCgiError, file, name);
      assertEquals(error.code, "SESSION_STORE");
    }
    assertEquals(await read(store, other), { b: "2" });
    if (name !== "a directory") {
      await store.destroy(id);
      assertEquals(await store.read(id), null);
    }
  }
});

Deno.test("FileSessionStore takes a value that somebody wrote into a file as it is", async () => {
  await using here = await place();
  const store = here.open();
  const id = await start(store, { a: "1" });
  const file = `${here.directory}/${await digestOf(id)}`;
  await Deno.writeTextFile(file, '{ "a": [ 1 ],\n "__proto__": {"b": 1} }\n');
  const data = await store.read(id);
  assertEquals([...data!], [["a", "[1]"], ["__proto__", '{"b":1}']]);
});

Deno.test("FileSessionStore collects sessions that are over, a few with each write", async () => {
  await using here = await place();
  const store = here.open({ ttl: 10 });
  const ids = [];
  for (let i = 0; i < 40; i++) ids.push(await start(store, { n: String(i) }));
  here.elapse(60);
  const kept = await start(store);
  // Over, but not for long: another process may have another clock.
  assert(filesIn(here.directory).length >= 41);
  here.elapse(20);
  let writes = 0;
  while (filesIn(here.directory).length > writes + 1 && writes < 50) {
    await start(store);
    writes++;
  }
  // 16 with each.
  assert(writes >= 2 && writes <= 6, `${writes} writes`);
  assertEquals(await store.read(kept), null);
});

Deno.test("FileSessionStore collects all at once when it is told to, and what is its own alone", async () => {
  await using here = await place();
  const store = here.open({ ttl: 10 });
  for (let i = 0; i < 40; i++) await start(store);
  const foreign = ["README", "0".repeat(31), "0".repeat(33), "..x", "0.tmp"];
  for (const name of foreign) {
    await Deno.writeTextFile(`${here.directory}/${name}`, "");
    await Deno.utime(`${here.directory}/${name}`, 0, 0);
  }
  // What a process that was killed leaves behind.
  const unfinished = `${"0".repeat(32)}.${crypto.randomUUID()}.tmp`;
  await Deno.writeTextFile(`${here.directory}/${unfinished}`, "{");
  await Deno.mkdir(`${here.directory}/${"1".repeat(32)}`);
  here.elapse(100);
  const id = await start(store, { a: "1" });
  await store.collect();
  assertEquals(
    filesIn(here.directory).sort(),
    [...foreign, "1".repeat(32), await digestOf(id)].sort(),
  );
  assertEquals(await read(store, id), { a: "1" });
});

Deno.test("FileSessionStore collects without hurting what others use", async () => {
  await using here = await place();
  const stores = [here.open({ ttl: 10 }), here.open({ ttl: 10 })];
  const ids = await Promise.all(
    Array.from({ length: 30 }, () => start(stores[0]!, { a: "1" })),
  );
  for (let i = 0; i < 5; i++) {
    here.elapse(9);
    await Promise.all([
      stores[0]!.collect(),
      ...ids.map((id) => stores[1]!.refresh(id)),
      stores[1]!.collect(),
    ]);
  }
  for (const id of ids) assertEquals(await read(stores[0]!, id), { a: "1" });
});

Deno.test("FileSessionStore names the permission that is missing, and asks for none", async () => {
  await using here = await place();
  const url = new URL("../../src/sessions/file.ts", import.meta.url);
  const { directory } = here;
  const [readFlag, writeFlag] = ["read", "write"].map((name) =>
    `--allow-${name}=${directory}`
  );
  for (
    const [flags, missing] of [
      [[], `${readFlag} ${writeFlag}`],
      [["--allow-read"], writeFlag],
      [["--allow-write"], readFlag],
    ] as const
  ) {
    const code = `
      import { FileSessionStore } from ${JSON.stringify(url.href)};
      try {
        new FileSessionStore({ directory: "${here.directory}" });
      } catch (error) {
        console.log(error.name, error.code, error.message);
      }`;
    const file = `${here.directory}/program.ts`;
    await Deno.writeTextFile(file, code);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", ...flags, file],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    assertEquals(
      new TextDecoder().decode(stdout),
      "StartError PERMISSION_MISSING No permission to keep sessions in " +
        `${directory}: add ${missing}\n`,
      new TextDecoder().decode(stderr),
    );
  }
});
