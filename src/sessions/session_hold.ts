// SessionHold: the sessions of one request, one after the other, seen from its
// response: the cookie in its header, and what must be stored before it leaves.

import { requestScheme } from "../cgi/url.ts";
import { writeCookie } from "../cookies.ts";
import type { CookieOptions } from "../cookies.ts";
import { FastCgiError } from "../errors.ts";
import type { Exchange } from "../server/exchange.ts";
import type { ResponseHold } from "../server/hold.ts";
import { ask, OpenSession } from "./open_session.ts";
import type { SessionRequest } from "./open_session.ts";
import type { Session } from "./session.ts";
import { isSessionId } from "./store.ts";
import type { SessionData, SessionStore } from "./store.ts";

/** Where the sessions of an application's requests come from. */
export interface SessionSource {
  /** The application. */
  readonly app: {
    /** What keeps them. */
    readonly sessions: SessionStore;
    /** The attributes of their cookie. */
    readonly sessionCookie: CookieOptions;
  };
  /** Describes an error for the log, in lines. */
  describe(error: unknown): string;
}

/** A request, as its session sees it. */
export interface SessionRequester {
  /** Its cookies. */
  readonly cookies: Readonly<Record<string, string>>;
  /** One of its parameters. */
  param(name: string): string | undefined;
  /** Writes a line to its log. */
  log(line: string): void;
}

const NOTHING: SessionData = new Map();

/**
 * Opens the session of a request.
 *
 * @param exchange The request.
 * @param request The same, as the application sees it.
 * @param source Where sessions come from.
 * @param options Attributes of the cookie, over those that hold otherwise.
 * @returns The session.
 * @throws {TypeError} Where the request is over, or an attribute is none.
 * @throws {FastCgiError} Where the store fails, or the request was given up.
 */
export async function openSession(
  exchange: Exchange,
  request: SessionRequester,
  source: SessionSource,
  options: CookieOptions,
): Promise<Session> {
  if (!exchange.isOpen) {
    throw exchange.abortReason ?? new TypeError(
      "Cannot open a session of a request that is over: do it before service() ends",
    );
  }
  const hold = exchange.hold instanceof SessionHold
    ? exchange.hold
    : new SessionHold(exchange, request, source);
  const session = hold.open(options);
  exchange.hold = hold;
  return await session;
}

class SessionHold implements ResponseHold, SessionRequest {
  readonly #exchange: Exchange;
  readonly #request: SessionRequester;
  readonly #source: SessionSource;
  readonly store: SessionStore;
  /** What the client sent as its id, whatever it is. */
  readonly #cookie: string | undefined;
  #attributes: CookieOptions;
  /** Whether this request has set attributes of its own. */
  #isCookieNew = false;
  #reading: Promise<void> | null = null;
  /** One, and one more each time the last was destroyed. */
  readonly #sessions: OpenSession[] = [];
  #ending: Promise<void> | null = null;

  constructor(
    exchange: Exchange,
    request: SessionRequester,
    source: SessionSource,
  ) {
    const { sessions, sessionCookie } = source.app;
    this.#exchange = exchange;
    this.#request = request;
    this.#source = source;
    this.store = sessions;
    this.#cookie = request.cookies[sessions.name];
    const scheme = requestScheme((name) => request.param(name) ?? null);
    this.#attributes = {
      httpOnly: true,
      sameSite: "lax",
      // Browsers take no others of these names.
      secure: scheme === "https" || /^__(?:Host|Secure)-/i.test(sessions.name),
      ...sessionCookie,
    };
  }

  get hasBegun(): boolean {
    return this.#exchange.output.head !== null;
  }

  get isOver(): boolean {
    return this.#ending !== null;
  }

  async open(options: CookieOptions): Promise<Session> {
    this.#setAttributes(options);
    await (this.#reading ??= this.#read());
    const last = this.#sessions.at(-1)!;
    return last.isDestroyed ? this.#add(null, NOTHING) : last;
  }

  #setAttributes(options: CookieOptions): void {
    const isNew = Object.keys(options).length > 0;
    if (isNew && this.hasBegun) {
      throw new TypeError(
        "Cannot set attributes of the session's cookie after the response has begun: it leaves with the header",
      );
    }
    const attributes = { ...this.#attributes, ...options };
    // What is wrong with them shows here, and not in the midst of a response.
    writeCookie(this.store.name, "", attributes);
    this.#attributes = attributes;
    if (isNew) this.#isCookieNew = true;
  }

  /** An id that the store does not know is not taken on: it may be planted. */
  async #read(): Promise<void> {
    const id = this.#cookie;
    const data = isSessionId(id)
      ? await ask("read", () => this.store.read(id)) ?? null
      : null;
    if (data === null) this.#add(null, NOTHING);
    else this.#add(id!, data);
  }

  #add(id: string | null, data: SessionData): OpenSession {
    const session = new OpenSession(this, id, data);
    this.#sessions.push(session);
    return session;
  }

  begin(): string | null {
    const last = this.#sessions.at(-1);
    if (last === undefined) return null;
    const { name } = this.store;
    const attributes = this.#attributes;
    const id = last.isDestroyed ? null : last.begin();
    if (id !== null) {
      const isDue = id !== this.#cookie || this.#isCookieNew ||
        attributes.maxAge !== undefined || attributes.expires !== undefined;
      return isDue ? writeCookie(name, id, attributes) : null;
    }
    const isEnded = this.#cookie !== undefined &&
      this.#sessions.some((session) => session.hasEnded);
    if (!isEnded) return null;
    const expires = new Date(0);
    return writeCookie(name, "", { ...attributes, expires, maxAge: 0 });
  }

  beforeLeave(): Promise<void> | null {
    // What is stored at the end is stored once: the end is next.
    if (this.#ending !== null) return this.#ending.catch(() => {});
    if (!this.#sessions.some((session) => session.isDirty)) return null;
    return this.#commit(false).catch((error) => {
      // The response ends with it, and so nobody else will tell.
      if (!(error instanceof FastCgiError) || error.status >= 500) {
        this.#log(error);
      }
      this.discard();
      throw error;
    });
  }

  #log(error: unknown): void {
    for (const line of this.#source.describe(error).split("\n")) {
      this.#request.log(line);
    }
  }

  beforeEnd(): Promise<void> | null {
    if (this.#reading === null) return null;
    this.#ending = this.#commit(true).catch((error) => {
      this.#ending = null;
      throw error;
    });
    return this.#ending;
  }

  async #commit(isLast: boolean): Promise<void> {
    // Where reading failed, whoever waits for it was told.
    await this.#reading?.catch(() => {});
    for (const session of this.#sessions) await session.commit(isLast);
  }

  discard(): void {
    for (const session of this.#sessions) session.discard();
  }
}
