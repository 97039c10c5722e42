// Clients of examples/scale that ask one thing after another, and hold each
// answer against the one before. They speak HTTP themselves: where a kept
// connection closes, `fetch` asks again, POST included, and tells nobody. Here
// only GET is asked again then, once, as every client of HTTP may (RFC 9112,
// section 9.3.1): it is what HAProxy relies on in the rare case in which it
// cannot tell whether an instance had a request.

import { assert, assertEquals } from "@std/assert";
import { RawClient, readAnswer, valuesOf } from "../live/http.ts";
import type { RawAnswer } from "../live/http.ts";
import { DEADLINE_MS, within } from "../support/peer.ts";
import type { Name } from "./scaled.ts";

/** What an answer says. */
interface Said {
  instance: Name;
  pid: number;
  visits?: number;
  orders?: number;
}

/** What is asked: a visit may be asked for twice, an order may not. */
export type Method = "GET" | "POST";

/** A client with a session and a connection of its own. */
class Visitor implements Disposable {
  readonly method: Method;
  readonly #port: number;
  #connection: RawClient | null = null;
  #cookie = "";
  /** The count that was last answered. */
  count = 0;
  /** How many requests were answered. */
  answered = 0;
  /** How many were not. */
  failed = 0;
  /** How many were asked again on another connection. */
  again = 0;

  constructor(method: Method, port: number) {
    this.method = method;
    this.#port = port;
  }

  /** How many more were counted than answered. */
  get beyond(): number {
    return this.count - this.answered;
  }

  /** Asks once; null where it was not answered, which a visit always is. */
  async ask(): Promise<Said | null> {
    const { method } = this;
    const isKept = this.#connection !== null;
    let answer = await this.#answer();
    if (answer === null && method === "GET" && isKept) {
      this.again++;
      answer = await this.#answer();
    }
    if (answer?.status !== 200) {
      assert(
        method === "POST" && (answer === null || answer.status === 502),
        `${method}: ${answer?.status ?? "closed"} ${answer?.text}`,
      );
      this.failed++;
      return null;
    }
    const said: Said = JSON.parse(answer.text);
    const count = said[method === "GET" ? "visits" : "orders"]!;
    assert(count > this.count, `${method} is ${count} after ${this.count}`);
    this.count = count;
    this.answered++;
    const [cookie] = valuesOf(answer, "set-cookie");
    this.#cookie = cookie?.split(";")[0] ?? this.#cookie;
    return said;
  }

  /** An answer, null where the connection closes before any of it came. */
  async #answer(): Promise<RawAnswer | null> {
    const body = this.method === "POST" ? "an order" : "";
    const connection = this.#connection ??= await RawClient.to(this.#port);
    try {
      await connection.send(
        `${this.method} / HTTP/1.1\r\nHost: example.org\r\n` +
          (this.#cookie === "" ? "" : `Cookie: ${this.#cookie}\r\n`) +
          (body === "" ? "" : `Content-Length: ${body.length}\r\n`) +
          `\r\n${body}`,
      );
      let content = "";
      for (;;) {
        const piece = await connection.read();
        if (piece === "") break;
        content += piece;
        const answer = readAnswer(content);
        if (answer.status === 0 || !answer.isWhole) continue;
        if (valuesOf(answer, "connection").includes("close")) this.#close();
        return answer;
      }
      assertEquals(content, "", "An answer broke off");
    } catch (error) {
      if (
        !(error instanceof Deno.errors.ConnectionReset ||
          error instanceof Deno.errors.BrokenPipe)
      ) throw error;
    }
    this.#close();
    return null;
  }

  #close(): void {
    this.#connection?.[Symbol.dispose]();
    this.#connection = null;
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

/** Visitors that ask until they are told to stop. */
export class Load implements AsyncDisposable {
  readonly visitors: readonly Visitor[];
  readonly #asking: Promise<void>[];
  readonly #watchers = new Set<() => void>();
  #isOver = false;
  /** The process that answered last, of each instance. */
  readonly pids = new Map<Name, number>();
  /** How many requests were answered, or lost. */
  count = 0;

  constructor(port: number, methods: readonly Method[]) {
    this.visitors = methods.map((method) => new Visitor(method, port));
    this.#asking = this.visitors.map((visitor) => this.#ask(visitor));
  }

  async #ask(visitor: Visitor): Promise<void> {
    while (!this.#isOver) {
      const said = await visitor.ask();
      if (said !== null) this.pids.set(said.instance, said.pid);
      this.count++;
      for (const watcher of this.#watchers) watcher();
    }
  }

  /** Waits until so many more requests have been answered. */
  more(count: number): Promise<void> {
    const until = this.count + count;
    return this.until(`${count} answers`, () => this.count >= until);
  }

  /** Waits until an instance answers, by another process than before. */
  another(name: Name, pid?: number): Promise<void> {
    return this.until(`${name} to answer`, () => {
      const now = this.pids.get(name);
      return now !== undefined && now !== pid;
    });
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher = () => {
      if (holds()) resolve();
    };
    this.#watchers.add(watcher);
    try {
      watcher();
      const asking = Promise.all(this.#asking);
      await within(Promise.race([promise, asking]), what, 6 * DEADLINE_MS);
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** How many more were counted than answered, in all. */
  get beyond(): number {
    return this.visitors.reduce((sum, { beyond }) => sum + beyond, 0);
  }

  /** How many were asked again on another connection. */
  get again(): number {
    return this.visitors.reduce((sum, { again }) => sum + again, 0);
  }

  /** How many were not answered. */
  get failed(): number {
    return this.visitors.reduce((sum, { failed }) => sum + failed, 0);
  }

  /** Ends it; fails where a visitor did. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#asking);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await Promise.allSettled(this.#asking);
    for (const visitor of this.visitors) visitor[Symbol.dispose]();
  }
}
