// Several processes with the sessions of one store: whatever they are asked at
// the same time, no write is lost that was answered for.

import { assert, assertEquals } from "@std/assert";
import { FileSessionStore } from "../../src/sessions/file.ts";
import { within } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { read, start } from "./contract.ts";
import { RedisServer } from "./redis_server.ts";
import type { Visit } from "./visitor.ts";
import { Visitor } from "./visitor.ts";

const PROGRAM = new URL("./program.ts", import.meta.url).pathname;

/** Starts the program. */
function program(...args: string[]): Program {
  return new Program(Deno.execPath(), {
    args: ["run", "--no-check", "-A", PROGRAM, ...args],
  });
}

/** Processes that serve, each with an address. */
class Processes implements AsyncDisposable {
  readonly #programs: Program[] = [];
  readonly servers: { addr: Deno.Addr }[] = [];

  static async start(kind: string, place: string, count = 3) {
    const processes = new Processes();
    for (let i = 0; i < count; i++) {
      processes.#programs.push(program(kind, place));
    }
    try {
      for (const running of processes.#programs) {
        const [, port] = await running.until(/^Listening .* 127.0.0.1:(\d+)$/);
        const addr = { hostname: "127.0.0.1", port: Number(port) };
        processes.servers.push({ addr: { transport: "tcp", ...addr } });
      }
    } catch (error) {
      await processes[Symbol.asyncDispose]();
      throw error;
    }
    return processes;
  }

  /** Visits a path of one of them. */
  visit(i: number, cookie: string | null, path: string): Promise<Visit> {
    const server = this.servers[i % this.servers.length]!;
    return new Visitor(server, { cookie }).ask(path);
  }

  async [Symbol.asyncDispose]() {
    await Promise.all(this.#programs.map((running) => running.stop()));
  }
}

/** Asks all of them, a few requests of each at the same time. */
async function together(
  processes: Processes,
  cookie: string,
  paths: string[],
): Promise<number[]> {
  const visits = await Promise.all(
    paths.map((path, i) => processes.visit(i, cookie, path)),
  );
  return visits.map(({ status }) => status);
}

async function holdTogether(kind: string, place: string): Promise<void> {
  await using processes = await Processes.start(kind, place);
  const first = new Visitor(processes.servers[0]!);
  await first.ask("/set?start=1");
  const cookie = first.cookie!;

  const keys = Array.from({ length: 24 }, (_, i) => `k${i}`);
  const set = keys.map((key) => `/set?${key}=of-${key}`);
  assertEquals(await together(processes, cookie, set), keys.map(() => 200));
  for (const i of [0, 1, 2]) {
    const { text } = await processes.visit(i, cookie, `/get?${keys.join("&")}`);
    assertEquals(text, keys.map((key) => `of-${key}\n`).join(""));
  }

  const updates = Array<string>(24).fill("/update");
  assertEquals(
    await together(processes, cookie, updates),
    updates.map(() => 200),
  );
  assertEquals((await processes.visit(1, cookie, "/get?n")).text, "24\n");

  // Got and set: those that others came in between of say so.
  const increases = Array<string>(24).fill("/increase");
  const statuses = await together(processes, cookie, increases);
  const stored = statuses.filter((status) => status === 200).length;
  assertEquals(statuses.filter((status) => status === 409).length, 24 - stored);
  assert(stored > 0, "none came through");
  const { text } = await processes.visit(2, cookie, "/get?n");
  assertEquals(text, `${24 + stored}\n`);

  // One alone gives it another id, and every other finds the old one dead.
  const visits = await Promise.all(
    Array.from(
      { length: 6 },
      (_, i) => processes.visit(i, cookie, "/regenerate"),
    ),
  );
  const moved = visits.filter(({ setCookies }) => setCookies.length > 0);
  assertEquals(moved.length, 1);
  const next = moved[0]!.setCookies[0]!.split(";")[0]!;
  for (const i of [0, 1, 2]) {
    const { text } = await processes.visit(i, cookie, "/get?start");
    assertEquals(text, "undefined\n");
    assertEquals((await processes.visit(i, next, "/get?start")).text, "1\n");
  }

  // Ended while others write: it does not come back.
  const statusesOfEnd = await together(processes, next, [
    ...Array.from({ length: 9 }, (_, i) => `/set?late=${i}`),
    "/destroy",
    ...Array.from({ length: 9 }, (_, i) => `/set?late=${i}`),
  ]);
  assertEquals(statusesOfEnd[9], 200);
  assert(
    statusesOfEnd.every((status) => status === 200 || status === 409),
    String(statusesOfEnd),
  );
  assertEquals(
    (await processes.visit(0, next, "/get?start")).text,
    "undefined\n",
  );
}

Deno.test("processes with sessions in files lose no write that was answered for", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await holdTogether("files", directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("processes with sessions in Deno KV lose no write that was answered for", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await holdTogether("KV", `${directory}/sessions.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

const ignore = !RedisServer.isInstalled;
Deno.test({
  name: "processes with sessions in Redis lose no write that was answered for" +
    (ignore ? " (redis-server is not installed)" : ""),
  ignore,
  async fn() {
    await using server = await RedisServer.start();
    await holdTogether("Redis", server.path);
  },
});

Deno.test("a process that is killed amid a write leaves the old session or the new", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const store = new FileSessionStore({ directory, maxBytes: 32 * 1024 });
    const id = await start(store, { value: '""' });
    for (let i = 0; i < 8; i++) {
      await using writing = program("files", directory, id);
      // By the time it is told it is somewhere in the midst of another.
      await writing.until(new RegExp(`^stored ${5 * i}$`));
      await writing.stop("SIGKILL");
      const { value } = (await read(store, id))!;
      assertEquals(value!.length, 30_002);
      assert(/^"(a+|b+)"$/.test(value!), "half of one, half of the other");
      // Nor does it keep a lock.
      const changes = new Map([["other", { value: String(i) }]]);
      const written = store.write(id, { from: id, changes });
      assertEquals(await within(written, "the lock"), "stored");
    }
    await store.collect();
    assertEquals((await read(store, id))!.other, "7");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
