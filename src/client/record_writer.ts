// RecordWriter: whole records to a socket, one write after another, with a
// bound on how long the other end may take none of them.

import type { Transport } from "../server/transport.ts";

/** How long the last record is given to leave before the socket is closed. */
const LAST_RECORD_MS = 1_000;

/** Writes for all requests of one connection. */
export class RecordWriter {
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #timedOut: () => void;
  #writing: Promise<boolean> | null = null;

  /**
   * Takes a socket.
   *
   * @param transport The socket.
   * @param timeoutMs How long it may take nothing; Infinity for as long as it
   * likes.
   * @param timedOut Called then; it is expected to close the socket.
   */
  constructor(transport: Transport, timeoutMs: number, timedOut: () => void) {
    this.#transport = transport;
    this.#timeoutMs = timeoutMs;
    this.#timedOut = timedOut;
    try {
      // Without it, what is written in two pieces waits 44 ms for the
      // acknowledgement of the first.
      transport.setNoDelay?.(true);
    } catch {
      // The other end is gone already: reading will tell.
    }
  }

  /**
   * Writes bytes, all of them, after those that are being written.
   *
   * @param bytes Whole records; they must not change until they are written.
   * @returns Whether they were taken: false where the other end is gone.
   */
  async write(bytes: Uint8Array): Promise<boolean> {
    const writing = this.#writing === null
      ? this.#write(bytes)
      : this.#writing.then(() => this.#write(bytes));
    this.#writing = writing;
    const isWritten = await writing;
    if (this.#writing === writing) this.#writing = null;
    return isWritten;
  }

  /**
   * Writes a last record and closes the socket; closes it at once where the
   * record would come amid another.
   *
   * @param bytes The record.
   */
  closeWith(bytes: Uint8Array): void {
    if (this.#writing !== null) {
      this.#transport.close();
      return;
    }
    let isOpen = true;
    const close = () => {
      clearTimeout(timer);
      // A write that is still under way then ends with it.
      if (isOpen) this.#transport.close();
      isOpen = false;
    };
    const timer = setTimeout(close, LAST_RECORD_MS);
    this.write(bytes).then(close);
  }

  async #write(bytes: Uint8Array): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      for (let at = 0; at < bytes.length;) {
        clearTimeout(timer);
        if (this.#timeoutMs < Infinity) {
          timer = setTimeout(this.#timedOut, this.#timeoutMs);
        }
        at += await this.#transport.write(bytes.subarray(at));
      }
      return true;
    } catch {
      // Where the server takes no more, it may have answered all the same:
      // reading tells.
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}
