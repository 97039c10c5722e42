// OpenSession: a session as one request has it, and what the request does to it
// in the store, one thing after the other.

import { FastCgiError } from "../errors.ts";
import { toJson } from "./json.ts";
import type { Session } from "./session.ts";
import { SessionValues } from "./session_values.ts";
import type { Changes } from "./session_values.ts";
import { newSessionId } from "./store.ts";
import type { SessionData, SessionStore, SessionWriteResult } from "./store.ts";
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

const NO_CHANGES: Changes = new Map();

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
  readonly #values: SessionValues;
  /** What is done in the store, one after the other. */
  #doing: Promise<unknown> = Promise.resolve();
  #inLine = 0;
  /** How many of these are update(), and have not had their turn. */
  #updates = 0;
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
    this.#values = new SessionValues(data, request.store.maxBytes);
  }

  get id(): string {
    return this.#id;
  }

  // Values

  get<T = unknown>(key: string): T | undefined {
    if (this.isDestroyed) throw destroyed("get a value of");
    return parse<T>(this.#values.get(key));
  }

  set(key: string, value: unknown): void {
    this.#checkChange(key);
    if (value === undefined) {
      throw new TypeError(
        `Cannot set ${JSON.stringify(key)} to undefined: delete() removes it`,
      );
    }
    this.#values.put(key, toJson(value, key));
  }

  delete(key: string): void {
    this.#checkChange(key);
    this.#values.put(key, null);
  }

  #checkChange(key: string): void {
    const refusal = this.#refuseChange(key);
    if (refusal !== null) throw refusal;
  }

  #refuseChange(key: string): TypeError | null {
    const { hasBegun, isOver } = this.#request;
    if (this.isDestroyed) return destroyed("change");
    if (isOver) {
      return new TypeError(
        "Cannot change a session whose request is over: do it before service() ends",
      );
    }
    if (hasBegun && this.#storedId === null && !this.#isPromised) {
      return new TypeError(
        "Cannot start a session after the response has begun: its cookie leaves with the header, so set a value before the first write",
      );
    }
    if (typeof key === "string" && key !== "" && key.isWellFormed()) {
      return null;
    }
    return new TypeError(
      `Cannot change ${
        JSON.stringify(key)
      } in a session: a key is a text, well-formed and not empty`,
    );
  }

  // The store

  update<T = unknown>(
    key: string,
    change: (value: T | undefined) => T | undefined,
  ): Promise<T | undefined> {
    // Now, and not when it is its turn: the request may be over by then.
    const refusal = this.#refuseChange(key);
    this.#updates++;
    return this.#inTurn(async () => {
      this.#updates--;
      if (refusal !== null) throw refusal;
      if (this.#storedId === null) {
        const value = change(this.get<T>(key));
        this.#values.put(key, textOf(value, key));
        return value;
      }
      // What this request has set before is what is to be changed.
      const own = this.#values.take(key);
      if (own.size > 0) await this.#write(own);
      return await this.#updateStored(key, change);
    });
  }

  async #updateStored<T>(
    key: string,
    change: (value: T | undefined) => T | undefined,
  ): Promise<T | undefined> {
    const id = this.#storedId!;
    const { store } = this.#request;
    let expected = this.#values.stored(key);
    for (let i = 0; i < MOST_ATTEMPTS; i++) {
      const made = change(parse<T>(expected));
      const value = textOf(made, key);
      const changes = new Map([[key, { value, expected }]]);
      const result = await ask(
        "write",
        () => store.write(id, { from: id, changes }),
      );
      if (result === "stored") {
        this.#values.adopt(key, value);
        return made;
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
    this.#values.discard();
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

  /** Stores what was taken of the values. */
  async #write(changes: Changes): Promise<void> {
    const id = this.#id;
    const from = this.#storedId;
    let result: SessionWriteResult;
    try {
      result = await ask(
        "write",
        () => this.#request.store.write(id, { from, changes }),
      );
    } catch (error) {
      this.#values.drop();
      throw error;
    }
    if (result === "stored") {
      this.#values.settle();
      this.#storedId = id;
      return;
    }
    this.#values.drop();
    const keys = JSON.stringify([...changes.keys()]);
    throw conflict(
      result === "gone"
        ? "it has ended"
        : `of ${keys} one was changed after this request had got it: update() begins anew instead`,
    );
  }

  // The response

  /**
   * The header is being fixed.
   *
   * @returns The id that the client comes with from now on, null where the
   * session is not stored.
   */
  begin(): string | null {
    this.#isPromised = this.#storedId !== null || this.#values.areChanged ||
      this.#updates > 0;
    return this.#isPromised ? this.#id : null;
  }

  /** Whether {@linkcode OpenSession.commit} has anything to do. */
  get isDirty(): boolean {
    return this.#values.areChanged || this.#inLine > 0 ||
      this.#fault !== null ||
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
      if (this.#values.areChanged || this.#isPromised && id === null) {
        await this.#write(this.#values.take());
      } else if (isLast && id !== null && !this.#isDiscarded) {
        await ask("refresh", () => this.#request.store.refresh(id));
      }
    });
  }

  /** Drops what is not stored. */
  discard(): void {
    this.#values.discard();
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
