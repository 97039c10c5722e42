// OpenSession: a session as one request has it: what it held when it was read,
// and what the request has changed since.

import { FastCgiError } from "../errors.ts";
import { toJson } from "./json.ts";
import type { Session } from "./session.ts";
import { entryBytes, newSessionId, sessionBytes, tooLarge } from "./store.ts";
import type { SessionChange, SessionData, SessionStore } from "./store.ts";
import { WatchedPromise } from "./watched_promise.ts";

/** The request, as its session sees it. */
export interface SessionRequest {
  /** What keeps the session. */
  readonly store: SessionStore;
  /** Whether a cookie can no longer be sent. */
  readonly hasBegun: boolean;
  /** Whether nothing more will be stored. */
  readonly isOver: boolean;
}

/** How often an update begins anew: each time another one has come through. */
const MOST_ATTEMPTS = 1000;

const NO_CHANGES: ReadonlyMap<string, SessionChange> = new Map();

/** A session of one request. */
export class OpenSession implements Session {
  readonly #request: SessionRequest;
  /** What the client is told. */
  #id: string;
  /** What it is called in the store, null where it is not there. */
  #storedId: string | null;
  /** Whether the client is told of it, so that it must be stored. */
  #isPromised = false;
  /** Whether the request failed, and has no use of it. */
  #isDiscarded = false;
  /** As it was read, with what was stored since. */
  readonly #data: Map<string, string>;
  #changes = new Map<string, SessionChange>();
  /** The values that were got, as they are in the store for all we know. */
  readonly #seen = new Map<string, string | null>();
  /** What it holds with its changes, in bytes. */
  #bytes: number;
  /** What is done in the store, one after the other. */
  #doing: Promise<unknown> = Promise.resolve();
  #inLine = 0;
  /** What went wrong with nobody waiting for it. */
  #fault: { readonly error: unknown } | null = null;
  /** Whether this request has destroyed it, or tried to. */
  isDestroyed = false;
  /** Whether that went well, for all we know. */
  hasEnded = false;

  /**
   * Opens a session.
   *
   * @param request The request.
   * @param id The id under which it was found; null for a new one.
   * @param data What it holds.
   */
  constructor(request: SessionRequest, id: string | null, data: SessionData) {
    this.#request = request;
    this.#id = id ?? newSessionId();
    this.#storedId = id;
    this.#data = new Map(data);
    this.#bytes = sessionBytes(data);
  }

  get id(): string {
    return this.#id;
  }

  // Values

  get<T = unknown>(key: string): T | undefined {
    if (this.isDestroyed) throw destroyed("get a value of");
    const change = this.#changes.get(key);
    if (change !== undefined) return parse<T>(change.value);
    const text = this.#data.get(key) ?? null;
    if (!this.#seen.has(key)) this.#seen.set(key, text);
    return parse<T>(text);
  }

  set(key: string, value: unknown): void {
    this.#checkChange(key);
    if (value === undefined) {
      throw new TypeError(
        `Cannot set ${JSON.stringify(key)} to undefined: delete() removes it`,
      );
    }
    this.#put(key, toJson(value, key));
  }

  delete(key: string): void {
    this.#checkChange(key);
    this.#put(key, null);
  }

  #put(key: string, value: string | null): void {
    const stored = this.#data.get(key) ?? null;
    const change = this.#changes.get(key);
    const before = change === undefined ? stored : change.value;
    const bytes = this.#bytes - bytesOf(key, before) + bytesOf(key, value);
    const { maxBytes } = this.#request.store;
    if (value !== null && bytes > maxBytes) throw tooLarge(maxBytes, bytes);
    this.#bytes = bytes;
    const expected = this.#seen.get(key);
    if (value === stored) this.#changes.delete(key);
    else if (expected === undefined) this.#changes.set(key, { value });
    else this.#changes.set(key, { value, expected });
  }

  #checkChange(key: string): void {
    const { hasBegun, isOver } = this.#request;
    if (this.isDestroyed) throw destroyed("change");
    if (isOver) {
      throw new TypeError(
        "Cannot change a session whose request is over: do it before service() ends",
      );
    }
    if (hasBegun && this.#storedId === null && !this.#isPromised) {
      throw new TypeError(
        "Cannot start a session after the response has begun: its cookie leaves with the header, so set a value before the first write",
      );
    }
    if (typeof key !== "string" || key === "" || !key.isWellFormed()) {
      throw new TypeError(
        `Cannot change ${
          JSON.stringify(key)
        } in a session: a key is a text, well-formed and not empty`,
      );
    }
  }

  // The store

  update<T = unknown>(
    key: string,
    change: (value: T | undefined) => T | undefined,
  ): Promise<T | undefined> {
    return this.#inTurn(async () => {
      this.#checkChange(key);
      if (this.#storedId === null) {
        const value = change(this.get<T>(key));
        this.#put(key, textOf(value, key));
        return value;
      }
      const own = this.#changes.get(key);
      if (own !== undefined) {
        // What this request has set before is what is to be changed.
        this.#changes.delete(key);
        await this.#write(new Map([[key, own]]));
      }
      return await this.#updateStored(key, change);
    });
  }

  async #updateStored<T>(
    key: string,
    change: (value: T | undefined) => T | undefined,
  ): Promise<T | undefined> {
    const id = this.#storedId!;
    const { store } = this.#request;
    let expected = this.#data.get(key) ?? null;
    for (let i = 0; i < MOST_ATTEMPTS; i++) {
      const value = change(parse<T>(expected));
      const changes = new Map([
        [key, { value: textOf(value, key), expected }],
      ]);
      const result = await ask(
        "write",
        () => store.write(id, { from: id, changes }),
      );
      if (result === "stored") {
        this.#adopt(changes);
        return value;
      }
      const data = result === "gone"
        ? null
        : await ask("read", () => store.read(id));
      if (data === null) throw conflict("it has ended");
      expected = data.get(key) ?? null;
    }
    throw conflict(`others were faster ${MOST_ATTEMPTS} times`);
  }

  regenerate(): Promise<void> {
    const refusal = this.#refuseRegenerate();
    // At once, for a header that begins meanwhile must tell the new one.
    if (refusal === null) this.#id = newSessionId();
    return this.#inTurn(async () => {
      if (refusal !== null) throw refusal;
      const id = this.#id;
      const from = this.#storedId;
      if (from === null || from === id) return;
      try {
        const result = await ask(
          "regenerate",
          () => this.#request.store.write(id, { from, changes: NO_CHANGES }),
        );
        if (result !== "stored") throw conflict("it has ended");
      } catch (error) {
        this.#id = from;
        throw error;
      }
      this.#storedId = id;
    });
  }

  #refuseRegenerate(): TypeError | null {
    if (this.isDestroyed) return destroyed("regenerate");
    if (!this.#request.hasBegun && !this.#request.isOver) return null;
    return new TypeError(
      "Cannot regenerate a session after the response has begun: its cookie leaves with the header, so do it before the first write",
    );
  }

  destroy(): Promise<void> {
    this.isDestroyed = this.hasEnded = true;
    this.#changes.clear();
    return this.#inTurn(async () => {
      const id = this.#storedId;
      if (id === null) return;
      try {
        await ask("destroy", () => this.#request.store.destroy(id));
      } catch (error) {
        this.hasEnded = false;
        throw error;
      }
      this.#storedId = null;
    });
  }

  /**
   * One thing after the other. Whoever waits for it is told what went wrong; an
   * error that nobody waits for fails the request, and not the process.
   */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    this.#inLine++;
    const done = new WatchedPromise(this.#doing.then(action));
    this.#doing = done.settled((error) => {
      this.#inLine--;
      if (error !== null && !done.isWatched) this.#fault ??= error;
    });
    return done;
  }

  async #write(changes: ReadonlyMap<string, SessionChange>): Promise<void> {
    const id = this.#id;
    const from = this.#storedId;
    this.#adopt(changes);
    const result = await ask(
      "write",
      () => this.#request.store.write(id, { from, changes }),
    );
    if (result === "stored") this.#storedId = id;
    else {
      throw conflict(
        result === "gone"
          ? "it has ended"
          : `of ${
            JSON.stringify([...changes.keys()])
          } one was changed after this request had got it: update() begins anew instead`,
      );
    }
  }

  /** What is in the store now, or will be before the request is answered. */
  #adopt(changes: ReadonlyMap<string, SessionChange>): void {
    for (const [key, { value }] of changes) {
      this.#bytes -= bytesOf(key, this.#data.get(key) ?? null);
      this.#bytes += bytesOf(key, value);
      if (value === null) this.#data.delete(key);
      else this.#data.set(key, value);
      if (this.#seen.has(key)) this.#seen.set(key, value);
    }
  }

  // The response

  /**
   * The header is being fixed.
   *
   * @returns The id that the client comes with from now on, null where the
   * session is not stored.
   */
  begin(): string | null {
    this.#isPromised = this.#storedId !== null || this.#changes.size > 0;
    return this.#isPromised ? this.#id : null;
  }

  /** Whether {@linkcode OpenSession.commit} has anything to do. */
  get isDirty(): boolean {
    return this.#changes.size > 0 || this.#inLine > 0 || this.#fault !== null ||
      this.#isPromised && this.#storedId === null;
  }

  /**
   * Stores what was changed.
   *
   * @param isLast Whether the request ends with it: the session counts as used.
   * @throws {FastCgiError} Where that failed, or something did before.
   */
  commit(isLast: boolean): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#fault !== null) throw this.#fault.error;
      if (this.isDestroyed) return;
      const id = this.#storedId;
      if (this.#changes.size > 0 || this.#isPromised && id === null) {
        const changes = this.#changes;
        this.#changes = new Map();
        await this.#write(changes);
      } else if (isLast && id !== null && !this.#isDiscarded) {
        await ask("refresh", () => this.#request.store.refresh(id));
      }
    });
  }

  /** Drops what is not stored. */
  discard(): void {
    this.#changes.clear();
    this.#bytes = sessionBytes(this.#data);
    this.#fault = null;
    this.#isDiscarded = true;
    this.#isPromised = false;
  }
}

function parse<T>(text: string | null): T | undefined {
  return text === null ? undefined : JSON.parse(text);
}

function textOf(value: unknown, key: string): string | null {
  return value === undefined ? null : toJson(value, key);
}

function bytesOf(key: string, value: string | null): number {
  return value === null ? 0 : entryBytes(key, value);
}

/**
 * Asks a store.
 *
 * @param what What for.
 * @param question Asks it.
 * @returns What it answers.
 * @throws {FastCgiError} What the store throws, `SESSION_STORE` in place of
 * what is of no class of ours.
 */
export async function ask<T>(
  what: string,
  question: () => Promise<T>,
): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof FastCgiError) throw error;
    throw new FastCgiError(
      "SESSION_STORE",
      `Cannot ${what} a session: ${
        error instanceof Error ? error.message : error
      }`,
      { cause: error },
    );
  }
}

function conflict(why: string): FastCgiError {
  return new FastCgiError(
    "SESSION_CONFLICT",
    "Another request has changed the session at the same time: try again",
    { status: 409, cause: new Error(`A session was not stored: ${why}`) },
  );
}

function destroyed(what: string): TypeError {
  return new TypeError(
    `Cannot ${what} a session that was destroyed: request.session() gives a new one`,
  );
}
