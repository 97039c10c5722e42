// Relay: stands between a web server and the program, hands all on, and notes
// which records pass.

import { within } from "../support/peer.ts";
import { BEGIN, END } from "../support/wire.ts";

/** A running relay, on a Unix socket. */
export class Relay implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #running = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;
  /** Where it listens. */
  readonly path: string;
  /** Connections accepted so far. */
  accepted = 0;
  /** How often each type of record came from the web server. */
  readonly came = new Map<number, number>();
  /** How often each type of record came from the program. */
  readonly went = new Map<number, number>();
  /** The most requests that were in flight on one connection. */
  mostInFlight = 0;

  /** Listens on one path, for the program on another. */
  constructor(path: string, target: string) {
    this.path = path;
    this.#listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o666);
    this.#accepting = this.#accept(target);
  }

  async #accept(target: string): Promise<void> {
    for await (const conn of this.#listener) {
      this.accepted++;
      const relayed = this.#relay(conn, target);
      this.#running.add(relayed);
      relayed.then(() => this.#running.delete(relayed));
    }
  }

  async #relay(conn: Deno.Conn, target: string): Promise<void> {
    const other = await Deno.connect({ transport: "unix", path: target });
    let inFlight = 0;
    const came = new Records((type) => {
      count(this.came, type);
      if (type === BEGIN) inFlight++;
      this.mostInFlight = Math.max(this.mostInFlight, inFlight);
    });
    const went = new Records((type) => {
      count(this.went, type);
      if (type === END) inFlight--;
    });
    // Either end may go first.
    await Promise.allSettled([
      conn.readable.pipeThrough(came.watch()).pipeTo(other.writable),
      other.readable.pipeThrough(went.watch()).pipeTo(conn.writable),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await within(Promise.all(this.#running), "relayed connections to close");
  }
}

function count(counts: Map<number, number>, type: number): void {
  counts.set(type, (counts.get(type) ?? 0) + 1);
}

const HEADER_LENGTH = 8;

/** The records of one direction of a connection. */
class Records {
  readonly #seen: (type: number) => void;
  readonly #header = new Uint8Array(HEADER_LENGTH);
  #headerLength = 0;
  /** Bytes of content and padding that are still to come. */
  #rest = 0;

  constructor(seen: (type: number) => void) {
    this.#seen = seen;
  }

  /** A stream that gives what it is given. */
  watch(): TransformStream<Uint8Array, Uint8Array> {
    return new TransformStream({
      transform: (chunk, controller) => {
        this.#read(chunk);
        controller.enqueue(chunk);
      },
    });
  }

  #read(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const skipped = Math.min(this.#rest, chunk.length - at);
      this.#rest -= skipped;
      at += skipped;
      if (at === chunk.length) return;
      this.#header[this.#headerLength++] = chunk[at++]!;
      if (this.#headerLength < HEADER_LENGTH) continue;
      const [, type, , , high, low, padding] = this.#header;
      this.#rest = high! * 256 + low! + padding!;
      this.#headerLength = 0;
      this.#seen(type!);
    }
  }
}
