// KvSessionStore: the contract, on a database in a file.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { LimitError } from "../../mod.ts";
import { KvSessionStore } from "../../src/sessions/kv.ts";
import type { KvSessionStoreOptions } from "../../src/sessions/kv.ts";
import { digestOf, newSessionId } from "../../src/sessions/store.ts";
import { CONTRACT, EXPIRY, read, start } from "./contract.ts";
import type { Place } from "./contract.ts";

/** A database in a file, with a clock that stands. */
interface Database extends Place {
  path: string;
  open(options?: KvSessionStoreOptions): KvSessionStore;
}

async function place(): Promise<Database> {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/sessions.db`;
  let now = Date.now();
  const stores: KvSessionStore[] = [];
  return {
    path,
    open(options) {
      stores.push(new KvSessionStore({ path, now: () => now, ...options }));
      return stores.at(-1)!;
    },
    elapse: (seconds) => void (now += seconds * 1000),
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

for (const [name, hold] of [...CONTRACT, ...EXPIRY]) {
  Deno.test(`KvSessionStore ${name}`, async () => {
    await using here = await place();
    await hold(here);
  });
}

Deno.test("KvSessionStore keeps sessions under its prefix, and tells no id", async () => {
  await using here = await place();
  using kv = await Deno.openKv(here.path);
  const id = await start(here.open(), { a: "1" });
  const other = await start(here.open({ prefix: ["x", 1] }), { b: "2" });
  const keys = [];
  for await (const { key } of kv.list({ prefix: [] })) keys.push(key);
  assertEquals(keys, [
    ["smisk", "sessions", await digestOf(id)],
    ["x", 1, await digestOf(other)],
  ]);
  assertEquals(await here.open({ prefix: ["y"] }).read(id), null);
});

Deno.test("KvSessionStore takes a database that is open, and leaves it open", async () => {
  using kv = await Deno.openKv(":memory:");
  let id: string;
  {
    await using store = new KvSessionStore({ kv });
    id = await start(store, { a: "1" });
  }
  await using store = new KvSessionStore({ kv });
  assertEquals(await read(store, id), { a: "1" });
});

Deno.test("KvSessionStore opens its database again once it was closed", async () => {
  await using here = await place();
  const store = here.open();
  const id = await start(store, { a: "1" });
  await store.close();
  await store.close();
  assertEquals(await read(store, id), { a: "1" });
});

Deno.test("KvSessionStore holds as much as Deno KV takes, and refuses more by its own error", async () => {
  await using here = await place();
  assertThrows(
    () => here.open({ maxBytes: 60_001 }),
    RangeError,
    "Cannot set maxBytes to 60001: it takes a whole number of 64 to 60000",
  );
  const store = here.open({ maxBytes: 60_000 });
  const value = `"${"x".repeat(60_000 - 7)}"`;
  const id = await start(store, { a: value });
  assertEquals(await read(store, id), { a: value });
  // One of many short keys is longer by what stands around them.
  const many = Object.fromEntries(
    Array.from({ length: 7000 }, (_, i) => [i.toString(36), "1"]),
  );
  assertEquals(
    Object.keys((await read(store, await start(store, many)))!).length,
    7000,
  );
  // A key takes more as JSON than it counts for.
  const controls = "\0".repeat(20_000);
  await assertRejects(() => start(store, { [controls]: "1" }), LimitError);
});

Deno.test("KvSessionStore says where the database cannot be opened", async () => {
  await using here = await place();
  const store = here.open({ path: `${here.path}/none/sessions.db` });
  await assertRejects(() => store.read(newSessionId()), Error);
});

Deno.test("KvSessionStore says at once that Deno KV or a permission is missing", async () => {
  const url = new URL("../../src/sessions/kv.ts", import.meta.url);
  await using here = await place();
  const program = `${here.path}.ts`;
  await Deno.writeTextFile(
    program,
    `
    import { KvSessionStore } from ${JSON.stringify(url.href)};
    try {
      new KvSessionStore({ path: "/nowhere/sessions.db" });
    } catch (error) {
      console.log(error.name, error.code, error.message);
    }`,
  );
  for (
    const [flag, said] of [
      [
        "--no-prompt",
        "StartError CANNOT_START Cannot keep sessions in Deno KV: Deno was " +
        "started without it. Add --unstable-kv, or ",
      ],
      [
        "--unstable-kv",
        "StartError PERMISSION_MISSING No permission to keep sessions in " +
        "/nowhere/sessions.db: add --allow-read=/nowhere/sessions.db " +
        "--allow-write=/nowhere/sessions.db\n",
      ],
    ] as const
  ) {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--no-config", flag, program],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(text.startsWith(said), text + new TextDecoder().decode(stderr));
  }
});

Deno.test("KvSessionStore is checked without the types of Deno KV", async () => {
  const path = new URL("../../src/sessions/kv.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--no-config", path],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});
