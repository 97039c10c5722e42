// What is needed of a socket, and no more: `Deno.Conn` and `Deno.Listener` have
// it as they are, and an inherited descriptor is given it by inherited.ts.

import type { Wire } from "./wire.ts";

/** One accepted connection. */
export interface Transport {
  /** The other end; none on an inherited Unix socket. */
  readonly remoteAddr?: Deno.Addr;
  /** Reads at least one byte; null, or 0, at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of the bytes, which must not change until it has. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the writing side. */
  closeWrite(): Promise<void>;
  /** Closes both sides; a pending read or write is refused. */
  close(): void;
  /** Sends what is written at once (TCP). */
  setNoDelay?(noDelay?: boolean): void;
  /** Lets the connection keep the process running. */
  ref(): void;
  /** Lets the process end with the connection open. */
  unref(): void;
}

/** What a listening socket accepts. */
export type Accepted = Transport | Wire;

/** A listening socket. */
export interface TransportListener {
  /** Where it listens; null on an inherited Unix socket. */
  readonly addr: Deno.Addr | null;
  /** Waits for the next connection; refused once closed. */
  accept(): Promise<Accepted>;
  /**
   * Lets nobody connect any more; who waits in the system's queue can still be
   * accepted. Only a Unix socket can do that.
   */
  refuse?(): void;
  /** Stops listening. */
  close(): void;
  /** Lets the listener keep the process running. */
  ref(): void;
  /** Lets the process end with the listener open. */
  unref(): void;
}
