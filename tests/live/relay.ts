// Relay: hands every connection of one Unix socket on to another, and counts
// them.

import { within } from "../support/peer.ts";

/** A running relay. */
export class Relay implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #running = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;
  /** Connections accepted so far. */
  accepted = 0;

  /** Listens on one path, for the program on another. */
  constructor(path: string, target: string) {
    this.#listener = Deno.listen({ transport: "unix", path });
    this.#accepting = this.#accept(target);
  }

  async #accept(target: string): Promise<void> {
    for await (const conn of this.#listener) {
      this.accepted++;
      this.#running.add(relay(conn, target));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    await within(Promise.all(this.#running), "relayed connections to close");
  }
}

async function relay(conn: Deno.Conn, target: string): Promise<void> {
  const other = await Deno.connect({ transport: "unix", path: target });
  // Either end may go first.
  await Promise.allSettled([
    conn.readable.pipeTo(other.writable),
    other.readable.pipeTo(conn.writable),
  ]);
}
