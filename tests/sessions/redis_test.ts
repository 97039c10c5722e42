// RedisSessionStore: the contract, against a real server, and what may happen
// to one.

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { FastCgiError } from "../../mod.ts";
import { RedisSessionStore } from "../../src/sessions/redis.ts";
import type { RedisSessionStoreOptions } from "../../src/sessions/redis.ts";
import { digestOf, newSessionId } from "../../src/sessions/store.ts";
import { within } from "../support/peer.ts";
import { Running } from "../support/running.ts";
import { CONTRACT, read, start } from "./contract.ts";
import type { Place } from "./contract.ts";
import { RedisServer } from "./redis_server.ts";
import { Visitor } from "./visitor.ts";

const ignore = !RedisServer.isInstalled;

/** A server, and stores that use it. */
interface Server extends Place {
  server: RedisServer;
  open(options?: RedisSessionStoreOptions): RedisSessionStore;
}

async function place(args: string[] = []): Promise<Server> {
  const server = await RedisServer.start(args);
  const stores: RedisSessionStore[] = [];
  return {
    server,
    open(options) {
      stores.push(new RedisSessionStore({ url: server.path, ...options }));
      return stores.at(-1)!;
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Registers a test, which says why where it is skipped. */
function test(name: string, run: () => Promise<void>): void {
  Deno.test({
    name: ignore ? `${name} (redis-server is not installed)` : name,
    ignore,
    fn: run,
  });
}

test("RedisSessionStore holds the contract", async () => {
  await using here = await place();
  for (const [name, hold] of CONTRACT) {
    // Its name, for where it fails.
    await hold(here).catch((cause) => {
      throw new Error(`RedisSessionStore ${name}`, { cause });
    });
  }
});

/** Waits until a session is over, by asking for it. */
async function untilOver(store: RedisSessionStore, id: string): Promise<void> {
  const over = async () => {
    while (await store.read(id) !== null);
  };
  await within(over(), "a session to be over");
}

test("RedisSessionStore ends sessions that were not used for their ttl", async () => {
  await using here = await place();
  const store = here.open({ ttl: 0.05 });
  const id = await start(store, { a: "1" });
  await untilOver(store, id);
  const changes = new Map([["a", { value: "1" }]]);
  assertEquals(await store.write(id, { from: id, changes }), "gone");
  const next = newSessionId();
  assertEquals(await store.write(next, { from: id, changes }), "gone");
  await store.refresh(id);
  assertEquals(await store.read(id), null);
});

test("RedisSessionStore counts the ttl from the last write, refresh or other id", async () => {
  await using here = await place();
  const [short, long] = [here.open({ ttl: 0.05 }), here.open({ ttl: 1000 })];
  const none = new Map();
  for (
    const use of [
      async (id: string) => {
        await long.write(id, { from: id, changes: none });
        return id;
      },
      async (id: string) => {
        await long.refresh(id);
        return id;
      },
      async (from: string) => {
        const id = newSessionId();
        await long.write(id, { from, changes: none });
        return id;
      },
    ]
  ) {
    const other = await start(long, { a: "1" });
    const id = await use(other);
    assertEquals(await read(long, id), { a: "1" });
    await short.refresh(id);
    await untilOver(short, id);
  }
});

test("RedisSessionStore keeps sessions under its prefix, and tells no id", async () => {
  await using here = await place();
  const id = await start(here.open(), { a: "1" });
  const other = await start(here.open({ prefix: "x:" }), { b: "2" });
  const { Redis } = await import("ioredis");
  const client = new Redis(here.server.path);
  assertEquals((await client.keys("*")).sort(), [
    `smisk:session:${await digestOf(id)}`,
    `x:${await digestOf(other)}`,
  ]);
  const ttl = await client.pttl(`smisk:session:${await digestOf(id)}`);
  assert(ttl > 800_000 && ttl <= 900_000, `${ttl} ms`);
  client.disconnect();
  assertEquals(await here.open({ prefix: "y:" }).read(id), null);
});

test("RedisSessionStore connects by TCP, to a database and with a password", async () => {
  await using here = await place(["--requirepass", "secret word"]);
  const { Redis } = await import("ioredis");
  const client = new Redis({ path: here.server.path, password: "secret word" });
  // A free port: another process may take it before Redis does.
  let port = 0;
  for (let i = 0; i < 20; i++) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    port = listener.addr.port;
    listener.close();
    try {
      await client.config("SET", "port", String(port));
      break;
    } catch (error) {
      if (i === 19) throw error;
    }
  }
  client.disconnect();
  const host = `127.0.0.1:${port}`;
  const store = here.open({ url: `redis://:secret%20word@${host}/3` });
  const id = await start(store, { a: "1" });
  assertEquals(await read(store, id), { a: "1" });
  const other = here.open({ url: `redis://:secret%20word@${host}/4` });
  assertEquals(await other.read(id), null);
  for (const url of [`redis://:wrong@${host}`, `redis://${host}`]) {
    const error = await assertRejects(
      () => here.open({ url }).read(id),
      FastCgiError,
      `Cannot ask Redis at redis://${host}: `,
    );
    assertEquals([error.code, error.cause], ["SESSION_STORE", undefined]);
    assertMatch(error.message, url.includes("wrong") ? /WRONGPASS/ : /NOAUTH/);
  }
});

test("RedisSessionStore answers 500 while Redis is down, and recovers by itself", async () => {
  await using here = await place();
  await using running = new Running(async (request, response) => {
    const session = await request.session();
    session.set("a", crypto.randomUUID());
    response.write("stored");
  }, { sessions: here.open() });
  const visitor = new Visitor(running.server);
  assertEquals((await visitor.ask()).text, "stored");
  await here.server.stop();
  for (let i = 0; i < 3; i++) {
    const { status, stderr } = await visitor.ask();
    assertEquals(status, 500);
    assertMatch(
      stderr,
      /Cannot (connect to|ask) Redis at \//,
    );
    assert(!stderr.includes(visitor.cookie!), "the log tells the id");
  }
  await here.server.run();
  assertEquals((await visitor.ask()).text, "stored");
});

test("RedisSessionStore gives up on a server that does not answer", async () => {
  await using here = await place();
  const patient = here.open();
  const id = await start(patient);
  const [known, fresh] = [
    here.open({ timeoutMs: 100 }),
    here.open({ timeoutMs: 100 }),
  ];
  // On a busy machine it may take longer to connect than that.
  const connect = async () => {
    while (await known.read(id).catch(() => null) === null);
  };
  await within(connect(), "an impatient store to connect");
  Deno.kill(here.server.pid, "SIGSTOP");
  try {
    for (const store of [known, fresh]) {
      const reading = store.read(id);
      await within(assertRejects(() => reading, FastCgiError), "it to give up");
    }
  } finally {
    Deno.kill(here.server.pid, "SIGCONT");
  }
  assertEquals(await read(patient, id), {});
  // It has let go of the connection that did not answer.
  await within(connect(), "an impatient store to connect again");
});

test("RedisSessionStore passes on what Redis refuses", async () => {
  await using here = await place();
  const { Redis } = await import("ioredis");
  const client = new Redis(here.server.path);
  const id = newSessionId();
  await client.set(`smisk:session:${await digestOf(id)}`, "no hash");
  client.disconnect();
  const store = here.open();
  await assertRejects(() => store.read(id), FastCgiError, "WRONGTYPE");
  const changes = new Map([["a", { value: "1" }]]);
  await assertRejects(
    () => store.write(id, { from: id, changes }),
    FastCgiError,
    "WRONGTYPE",
  );
  await store.destroy(id);
  assertEquals(await store.read(id), null);
});

test("RedisSessionStore connects again once it was closed", async () => {
  await using here = await place();
  const store = here.open();
  await store.close();
  const id = await start(store, { a: "1" });
  await store.close();
  await store.close();
  assertEquals(await read(store, id), { a: "1" });
});

test("RedisSessionStore keeps no process running, and names the permissions it takes", async () => {
  await using here = await place();
  const path = (name: string) => new URL(name, import.meta.url).href;
  const program = `${here.server.directory}/program.ts`;
  await Deno.writeTextFile(
    program,
    `
    import { RedisSessionStore } from ${
      JSON.stringify(path("../../src/sessions/redis.ts"))
    };
    const url = ${JSON.stringify(here.server.path)};
    try {
      const store = new RedisSessionStore({ url });
      console.log(await store.read("0".repeat(32)));
    } catch (error) {
      console.log(error.name, error.code, error.message);
    }`,
  );
  const { path: socket } = here.server;
  const flags = [
    "--allow-env",
    `--allow-net=unix:${socket}`,
    `--allow-read=${socket}`,
    `--allow-write=${socket}`,
  ];
  for (
    const [allowed, said] of [
      [
        [],
        "StartError PERMISSION_MISSING No permission to keep sessions in " +
        `Redis: add ${flags.join(" ")}\n`,
      ],
      [flags, "null\n"],
    ] as const
  ) {
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--config", config, ...allowed, program],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { stdout, stderr } = await within(child.output(), "it to end");
    assertEquals(
      new TextDecoder().decode(stdout),
      said,
      new TextDecoder().decode(stderr),
    );
  }
});

Deno.test("RedisSessionStore refuses options that cannot be", () => {
  for (const url of ["", "127.0.0.1:6379", "http://a", "redis://"]) {
    assertThrows(
      () => new RedisSessionStore({ url }),
      TypeError,
      `Cannot keep sessions at "${url}"`,
    );
  }
  assertThrows(
    () => new RedisSessionStore({ timeoutMs: 0 }),
    RangeError,
    "Cannot set timeoutMs to 0",
  );
  assertThrows(() => new RedisSessionStore({ ttl: 0 }), RangeError);
});
