// SessionValues: what a session holds as one request sees it: as it was read,
// with what was stored since, what is being stored, and what is still to be.

import { entryBytes, sessionBytes, tooLarge } from "./store.ts";
import type { SessionChange, SessionData } from "./store.ts";

/** Changes by their keys. */
export type Changes = ReadonlyMap<string, SessionChange>;

const NONE: Changes = new Map();

/** The values of one session, as JSON texts. */
export class SessionValues {
  readonly #maxBytes: number;
  readonly #data: Map<string, string>;
  #changes = new Map<string, SessionChange>();
  #writing: Changes = NONE;
  /** What was got, as it is in the store for all that is known here. */
  readonly #seen = new Map<string, string | null>();
  /** What it all counts for, with every change. */
  #bytes: number;

  /**
   * Takes what was read.
   *
   * @param data What the session holds.
   * @param maxBytes The most bytes it may hold.
   */
  constructor(data: SessionData, maxBytes: number) {
    this.#data = new Map(data);
    this.#maxBytes = maxBytes;
    this.#bytes = sessionBytes(data);
  }

  /**
   * Gets a value; what becomes of it from then on depends on it.
   *
   * @param key The key.
   * @returns The value, null where there is none.
   */
  get(key: string): string | null {
    const change = this.#changes.get(key);
    if (change !== undefined) return change.value;
    const stored = this.stored(key);
    if (!this.#seen.has(key)) this.#seen.set(key, stored);
    return stored;
  }

  /**
   * What the store has, once what is under way is done.
   *
   * @param key The key.
   * @returns The value, null where there is none.
   */
  stored(key: string): string | null {
    const writing = this.#writing.get(key);
    return writing === undefined ? this.#data.get(key) ?? null : writing.value;
  }

  /**
   * Changes a value.
   *
   * @param key The key.
   * @param value The value, null to delete it.
   * @throws {LimitError} `SESSION_TOO_LARGE`; nothing is changed then.
   */
  put(key: string, value: string | null): void {
    const stored = this.stored(key);
    const change = this.#changes.get(key);
    const before = change === undefined ? stored : change.value;
    const bytes = this.#bytes - bytesOf(key, before) + bytesOf(key, value);
    if (value !== null && bytes > this.#maxBytes) {
      throw tooLarge(this.#maxBytes, bytes);
    }
    this.#bytes = bytes;
    const expected = this.#seen.get(key);
    if (value === stored) this.#changes.delete(key);
    else if (expected === undefined) this.#changes.set(key, { value });
    else this.#changes.set(key, { value, expected });
  }

  /** Whether anything is still to be stored. */
  get areChanged(): boolean {
    return this.#changes.size > 0;
  }

  /**
   * Takes what is to be stored. One of the two that follow tells how it went.
   *
   * @param only The one key whose change is taken; all by default.
   * @returns The changes.
   */
  take(only?: string): Changes {
    if (only === undefined) {
      this.#writing = this.#changes;
      this.#changes = new Map();
    } else {
      const change = this.#changes.get(only);
      this.#changes.delete(only);
      this.#writing = change === undefined ? NONE : new Map([[only, change]]);
    }
    // What is set meanwhile expects what the store has then.
    this.#see(this.#writing);
    return this.#writing;
  }

  /** What was taken is stored. */
  settle(): void {
    this.#store(this.#writing);
    this.#writing = NONE;
  }

  /** What was taken is not stored, and no longer wanted. */
  drop(): void {
    this.#writing = NONE;
    this.#recount();
  }

  /**
   * A change that was stored without having been taken.
   *
   * @param key The key.
   * @param value The value it has now, null for none.
   */
  adopt(key: string, value: string | null): void {
    const changes = new Map([[key, { value }]]);
    this.#see(changes);
    this.#store(changes);
    this.#recount();
  }

  /** Drops every change. */
  discard(): void {
    this.#changes.clear();
    this.#seen.clear();
    this.#recount();
  }

  #see(changes: Changes): void {
    for (const [key, { value }] of changes) {
      if (this.#seen.has(key)) this.#seen.set(key, value);
    }
  }

  #store(changes: Changes): void {
    for (const [key, { value }] of changes) {
      if (value === null) this.#data.delete(key);
      else this.#data.set(key, value);
    }
  }

  #recount(): void {
    this.#bytes = sessionBytes(this.#data);
    for (const changes of [this.#writing, this.#changes]) {
      for (const [key, { value }] of changes) {
        const before = changes === this.#changes
          ? this.stored(key)
          : this.#data.get(key) ?? null;
        this.#bytes += bytesOf(key, value) - bytesOf(key, before);
      }
    }
  }
}

function bytesOf(key: string, value: string | null): number {
  return value === null ? 0 : entryBytes(key, value);
}
