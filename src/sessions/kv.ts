// KvSessionStore: sessions in Deno KV. Each write is a transaction that fails
// where another came in between, and is then made anew from what that has left.
//
// Nothing here names the types of Deno KV: they are not there for programs that
// are checked without `--unstable-kv`.

import { FastCgiError, StartError } from "../errors.ts";
import { resolveSessionStore } from "../options.ts";
import { permissionFor, requirePermissions } from "../server/address.ts";
import {
  applyChanges,
  decodeSession,
  digestOf,
  encodeSession,
  tooLarge,
} from "./store.ts";
import type {
  SessionData,
  SessionStore,
  SessionStoreOptions,
  SessionWrite,
  SessionWriteResult,
} from "./store.ts";

/**
 * Sessions in Deno KV, which the workers of a program, several processes of a
 * machine, or by a remote database any number of machines may share.
 *
 * Deno KV needs the flag `--unstable-kv`, or `"unstable": ["kv"]` in the
 * configuration; of a compiled program when it is compiled.
 *
 * @example Keep sessions in a database in memory
 * ```ts
 * import { Application } from "@smisk/smisk";
 * import { KvSessionStore } from "@smisk/smisk/sessions/kv";
 * import { assertEquals } from "@std/assert";
 *
 * await using sessions = new KvSessionStore({ path: ":memory:" });
 * const app = new Application({ sessions });
 * assertEquals(await app.sessions.read("0".repeat(32)), null);
 * ```
 *
 * @module
 */

export type { SessionStoreOptions } from "./store.ts";

/** What a key of Deno KV is made of. */
export type KvKeyPart = string | number | bigint | boolean | Uint8Array;

/** What is in Deno KV under a key. */
export interface KvEntry {
  /** The value, null where there is none. */
  readonly value: unknown;
  /** Of which version it is, null where there is none. */
  readonly versionstamp: string | null;
}

/** The part of `Deno.AtomicOperation` that is used. */
export interface KvTransaction {
  /** Fails it where a key is of another version. */
  check(
    check: { key: KvKeyPart[]; versionstamp: string | null },
  ): KvTransaction;
  /** Sets a value, for so many milliseconds. */
  set(
    key: KvKeyPart[],
    value: unknown,
    options: { expireIn: number },
  ): KvTransaction;
  /** Deletes a value. */
  delete(key: KvKeyPart[]): KvTransaction;
  /** Does it all, or nothing. */
  commit(): Promise<{ readonly ok: boolean }>;
}

/** The part of `Deno.Kv` that is used. */
export interface KvDatabase {
  /** Reads a value. */
  get(key: KvKeyPart[]): Promise<KvEntry>;
  /** Deletes a value. */
  delete(key: KvKeyPart[]): Promise<void>;
  /** Begins a transaction. */
  atomic(): KvTransaction;
  /** Closes the database. */
  close(): void;
}

/** The options of {@linkcode KvSessionStore}. */
export interface KvSessionStoreOptions extends SessionStoreOptions {
  /**
   * The most bytes that one session holds, as of {@linkcode SessionStoreOptions}.
   * Deno KV takes no more than 60,000.
   *
   * @default {32768}
   */
  maxBytes?: number;
  /**
   * The database, as `Deno.openKv` takes it: a path or a URL. It is opened when
   * it is first used.
   *
   * @default {undefined} (the program's own)
   */
  path?: string;
  /** A database that is open already, in place of `path`. */
  kv?: KvDatabase;
  /**
   * What the keys begin with.
   *
   * @default {["smisk", "sessions"]}
   */
  prefix?: readonly KvKeyPart[];
  /**
   * A clock in milliseconds since 1970.
   *
   * @default {Date.now}
   */
  now?: () => number;
}

/** Less than the 65,536 bytes of a value, for what stands around it. */
const MOST_BYTES = 60_000;
/** Bytes of a session's text that surely fit into a value. */
const MOST_LENGTH = 65_000;
/** Milliseconds for which is tried anew what others were faster with. */
const TIMEOUT_MS = 10_000;
/** The longest that is waited until then. */
const LONGEST_PAUSE_MS = 32;

/** A session in the database, with its version. */
interface Found {
  readonly key: KvKeyPart[];
  readonly versionstamp: string | null;
  /** Null where there is none, or it is over. */
  readonly data: SessionData | null;
}

/** Keeps sessions in Deno KV. */
export class KvSessionStore implements SessionStore, AsyncDisposable {
  /** Seconds without use after which a session ends. */
  readonly ttl: number;
  /** The name of the cookie. */
  readonly name: string;
  /** The most bytes of one session. */
  readonly maxBytes: number;
  readonly #path: string | undefined;
  readonly #given: KvDatabase | null;
  readonly #prefix: readonly KvKeyPart[];
  readonly #now: () => number;
  #opening: Promise<KvDatabase> | null = null;

  /**
   * Opens nothing yet.
   *
   * @param options Its options.
   * @throws {RangeError} Where one is out of its bounds.
   * @throws {TypeError} Where one is of the wrong type.
   * @throws {StartError} `CANNOT_START` where Deno was started without Deno KV,
   * `PERMISSION_MISSING` where the database may not be read or written.
   */
  constructor(options: KvSessionStoreOptions = {}) {
    const { ttl, name, maxBytes } = resolveSessionStore(options, MOST_BYTES);
    this.ttl = ttl;
    this.name = name;
    this.maxBytes = maxBytes;
    this.#path = options.path;
    this.#given = options.kv ?? null;
    this.#prefix = options.prefix ?? ["smisk", "sessions"];
    this.#now = options.now ?? Date.now;
    if (this.#given !== null) return;
    openKv();
    if (this.#path === undefined || /^:memory:$|^https?:/.test(this.#path)) {
      return;
    }
    const what = `keep sessions in ${this.#path}`;
    requirePermissions([
      permissionFor("read", this.#path, what),
      permissionFor("write", this.#path, what),
    ]);
  }

  /** Reads a session. */
  async read(id: string): Promise<SessionData | null> {
    const name = await digestOf(id);
    const { data } = await this.#persist((kv) => this.#find(kv, name));
    return data;
  }

  /** Applies changes. */
  async write(id: string, write: SessionWrite): Promise<SessionWriteResult> {
    const name = await digestOf(id);
    const { from, changes } = write;
    const fromName = from === null ? null : await digestOf(from);
    return await this.#persist(async (kv) => {
      const to = await this.#find(kv, name);
      const found = fromName === null || fromName === name
        ? to
        : await this.#find(kv, fromName);
      if (fromName !== name && to.data !== null) return "conflict";
      const before = fromName === null ? new Map() : found.data;
      if (before === null) return "gone";
      const data = applyChanges(before, changes, this.maxBytes);
      if (data === null) return "conflict";
      const transaction = this.#set(kv, to, data);
      if (found !== to) transaction.check(found).delete(found.key);
      if (!(await transaction.commit()).ok) throw RACED;
      return "stored";
    });
  }

  /** Counts as use. */
  async refresh(id: string): Promise<void> {
    const name = await digestOf(id);
    await this.#persist(async (kv) => {
      const found = await this.#find(kv, name);
      if (found.data === null) return;
      // Where it fails another was faster to use the session, or has ended it.
      await this.#set(kv, found, found.data).commit();
    });
  }

  /** Ends a session. */
  async destroy(id: string): Promise<void> {
    const name = await digestOf(id);
    await this.#persist((kv) => kv.delete([...this.#prefix, name]));
  }

  /** Closes the database, unless it was given. The next use opens it again. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = null;
    (await opening?.catch(() => null))?.close();
  }

  /** As {@linkcode KvSessionStore.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #find(kv: KvDatabase, name: string): Promise<Found> {
    const key = [...this.#prefix, name];
    const { value, versionstamp } = await kv.get(key);
    if (value === null) return { key, versionstamp, data: null };
    const { expiresAt, text } = value as {
      expiresAt: number;
      text: Uint8Array;
    };
    // Deno KV deletes what is over some time later.
    if (expiresAt <= this.#now()) return { key, versionstamp, data: null };
    return {
      key,
      versionstamp,
      data: decodeSession(new TextDecoder().decode(text)),
    };
  }

  /** A transaction that puts a session in the place of what was found. */
  #set(kv: KvDatabase, found: Found, data: SessionData): KvTransaction {
    const text = new TextEncoder().encode(encodeSession(data));
    // Keys that are longer in JSON than counted: quotes, controls.
    if (text.length > MOST_LENGTH) throw tooLarge(MOST_LENGTH, text.length);
    const expireIn = Math.ceil(this.ttl * 1000);
    const expiresAt = this.#now() + expireIn;
    return kv.atomic().check(found)
      .set(found.key, { expiresAt, text }, { expireIn });
  }

  /** Does something, again where others were faster or hold the database. */
  async #persist<T>(action: (kv: KvDatabase) => Promise<T>): Promise<T> {
    const since = performance.now();
    for (let pauseMs = 1;; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await action(this.#given ?? await this.#open());
      } catch (error) {
        if (error !== RACED && !isBusy(error)) throw error;
        if (performance.now() - since > TIMEOUT_MS) {
          throw new FastCgiError(
            "SESSION_STORE",
            `Cannot reach a session: others have kept its database busy for more than ${TIMEOUT_MS} ms`,
            { cause: error },
          );
        }
      }
      const ms = pauseMs * (0.5 + Math.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }

  #open(): Promise<KvDatabase> {
    if (this.#opening === null) {
      const opening = openKv()(this.#path).catch((error) => {
        if (this.#opening === opening) this.#opening = null;
        throw error;
      });
      this.#opening = opening;
    }
    return this.#opening;
  }
}

/** Another has changed what was read. */
const RACED = new Error("Another write came in between");

/** Whether another process writes to the file just now. */
function isBusy(error: unknown): boolean {
  return error instanceof Error &&
    /database is (?:locked|busy)/.test(error.message);
}

function openKv(): (path?: string) => Promise<KvDatabase> {
  const { openKv } = Deno as unknown as {
    openKv?: (path?: string) => Promise<KvDatabase>;
  };
  if (openKv !== undefined) return openKv;
  throw new StartError(
    "CANNOT_START",
    `Cannot keep sessions in Deno KV: Deno was started without it. Add --unstable-kv, or "unstable": ["kv"] to its configuration`,
  );
}
