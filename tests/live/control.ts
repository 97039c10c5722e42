// Control: a line between a test and one request that is being served, whatever
// process serves it. The service connects to a port of the test, tells what
// happens to it, and goes on when it is told to: so no test has to guess.

import { within } from "../support/peer.ts";

/** One end of a line. */
export class Line implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #said: string[] = [];
  #rest = "";

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects from the service to the test. */
  static async to(port: number): Promise<Line> {
    return new Line(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Says something; that nobody listens any more is no matter. */
  async say(what: string): Promise<void> {
    try {
      await this.#conn.write(new TextEncoder().encode(`${what}\n`));
    } catch {
      // As said.
    }
  }

  /** What the other end says next, null where it has gone. */
  async next(): Promise<string | null> {
    while (this.#said.length === 0) {
      const buffer = new Uint8Array(1024);
      const n = await this.#conn.read(buffer).catch(() => null);
      if (n === null) return null;
      const text = new TextDecoder().decode(buffer.subarray(0, n));
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop()!;
      this.#said.push(...lines);
    }
    return this.#said.shift()!;
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // Closed already.
    }
  }
}

/** The test's end of the lines of its requests. */
export class Control implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #lines: Line[] = [];

  /** What the query of a request says, so that its service connects. */
  get query(): string {
    return `control=${this.#listener.addr.port}`;
  }

  /** The line of the next request that is served. */
  line(): Promise<Line> {
    return within(this.hopedLine(), "a request to be served");
  }

  /** The same, of a request that may never be. */
  async hopedLine(): Promise<Line> {
    const line = new Line(await this.#listener.accept());
    this.#lines.push(line);
    return line;
  }

  [Symbol.dispose](): void {
    for (const line of this.#lines) line[Symbol.dispose]();
    this.#listener.close();
  }
}

/** What a service says next. */
export async function saying(line: Line, what: string): Promise<string> {
  const said = await within(line.next(), `the service to say ${what}`);
  if (said === null) throw new Error(`The service went before it said ${what}`);
  return said;
}
