// Gate: workers that start when a test lets them. Each connects to it, tells its
// process id, and waits.

import { within } from "../support/peer.ts";
import { PATIENCE_MS } from "./group.ts";

/** A worker that waits to start. */
export interface Waiting {
  readonly pid: number;
  /** Lets it go on. */
  open(): void;
}

/** Where workers wait. */
export class Gate implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Deno.Conn[] = [];
  /** What tells a program of it. */
  readonly env: Record<string, string> = {
    GATE: String(this.#listener.addr.port),
  };

  /** The next worker that starts. */
  async next(): Promise<Waiting> {
    const connection = await within(
      this.#listener.accept(),
      "a worker",
      PATIENCE_MS,
    );
    this.#connections.push(connection);
    const bytes = new Uint8Array(16);
    const length = await within(connection.read(bytes), "its process id");
    const text = new TextDecoder().decode(bytes.subarray(0, length ?? 0));
    let isOpen = false;
    return {
      pid: Number(text),
      open() {
        if (!isOpen) connection.close();
        isOpen = true;
      },
    };
  }

  /** Lets all go on. */
  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) {
      try {
        connection.close();
      } catch {
        // It is open already.
      }
    }
  }
}
