// FileSessionStore: a file for each session, whose time of modification is that
// of its last use. A session is written to a file of its own that then takes
// the place of the old one, so that whoever reads, and whoever is killed, finds
// the one or the other whole.

import { FastCgiError } from "../errors.ts";
import { resolveSessionStore } from "../options.ts";
import { permissionFor, requirePermissions } from "../server/address.ts";
import { FileLock } from "./file_lock.ts";
import {
  applyChanges,
  decodeSession,
  digestOf,
  encodeSession,
} from "./store.ts";
import type {
  SessionData,
  SessionStore,
  SessionStoreOptions,
  SessionWrite,
  SessionWriteResult,
} from "./store.ts";

/**
 * Sessions in files of one directory, which several processes of a machine may
 * share.
 *
 * @example Keep sessions in a directory
 * ```ts
 * import { Application } from "@smisk/smisk";
 * import { FileSessionStore } from "@smisk/smisk/sessions/file";
 * import { assertEquals } from "@std/assert";
 *
 * const directory = await Deno.makeTempDir();
 * const sessions = new FileSessionStore({ directory });
 * const app = new Application({ sessions });
 * assertEquals(await app.sessions.read("0".repeat(32)), null);
 * await Deno.remove(directory, { recursive: true });
 * ```
 *
 * @module
 */

export type { SessionStoreOptions } from "./store.ts";

/** The options of {@linkcode FileSessionStore}. */
export interface FileSessionStoreOptions extends SessionStoreOptions {
  /**
   * The directory, for sessions alone. Where it is missing it is made, for the
   * program's user alone; one that others may write to is refused.
   */
  directory: string | URL;
  /**
   * A clock in milliseconds since 1970.
   *
   * @default {Date.now}
   */
  now?: () => number;
}

/** Bytes of a file that is read whatever maxBytes says: it may have been more. */
const MOST_LENGTH = 1024 * 1024;
/** The files that are looked at for each that is written. */
const SWEEP_STEP = 16;
/** Milliseconds past its end for which a file is left alone. */
const SWEEP_GRACE_MS = 60_000;
/** Milliseconds after which a lock that others hold is given up on. */
const LOCK_TIMEOUT_MS = 10_000;
/** A session, or one that was not written to its end. */
const OWN_FILE = /^([0-9a-v]{32})(?:\.[0-9a-f-]{36}\.tmp)?$/;

/**
 * Keeps sessions in files. What it has written outlives the process, but it
 * does not wait for the disk: a power failure may take the last seconds.
 */
export class FileSessionStore implements SessionStore {
  /** Seconds without use after which a session ends. */
  readonly ttl: number;
  /** The name of the cookie. */
  readonly name: string;
  /** The most bytes of one session. */
  readonly maxBytes: number;
  readonly #directory: string;
  readonly #now: () => number;
  readonly #locks = new Map<string, FileLock>();
  #ready: Promise<void> | null = null;
  /** The names that are still to be looked at. */
  #names: string[] = [];
  #nextSweepAt = 0;

  /**
   * Opens nothing yet.
   *
   * @param options Its options.
   * @throws {RangeError} Where one is out of its bounds.
   * @throws {TypeError} Where one is of the wrong type.
   * @throws {StartError} `PERMISSION_MISSING` where the directory may not be
   * read or written.
   */
  constructor(options: FileSessionStoreOptions) {
    const { ttl, name, maxBytes } = resolveSessionStore(options);
    this.ttl = ttl;
    this.name = name;
    this.maxBytes = maxBytes;
    this.#directory = pathOf(options.directory);
    this.#now = options.now ?? Date.now;
    const what = `keep sessions in ${this.#directory}`;
    requirePermissions([
      permissionFor("read", this.#directory, what),
      permissionFor("write", this.#directory, what),
    ]);
  }

  /** Reads a session. */
  async read(id: string): Promise<SessionData | null> {
    const name = await digestOf(id);
    await this.#prepare();
    return await this.#load(name);
  }

  /** Applies changes. */
  async write(id: string, write: SessionWrite): Promise<SessionWriteResult> {
    const { from, changes } = write;
    const name = await digestOf(id);
    const fromName = from === null ? null : await digestOf(from);
    await this.#prepare();
    const result = await this.#locked(fromName ?? name, async () => {
      if (name !== fromName && await this.#usedAt(name) !== null) {
        return "conflict";
      }
      const data = fromName === null ? new Map() : await this.#load(fromName);
      if (data === null) return "gone";
      const applied = applyChanges(data, changes, this.maxBytes);
      if (applied === null) return "conflict";
      await this.#store(name, applied);
      if (fromName !== null && fromName !== name) await this.#remove(fromName);
      return "stored";
    });
    await this.#sweep(SWEEP_STEP);
    return result;
  }

  /** Counts as use. */
  async refresh(id: string): Promise<void> {
    const name = await digestOf(id);
    await this.#prepare();
    await this.#locked(name, async () => {
      if (await this.#usedAt(name) === null) return;
      await this.#touch(this.#path(name));
    });
  }

  /** Ends a session. */
  async destroy(id: string): Promise<void> {
    const name = await digestOf(id);
    await this.#prepare();
    await this.#locked(name, () => this.#remove(name));
  }

  /**
   * Removes the sessions that are over, and what processes that were killed
   * left behind. Each write does a part of it, so that nobody has to; where
   * little is written, a timer or a cron job may.
   *
   * @returns Settles when all files were looked at.
   */
  async collect(): Promise<void> {
    await this.#prepare();
    this.#names = [];
    this.#nextSweepAt = 0;
    await this.#sweep(Infinity);
  }

  // Files

  #path(name: string): string {
    return `${this.#directory}/${name}`;
  }

  /** There is one lock for each of 32 parts of the sessions. */
  async #locked<T>(name: string, action: () => Promise<T>): Promise<T> {
    const part = name[0]!;
    let lock = this.#locks.get(part);
    if (lock === undefined) {
      lock = new FileLock(this.#path(`.lock-${part}`), LOCK_TIMEOUT_MS);
      this.#locks.set(part, lock);
    }
    try {
      return await lock.hold(action);
    } catch (error) {
      // Somebody has removed the directory: the next makes it anew.
      if (error instanceof Deno.errors.NotFound) this.#ready = null;
      throw error;
    }
  }

  #prepare(): Promise<void> {
    this.#ready ??= prepare(this.#directory).catch((error) => {
      this.#ready = null;
      throw error;
    });
    return this.#ready;
  }

  /** When a session was last used, null where it is not there or over. */
  async #usedAt(name: string): Promise<number | null> {
    const info = await found(Deno.lstat(this.#path(name)));
    if (info === null) return null;
    if (!info.isFile || info.size > Math.max(this.maxBytes, MOST_LENGTH)) {
      throw this.#damaged(name, "it is none of those written here");
    }
    const usedAt = info.mtime?.getTime() ?? 0;
    return this.#now() - usedAt < this.ttl * 1000 ? usedAt : null;
  }

  async #load(name: string): Promise<SessionData | null> {
    if (await this.#usedAt(name) === null) return null;
    const text = await found(Deno.readTextFile(this.#path(name)));
    if (text === null) return null;
    try {
      return decodeSession(text);
    } catch (error) {
      throw this.#damaged(name, (error as Error).message);
    }
  }

  #damaged(name: string, why: string): FastCgiError {
    return new FastCgiError(
      "SESSION_STORE",
      `Cannot read the session file ${
        this.#path(name)
      }: ${why}. Remove it, which ends the session`,
    );
  }

  async #store(name: string, data: SessionData): Promise<void> {
    const path = this.#path(name);
    const temporary = `${path}.${crypto.randomUUID()}.tmp`;
    try {
      await Deno.writeTextFile(temporary, encodeSession(data), {
        createNew: true,
        mode: 0o600,
      });
      await this.#touch(temporary);
      await Deno.rename(temporary, path);
    } catch (error) {
      await found(Deno.remove(temporary));
      throw error;
    }
  }

  async #touch(path: string): Promise<void> {
    const now = new Date(this.#now());
    await found(Deno.utime(path, now, now));
  }

  async #remove(name: string): Promise<void> {
    await found(Deno.remove(this.#path(name)));
  }

  /** Looks at so many files, and removes what is over. */
  async #sweep(most: number): Promise<void> {
    const now = this.#now();
    if (this.#names.length === 0) {
      if (now < this.#nextSweepAt) return;
      this.#nextSweepAt = now + this.ttl * 500;
      const names: string[] = [];
      for await (const { name } of Deno.readDir(this.#directory)) {
        if (OWN_FILE.test(name)) names.push(name);
      }
      this.#names = names;
    }
    const names = this.#names.splice(0, most);
    for (const name of names) await this.#collect(name, now);
  }

  async #collect(file: string, now: number): Promise<void> {
    const path = this.#path(file);
    const isOver = async () => {
      const info = await found(Deno.lstat(path));
      if (!info?.isFile) return false;
      const usedAt = info.mtime?.getTime() ?? now;
      return now - usedAt > this.ttl * 1000 + SWEEP_GRACE_MS;
    };
    if (!await isOver()) return;
    await this.#locked(file, async () => {
      // Another process may have started one of the same name meanwhile.
      if (await isOver()) await found(Deno.remove(path));
    });
  }
}

function pathOf(directory: string | URL): string {
  if (directory instanceof URL) {
    if (directory.protocol === "file:") {
      return decodeURIComponent(directory.pathname).replace(/\/+$/, "") || "/";
    }
  } else if (typeof directory === "string" && directory !== "") {
    return directory.replace(/(?<=.)\/+$/, "");
  }
  throw new TypeError(
    `Cannot keep sessions in ${
      String(directory)
    }: it takes a directory, a path or a file: URL`,
  );
}

/** Makes the directory where it is missing, and looks whether it is safe. */
async function prepare(directory: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  const { isDirectory, mode } = await Deno.stat(directory);
  if (!isDirectory) {
    throw new FastCgiError(
      "SESSION_STORE",
      `Cannot keep sessions in ${directory}: it is no directory`,
    );
  }
  // Whoever may write there may plant sessions.
  if (mode !== null && (mode & 0o002) !== 0) {
    throw new FastCgiError(
      "SESSION_STORE",
      `Cannot keep sessions in ${directory}: every user may write there. Take that away with chmod o-w, or name another`,
    );
  }
}

/** What comes of a file, null where there is none. */
async function found<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
