// MemorySessionStore: sessions in the memory of one process. There is no timer:
// they stand in the order of their last use, so that those that are over stand
// first, and each use takes them away.

/**
 * Sessions in the memory of one process: nothing to set up, and gone with it.
 * Workers and other processes do not see them.
 *
 * @example Keep sessions for an hour without use
 * ```ts
 * import { Application } from "@smisk/smisk";
 * import { MemorySessionStore } from "@smisk/smisk/sessions/memory";
 *
 * new Application({ sessions: new MemorySessionStore({ ttl: 3600 }) });
 * ```
 *
 * @module
 */

import { resolveNumbers, resolveSessionStore } from "../options.ts";
import { applyChanges, checkSessionId, sessionBytes } from "./store.ts";
import type {
  SessionData,
  SessionStore,
  SessionStoreOptions,
  SessionWrite,
  SessionWriteResult,
} from "./store.ts";

export type { SessionStoreOptions } from "./store.ts";

/** The options of {@linkcode MemorySessionStore}. */
export interface MemorySessionStoreOptions extends SessionStoreOptions {
  /**
   * The most bytes that all sessions hold together, each counted with 512 more
   * than its own. Beyond it those end that were not used for the longest time.
   *
   * @default {67108864}
   */
  maxTotalBytes?: number;
  /**
   * A clock in milliseconds that never goes back.
   *
   * @default {performance.now}
   */
  now?: () => number;
}

/** A session, and when it was last used. */
interface Kept {
  data: SessionData;
  bytes: number;
  usedAt: number;
}

/** What a session takes beside what it holds: its id, and its places. */
const OVERHEAD_BYTES = 512;

/** Keeps sessions in memory. */
export class MemorySessionStore implements SessionStore {
  /** Seconds without use after which a session ends. */
  readonly ttl: number;
  /** The name of the cookie. */
  readonly name: string;
  /** The most bytes of one session. */
  readonly maxBytes: number;
  readonly #maxTotalBytes: number;
  readonly #now: () => number;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept>();
  #totalBytes = 0;

  /**
   * Creates an empty store.
   *
   * @param options Its options.
   * @throws {RangeError} Where one is out of its bounds.
   * @throws {TypeError} Where one is of the wrong type.
   */
  constructor(options: MemorySessionStoreOptions = {}) {
    const { ttl, name, maxBytes } = resolveSessionStore(options);
    this.ttl = ttl;
    this.name = name;
    this.maxBytes = maxBytes;
    const { maxTotalBytes } = resolveNumbers<"maxTotalBytes">(options, {
      maxTotalBytes: [64 * 1024 * 1024, 0, Number.MAX_SAFE_INTEGER],
    });
    this.#maxTotalBytes = maxTotalBytes;
    this.#now = options.now ?? (() => performance.now());
  }

  /** How many sessions there are. */
  get size(): number {
    this.#expire();
    return this.#kept.size;
  }

  /** Reads a session. */
  read(id: string): Promise<SessionData | null> {
    return Promise.try(() => {
      checkSessionId(id);
      this.#expire();
      return this.#kept.get(id)?.data ?? null;
    });
  }

  /** Applies changes. */
  write(id: string, write: SessionWrite): Promise<SessionWriteResult> {
    return Promise.try(() => {
      const { from, changes } = write;
      checkSessionId(id);
      if (from !== null) checkSessionId(from);
      this.#expire();
      if (from !== id && this.#kept.has(id)) return "conflict";
      const data = from === null ? new Map() : this.#kept.get(from)?.data;
      if (data === undefined) return "gone";
      const applied = applyChanges(data, changes, this.maxBytes);
      if (applied === null) return "conflict";
      if (from !== null) this.#remove(from);
      this.#keep(id, applied);
      return "stored";
    });
  }

  /** Counts as use. */
  refresh(id: string): Promise<void> {
    return Promise.try(() => {
      checkSessionId(id);
      this.#expire();
      const kept = this.#kept.get(id);
      if (kept === undefined) return;
      this.#kept.delete(id);
      kept.usedAt = this.#now();
      this.#kept.set(id, kept);
    });
  }

  /** Ends a session. */
  destroy(id: string): Promise<void> {
    return Promise.try(() => {
      checkSessionId(id);
      this.#remove(id);
    });
  }

  #keep(id: string, data: SessionData): void {
    const bytes = sessionBytes(data) + OVERHEAD_BYTES;
    this.#kept.set(id, { data, bytes, usedAt: this.#now() });
    this.#totalBytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#totalBytes <= this.#maxTotalBytes || oldest === id) return;
      this.#remove(oldest);
    }
  }

  #remove(id: string): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    this.#kept.delete(id);
    this.#totalBytes -= kept.bytes;
  }

  #expire(): void {
    const now = this.#now();
    for (const [id, { usedAt }] of this.#kept) {
      if (now - usedAt < this.ttl * 1000) return;
      this.#remove(id);
    }
  }
}
