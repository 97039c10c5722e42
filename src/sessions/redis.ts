// RedisSessionStore: a hash for each session, which Redis ends by itself. Each
// write is a script, which Redis runs as a whole.
//
// ioredis is loaded when a session is first used, and a connection made then.
// There is no reconnecting in the background, and so no timer that is left: one
// that has ended is made anew by the next who needs it.

import type { Redis } from "ioredis";
import { FastCgiError } from "../errors.ts";
import { resolveNumbers, resolveSessionStore } from "../options.ts";
import { permissionFor, requirePermissions } from "../server/address.ts";
import type { Need } from "../server/address.ts";
import { digestOf, tooLarge } from "./store.ts";
import type {
  SessionData,
  SessionStore,
  SessionStoreOptions,
  SessionWrite,
  SessionWriteResult,
} from "./store.ts";

/**
 * Sessions in Redis (6 or later, or a server that speaks as it does), which any
 * number of machines may share. A cluster is not supported, for what gives a
 * session another id touches two keys.
 *
 * npm's `ioredis` asks for `--allow-env`, besides `--allow-net` of the server;
 * a Unix socket for `--allow-read` and `--allow-write` too.
 *
 * @example Keep sessions in Redis
 * ```ts ignore
 * import { Application } from "@smisk/smisk";
 * import { RedisSessionStore } from "@smisk/smisk/sessions/redis";
 *
 * const sessions = new RedisSessionStore({ url: "redis://127.0.0.1:6379" });
 * await new Application({ sessions }).run();
 * ```
 *
 * @module
 */

export type { SessionStoreOptions } from "./store.ts";

/** The options of {@linkcode RedisSessionStore}. */
export interface RedisSessionStoreOptions extends SessionStoreOptions {
  /**
   * Where Redis is: `redis://[user:password@]host[:port][/database]`,
   * `rediss://...` with TLS, or the path of a Unix socket.
   *
   * @default {"redis://127.0.0.1:6379"}
   */
  url?: string;
  /**
   * What the keys begin with.
   *
   * @default {"smisk:session:"}
   */
  prefix?: string;
  /**
   * Milliseconds for connecting, and for each answer. Beyond it the request
   * fails.
   *
   * @default {5000}
   */
  timeoutMs?: number;
}

/**
 * Keys: that of the session so far, and that from now on. Arguments: whether it
 * is new ("1"), the ttl in milliseconds, maxBytes, then of each change: the key,
 * whether a value is expected ("1"; "0" where none is, "" where it does not
 * matter), the expected value, whether there is a value ("1"), and the value.
 *
 * The field "" is always there, for Redis has no empty hash.
 */
const WRITE = `
local from, to = KEYS[1], KEYS[2]
local isNew, ttl, maxBytes = ARGV[1] == "1", ARGV[2], tonumber(ARGV[3])
if (isNew or from ~= to) and redis.call("EXISTS", to) == 1 then
  return { "conflict" }
end
if not isNew and redis.call("EXISTS", from) == 0 then
  return { "gone" }
end
local data = {}
if not isNew then
  local found = redis.call("HGETALL", from)
  for i = 1, #found, 2 do data[found[i]] = found[i + 1] end
end
for i = 4, #ARGV, 5 do
  local value = data[ARGV[i]]
  if ARGV[i + 1] == "1" and value ~= ARGV[i + 2] then return { "conflict" } end
  if ARGV[i + 1] == "0" and value then return { "conflict" } end
end
for i = 4, #ARGV, 5 do
  data[ARGV[i]] = ARGV[i + 3] == "1" and ARGV[i + 4] or nil
end
data[""] = nil
local bytes = 0
for key, value in pairs(data) do bytes = bytes + #key + #value + 4 end
if bytes > maxBytes then return { "large", bytes } end
if not isNew and from ~= to then redis.call("RENAME", from, to) end
redis.call("HSET", to, "", "")
for i = 4, #ARGV, 5 do
  if ARGV[i + 3] == "1" then
    redis.call("HSET", to, ARGV[i], ARGV[i + 4])
  else
    redis.call("HDEL", to, ARGV[i])
  end
end
redis.call("PEXPIRE", to, ttl)
return { "stored" }
`;

/** Keeps sessions in Redis. */
export class RedisSessionStore implements SessionStore, AsyncDisposable {
  /** Seconds without use after which a session ends. */
  readonly ttl: number;
  /** The name of the cookie. */
  readonly name: string;
  /** The most bytes of one session. */
  readonly maxBytes: number;
  readonly #url: string;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  #client: Promise<Redis> | null = null;
  /** What broke the connection, or its log-in. */
  #fault: unknown = null;
  /** Questions that are not answered yet. */
  #asking = 0;

  /**
   * Connects to nothing yet.
   *
   * @param options Its options.
   * @throws {RangeError} Where one is out of its bounds.
   * @throws {TypeError} Where one is of the wrong type.
   * @throws {StartError} `PERMISSION_MISSING`, naming the flags.
   */
  constructor(options: RedisSessionStoreOptions = {}) {
    const { ttl, name, maxBytes } = resolveSessionStore(options);
    const { timeoutMs } = resolveNumbers<"timeoutMs">(options, {
      timeoutMs: [5000, 1, 0x7fffffff],
    });
    this.ttl = ttl;
    this.name = name;
    this.maxBytes = maxBytes;
    this.#url = options.url ?? "redis://127.0.0.1:6379";
    this.#prefix = options.prefix ?? "smisk:session:";
    this.#timeoutMs = timeoutMs;
    requirePermissions(needsOf(this.#url));
  }

  /** Reads a session. */
  async read(id: string): Promise<SessionData | null> {
    const key = await this.#key(id);
    const found = await this.#ask((client) =>
      // Not hgetall(), which makes an object of it: one of its keys may be
      // "__proto__".
      client.call("HGETALL", key) as Promise<string[]>
    );
    if (found.length === 0) return null;
    const data = new Map<string, string>();
    for (let i = 0; i < found.length; i += 2) {
      if (found[i] !== "") data.set(found[i]!, found[i + 1]!);
    }
    return data;
  }

  /** Applies changes. */
  async write(id: string, write: SessionWrite): Promise<SessionWriteResult> {
    const { from, changes } = write;
    const to = await this.#key(id);
    const args = [
      from === null ? "1" : "0",
      String(this.#ttlMs),
      String(this.maxBytes),
    ];
    for (const [key, { value, expected }] of changes) {
      const expects = expected === undefined
        ? ""
        : expected === null
        ? "0"
        : "1";
      args.push(key, expects, expected ?? "", value === null ? "0" : "1");
      args.push(value ?? "");
    }
    const source = from === null ? to : await this.#key(from);
    const [result, bytes] = await this.#ask((client) =>
      client.eval(WRITE, 2, source, to, ...args) as Promise<[string, number?]>
    );
    if (result === "large") throw tooLarge(this.maxBytes, bytes!);
    return result as SessionWriteResult;
  }

  /** Counts as use. */
  async refresh(id: string): Promise<void> {
    const key = await this.#key(id);
    await this.#ask((client) => client.pexpire(key, this.#ttlMs));
  }

  /** Ends a session. */
  async destroy(id: string): Promise<void> {
    const key = await this.#key(id);
    await this.#ask((client) => client.del(key));
  }

  /** Closes the connection. The next use makes another. */
  async close(): Promise<void> {
    const connecting = this.#client;
    this.#client = null;
    const client = await connecting?.catch(() => null) ?? null;
    if (client === null || client.status === "end") return;
    const ended = new Promise((resolve) => client.once("end", resolve));
    client.stream.destroy();
    await ended;
  }

  /** As {@linkcode RedisSessionStore.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #ttlMs(): number {
    return Math.ceil(this.ttl * 1000);
  }

  async #key(id: string): Promise<string> {
    return this.#prefix + await digestOf(id);
  }

  async #ask<T>(question: (client: Redis) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    // An idle connection is no reason to keep the process running.
    if (this.#asking++ === 0) client.stream.ref();
    try {
      return await question(client);
    } catch (error) {
      // It may be dead without a word, and would be for a quarter of an hour.
      if (isTimeOut(error)) client.stream.destroy();
      throw this.#failed("ask", this.#fault ?? error);
    } finally {
      if (--this.#asking === 0) client.stream.unref();
    }
  }

  /**
   * Without what was thrown as its cause, for errors of ioredis hold the
   * command with all that it says: values of sessions, or the password.
   */
  #failed(what: string, error: unknown): FastCgiError {
    return new FastCgiError(
      "SESSION_STORE",
      `Cannot ${what} Redis at ${withoutPassword(this.#url)}: ${
        error instanceof Error ? error.message : error
      }`,
    );
  }

  #connect(): Promise<Redis> {
    if (this.#client === null) {
      const forget = () => {
        if (this.#client === connecting) this.#client = null;
      };
      const connecting = this.#open(forget);
      connecting.catch(forget);
      this.#client = connecting;
    }
    return this.#client;
  }

  async #open(ended: () => void): Promise<Redis> {
    const { Redis } = await import("ioredis");
    const client = new Redis(this.#url, {
      lazyConnect: true,
      connectTimeout: this.#timeoutMs,
      commandTimeout: this.#timeoutMs,
      // A command whose answer was lost may have been done: it is not repeated.
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      enableReadyCheck: false,
    });
    this.#fault = null;
    client.on("error", (error) => this.#fault = error);
    client.on("end", ended);
    try {
      await client.connect();
    } catch (error) {
      // Not disconnect(), which waits for what may never come.
      client.stream?.destroy();
      throw this.#failed("connect to", this.#fault ?? error);
    }
    return client;
  }
}

/** What it takes to reach Redis. */
function needsOf(url: string): Need[] {
  const what = "keep sessions in Redis";
  const env: Need = { descriptor: { name: "env" }, what, value: null };
  const net = (host: string): Need => {
    return { descriptor: { name: "net", host }, what, value: host };
  };
  if (url.startsWith("/")) {
    const uses = (["read", "write"] as const)
      .map((name) => permissionFor(name, url, what));
    return [env, net(`unix:${url}`), ...uses];
  }
  const { protocol, hostname, port } = URL.parse(url) ?? { protocol: "" };
  if (!/^rediss?:$/.test(protocol) || !hostname) {
    throw new TypeError(
      `Cannot keep sessions at "${
        withoutPassword(url)
      }": it takes redis://host:port, rediss://host:port, or the path of a Unix socket`,
    );
  }
  return [env, net(`${hostname}:${port || 6379}`)];
}

function isTimeOut(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}

function withoutPassword(url: string): string {
  return url.replace(/(?<=:\/\/)[^@/]*@/, "");
}
