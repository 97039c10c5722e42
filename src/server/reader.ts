// Reader: what comes on a connection, one read after the other: into the wire's
// buffer, or into those of its own, which grow with what they bring.
//
// Hot. Nothing is asked for while the connection is held up.

import type { Pool } from "./pool.ts";
import type { Wire, WireReader } from "./wire.ts";

/**
 * The read buffer of a new connection: 2 KiB hold a usual request. With 64 KiB
 * 10,000 idle connections would hold 600 MB.
 */
const FIRST_INPUT = 2 * 1024;
/** What it grows to where requests fill it. */
const OWN_INPUT = 8 * 1024;
/**
 * The read buffer lent to one that brings more: as much as the system holds of
 * a Unix socket. With 64 KiB an upload takes four times the reads.
 */
export const LARGE_INPUT = 256 * 1024;

/** The connection, as its reader sees it. */
export interface ReaderHandler {
  /** Settles when reading may go on; null where it may. */
  readonly heldUp: Promise<void> | null;
  /** Whether more of a request is waited for. */
  readonly awaitsMore: boolean;
  /** Whether what comes is not looked at any more. */
  readonly isDropping: boolean;
  /**
   * Takes what has come.
   *
   * @returns Whether to read on.
   */
  received(buffer: Uint8Array, length: number): boolean;
  /** The other end has closed its writing side. */
  atEnd(): void;
  /** Nothing comes any more. */
  readFailed(error: unknown): void;
}

/** The receiving side of a connection. */
export class Reader implements WireReader {
  readonly #handler: ReaderHandler;
  readonly #largeInputs: Pool<Uint8Array>;
  readonly #wire: Wire;
  #own: Uint8Array;
  #large: Uint8Array | null = null;
  /** What the last read is into. */
  #buffer: Uint8Array;

  /**
   * Creates the reader of a connection.
   *
   * @param handler The connection.
   * @param largeInputs Buffers of {@linkcode LARGE_INPUT} bytes.
   * @param wire The socket.
   */
  constructor(
    handler: ReaderHandler,
    largeInputs: Pool<Uint8Array>,
    wire: Wire,
  ) {
    this.#handler = handler;
    this.#largeInputs = largeInputs;
    this.#wire = wire;
    this.#own = wire.buffer ?? new Uint8Array(FIRST_INPUT);
    this.#buffer = this.#own;
  }

  /** Reads until the handler has enough, or nothing comes any more. */
  read(): void {
    const { heldUp } = this.#handler;
    if (heldUp !== null) {
      heldUp.then(() => this.read());
      return;
    }
    if (this.#handler.isDropping) this.#giveBack();
    this.#buffer = this.#large ?? this.#own;
    try {
      this.#wire.read(this.#buffer);
    } catch (error) {
      this.onReadFailed(error);
    }
  }

  readonly onRead = (length: number | null): void => {
    const handler = this.#handler;
    if (!length) {
      this.#giveBack();
      handler.atEnd();
      return;
    }
    const buffer = this.#buffer;
    if (!handler.received(buffer, length)) {
      this.#giveBack();
      return;
    }
    if (length === buffer.length) this.#grow();
    // The next read may be pending for as long as the services take.
    else if (this.#large !== null && !handler.awaitsMore) this.#giveBack();
    this.read();
  };

  readonly onReadFailed = (error: unknown): void => {
    this.#giveBack();
    this.#handler.readFailed(error);
  };

  /** The buffer was too small: the next is larger, unless it is the wire's. */
  #grow(): void {
    if (this.#large !== null || this.#own.length === LARGE_INPUT) return;
    this.#large = this.#largeInputs.take();
    if (this.#own.length < OWN_INPUT) {
      this.#own = new Uint8Array(this.#own.length * 2);
    }
  }

  /**
   * Gives the large buffer back. Never while a read is pending, not even a
   * cancelled one: it may still bring bytes, into what is lent to another by
   * then.
   */
  #giveBack(): void {
    if (this.#large === null) return;
    this.#largeInputs.give(this.#large);
    this.#large = null;
  }
}
