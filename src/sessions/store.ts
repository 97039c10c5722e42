// SessionStore: what keeps sessions, and what all that do have in common: ids,
// and how the changes of requests that ran at the same time come together.
//
// A value is kept as the JSON text it had when it was set: stores neither look
// into it nor need to, and two texts are equal where the values are.

/**
 * What stores of sessions have in common, for those who write one: see
 * {@linkcode SessionStore}.
 *
 * @example Keep sessions in a map
 * ```ts
 * import { applyChanges, checkSessionId } from "@smisk/smisk/sessions";
 * import type {
 *   SessionData,
 *   SessionStore,
 *   SessionWrite,
 *   SessionWriteResult,
 * } from "@smisk/smisk/sessions";
 * import { assertEquals } from "@std/assert";
 *
 * class MapSessionStore implements SessionStore {
 *   readonly ttl = 900;
 *   readonly name = "SID";
 *   readonly maxBytes = 1000;
 *   readonly #sessions = new Map<string, SessionData>();
 *
 *   read(id: string): Promise<SessionData | null> {
 *     checkSessionId(id);
 *     return Promise.resolve(this.#sessions.get(id) ?? null);
 *   }
 *   write(
 *     id: string,
 *     { from, changes }: SessionWrite,
 *   ): Promise<SessionWriteResult> {
 *     checkSessionId(id);
 *     const data = from === null ? new Map() : this.#sessions.get(from);
 *     if (data === undefined) return Promise.resolve("gone");
 *     const applied = applyChanges(data, changes, this.maxBytes);
 *     if (applied === null) return Promise.resolve("conflict");
 *     if (from !== null) this.#sessions.delete(from);
 *     this.#sessions.set(id, applied);
 *     return Promise.resolve("stored");
 *   }
 *   refresh(_id: string): Promise<void> {
 *     return Promise.resolve();
 *   }
 *   destroy(id: string): Promise<void> {
 *     this.#sessions.delete(id);
 *     return Promise.resolve();
 *   }
 * }
 *
 * const id = "0".repeat(32);
 * const changes = new Map([["name", { value: '"Ada"' }]]);
 * const store = new MapSessionStore();
 * assertEquals(await store.write(id, { from: null, changes }), "stored");
 * assertEquals((await store.read(id))?.get("name"), '"Ada"');
 * ```
 *
 * @module
 */

import { LimitError } from "../errors.ts";

/** What a session holds: the JSON text of each key's value. */
export type SessionData = ReadonlyMap<string, string>;

/** What becomes of one key of a session. */
export interface SessionChange {
  /** The value's JSON text, null where the key is deleted. */
  readonly value: string | null;
  /**
   * The JSON text that the key must still have, null where it must have none.
   * Left out where it does not matter.
   */
  readonly expected?: string | null;
}

/** The changes of one request to one session. */
export interface SessionWrite {
  /**
   * The id that the session had so far: null for a new one, the same for one
   * that keeps its id, another for one that gets a new id, and whose old one
   * ends in the same step.
   */
  readonly from: string | null;
  /** What becomes of which key; all others stay as they are in the store. */
  readonly changes: ReadonlyMap<string, SessionChange>;
}

/**
 * What became of a write: `"stored"`; `"gone"` where there is no session
 * {@linkcode SessionWrite.from} any more; `"conflict"` where a key no longer
 * has the value that was expected, or a new session's id is taken. Of the last
 * two nothing is stored.
 */
export type SessionWriteResult = "stored" | "gone" | "conflict";

/**
 * What keeps sessions. An implementation that several processes share must
 * apply each write as a whole, so that of two at the same time the second sees
 * what the first has stored.
 *
 * Every method refuses with a `TypeError` an id that is none, see
 * {@linkcode isSessionId}. What else one throws fails the request.
 */
export interface SessionStore {
  /** Seconds without use after which a session ends. */
  readonly ttl: number;
  /** The name of the cookie that carries the id. */
  readonly name: string;
  /** The most bytes that one session holds, as {@linkcode sessionBytes} counts. */
  readonly maxBytes: number;
  /**
   * Reads a session, at most once a request.
   *
   * @param id The id.
   * @returns What it holds, null where there is none.
   */
  read(id: string): Promise<SessionData | null>;
  /**
   * Stores what a request has changed, and counts as use.
   *
   * @param id The id from now on.
   * @param write The id so far, and the changes.
   * @returns What became of it.
   * @throws {LimitError} `SESSION_TOO_LARGE` where it would hold more than
   * {@linkcode SessionStore.maxBytes}.
   */
  write(id: string, write: SessionWrite): Promise<SessionWriteResult>;
  /**
   * Keeps a session that was merely used; does nothing where there is none.
   *
   * @param id The id.
   */
  refresh(id: string): Promise<void>;
  /**
   * Ends a session; does nothing where there is none.
   *
   * @param id The id.
   */
  destroy(id: string): Promise<void>;
}

/** The options that all stores have. */
export interface SessionStoreOptions {
  /**
   * Seconds without use after which a session ends, up to ten years.
   *
   * @default {900}
   */
  ttl?: number;
  /**
   * The name of the cookie that carries the id. With `__Host-` before it,
   * browsers take it only over HTTPS and from this host.
   *
   * @default {"SID"}
   */
  name?: string;
  /**
   * The most bytes that one session holds: its keys and the JSON of their
   * values in UTF-8, with 4 more for each. Beyond it setting a value fails with
   * `SESSION_TOO_LARGE`.
   *
   * @default {32768}
   */
  maxBytes?: number;
}

/** 160 bits, of which each character is five. */
const ID = /^[0-9a-v]{32}$/;
const DIGITS = "0123456789abcdefghijklmnopqrstuv";
const ID_BYTES = 20;

/**
 * Whether a text is the id of a session as {@linkcode newSessionId} makes
 * them, known or not.
 *
 * @param text The text.
 * @returns Whether it is one.
 */
export function isSessionId(text: unknown): text is string {
  return typeof text === "string" && ID.test(text);
}

/**
 * Makes the id of a new session.
 *
 * @returns 160 random bits as 32 digits and lower-case letters.
 */
export function newSessionId(): string {
  return toDigits(crypto.getRandomValues(new Uint8Array(ID_BYTES)));
}

/** Bytes as text, five bits a character. */
function toDigits(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let count = 0;
  for (const byte of bytes) {
    bits = (bits << 8 | byte) & 0xfff;
    for (count += 8; count >= 5; count -= 5) {
      text += DIGITS[bits >>> count - 5 & 31];
    }
  }
  return text;
}

/**
 * Refuses what is no id: nothing else may become part of a file's name, or be
 * looked for.
 *
 * @param id What should be one.
 * @throws {TypeError} Where it is none. It does not tell the value, which may
 * be somebody's.
 */
export function checkSessionId(id: string): void {
  if (isSessionId(id)) return;
  throw new TypeError(
    `Cannot use a ${typeof id} that is no session id: one has 32 digits and letters a to v`,
  );
}

/**
 * What a store that others can look into keeps a session under: whoever reads
 * it there, in a backup or in a log, cannot use it as a cookie.
 *
 * @param id The id.
 * @returns 160 bits of its SHA-256, written as ids are.
 * @throws {TypeError} Where it is no id.
 */
export async function digestOf(id: string): Promise<string> {
  checkSessionId(id);
  const bytes = new TextEncoder().encode(id);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return toDigits(new Uint8Array(digest, 0, ID_BYTES));
}

const encoder = new TextEncoder();

/**
 * The bytes that a key and its value count for.
 *
 * @param key The key.
 * @param value The JSON text of its value.
 * @returns Their bytes in UTF-8, and four for what stands around them.
 */
export function entryBytes(key: string, value: string): number {
  return encoder.encode(key).length + encoder.encode(value).length + 4;
}

/**
 * The bytes that a session counts for.
 *
 * @param data What it holds.
 * @returns The sum of {@linkcode entryBytes}.
 */
export function sessionBytes(data: SessionData): number {
  let bytes = 0;
  for (const [key, value] of data) bytes += entryBytes(key, value);
  return bytes;
}

/**
 * The error of a session that holds too much.
 *
 * @param maxBytes The limit.
 * @param bytes What it would hold.
 * @returns The error to throw.
 */
export function tooLarge(maxBytes: number, bytes: number): LimitError {
  return new LimitError(
    "SESSION_TOO_LARGE",
    `Cannot keep ${bytes} bytes in a session: its store allows ${maxBytes} (maxBytes)`,
    maxBytes,
    bytes,
  );
}

/**
 * Applies the changes of a request to what the store holds now: key by key, so
 * that those of requests at the same time come together.
 *
 * @param data What the store holds; it is left as it is.
 * @param changes What becomes of which key.
 * @param maxBytes The most bytes the outcome may have.
 * @returns The outcome, or null where a key has not the value expected.
 * @throws {LimitError} `SESSION_TOO_LARGE`.
 */
export function applyChanges(
  data: SessionData,
  changes: SessionWrite["changes"],
  maxBytes: number,
): SessionData | null {
  const applied = new Map(data);
  for (const [key, { value, expected }] of changes) {
    if (expected !== undefined && expected !== (data.get(key) ?? null)) {
      return null;
    }
    if (value === null) applied.delete(key);
    else applied.set(key, value);
  }
  const bytes = sessionBytes(applied);
  if (bytes > maxBytes) throw tooLarge(maxBytes, bytes);
  return applied;
}

/**
 * A session as one text, for stores that keep it so.
 *
 * @param data What it holds.
 * @returns A JSON object.
 */
export function encodeSession(data: SessionData): string {
  const members = Array.from(
    data,
    ([key, value]) => `${JSON.stringify(key)}:${value}`,
  );
  return `{${members.join(",")}}`;
}

/**
 * Reads what {@linkcode encodeSession} wrote.
 *
 * @param text The text.
 * @returns What the session holds.
 * @throws {SyntaxError} Where it is no JSON object.
 */
export function decodeSession(text: string): SessionData {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError("A session is a JSON object");
  }
  return new Map(
    Object.entries(value).map(([key, value]) => [key, JSON.stringify(value)]),
  );
}
