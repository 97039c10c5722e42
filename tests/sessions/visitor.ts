// Visitor: a client with a cookie, as a browser is one: what it is told to keep
// it sends from then on.

import { Peer } from "../support/peer.ts";
import type { Answer, Params } from "../support/wire.ts";
import { request } from "../support/wire.ts";

/** An answer, and what it did to the cookie. */
export interface Visit extends Answer {
  /** The Set-Cookie lines of the session, without its name. */
  setCookies: string[];
}

/** What is asked for. */
export interface Question {
  path?: string;
  params?: Record<string, string>;
  body?: string;
}

/** A client of a server. */
export class Visitor {
  readonly #server: { addr: Deno.Addr | null };
  readonly #name: string;
  /** The value of the cookie, null where there is none. */
  cookie: string | null;

  constructor(
    server: { addr: Deno.Addr | null },
    { name = "SID", cookie = null }: {
      name?: string;
      cookie?: string | null;
    } = {},
  ) {
    this.#server = server;
    this.#name = name;
    this.cookie = cookie;
  }

  /** The parameters of a question, with the cookie. */
  params({ path = "/", params = {} }: Question = {}): Record<string, string> {
    const cookie: Params = this.cookie === null
      ? {}
      : { HTTP_COOKIE: `a=1; ${this.#name}=${this.cookie}; b=2` };
    return { REQUEST_URI: path, ...cookie, ...params };
  }

  /** Asks on a connection of its own, and keeps the cookie it is given. */
  async ask(path: string | Question = "/"): Promise<Visit> {
    const question = typeof path === "string" ? { path } : path;
    using peer = await Peer.to(this.#server);
    const params = this.params(question);
    const { body = "" } = question;
    return this.took(await peer.ask(request({ params, body })));
  }

  /** Keeps the cookie that an answer brought. */
  took(answer: Answer): Visit {
    const start = `${this.#name}=`;
    const setCookies = (answer.headers["set-cookie"] ?? "").split("\n")
      .filter((line) => line.startsWith(start))
      .map((line) => line.slice(start.length));
    for (const line of setCookies) {
      this.cookie = /; Max-Age=0(;|$)/.test(line) ? null : line.split(";")[0]!;
    }
    return { ...answer, setCookies };
  }
}
