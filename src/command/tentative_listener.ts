// TentativeListener: the default address, until it is known whether descriptor
// 0 is a listening socket, which goes before it (FastCGI 1.0, section 2.2).
//
// Without permissions only `node:fs` can tell, and loading it takes longer
// than the rest of the start: 30 ms, where a bare listener is there after 20.
// So the program listens first, and asks before it accepts: who connects
// meanwhile waits in the system's queue, and nobody is served on an address
// that was not meant.

import { isInheritedSocket, takeInherited } from "../server/inherited.ts";
import type { Transport, TransportListener } from "../server/transport.ts";

/** Listens on one address, and on descriptor 0 instead if that listens. */
export class TentativeListener implements TransportListener {
  #listener: TransportListener;
  #settling: Promise<void> | null = null;
  #isClosed = false;
  #isRef = true;

  /**
   * Takes a listening socket that may be given up.
   *
   * @param listener The socket.
   */
  constructor(listener: TransportListener) {
    this.#listener = listener;
  }

  get addr(): Deno.Addr | null {
    return this.#listener.addr;
  }

  async accept(): Promise<Transport> {
    await (this.#settling ??= this.#settle());
    return await this.#listener.accept();
  }

  async #settle(): Promise<void> {
    if (!isInheritedSocket()) return;
    const inherited = await takeInherited();
    if (inherited === null) return;
    if (this.#isClosed) {
      inherited.close();
      return;
    }
    this.#listener.close();
    this.#listener = inherited;
    if (!this.#isRef) inherited.unref();
    console.log(
      "Listening for FastCGI on descriptor 0 instead: it is a listening socket",
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#listener.close();
  }

  ref(): void {
    this.#isRef = true;
    this.#listener.ref();
  }

  unref(): void {
    this.#isRef = false;
    this.#listener.unref();
  }
}
