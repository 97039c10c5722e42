// A wire is a connection as the server uses it: by callbacks, for a promise of
// each read and write is a good part of a short request where the system is
// done at once.

/** Who is told what comes on a wire. Its functions are called as they are. */
export interface WireReader {
  /** So many bytes are in the buffer; null, or 0, at the end. */
  readonly onRead: (length: number | null) => void;
  /** Nothing comes any more, and the buffer is not used any more. */
  readonly onReadFailed: (error: unknown) => void;
}

/** Who is told what left on a wire. Its functions are called as they are. */
export interface WireWriter {
  /** So many of the bytes were written, at least one. */
  readonly onWritten: (length: number) => void;
  /** The other end takes nothing any more. */
  readonly onWriteFailed: (error: unknown) => void;
}

/** One connection. */
export interface Wire {
  /** The other end; none on an inherited Unix socket. */
  readonly remoteAddr?: Deno.Addr | undefined;
  /**
   * What reads are to be into, whoever else reads into it: what has come is
   * there until `onRead` returns. None where reads take their time.
   */
  readonly buffer?: Uint8Array;
  /** Says whom to tell; once, before anything else. */
  start(reader: WireReader, writer: WireWriter): void;
  /**
   * Reads once, and tells the reader, not before this returns.
   *
   * @param buffer Where to: the wire's own, where it has one.
   */
  read(buffer: Uint8Array): void;
  /**
   * Writes some of the bytes, which must not change until it has.
   *
   * @returns Whether all of them are written; the writer is told otherwise.
   */
  write(bytes: Uint8Array): boolean;
  /**
   * Fails where the other end is known to be gone altogether. Not while a
   * write is under way.
   */
  probe(): Promise<void>;
  /** Ends the writing side. */
  closeWrite(): Promise<void>;
  /** Closes both sides; a pending read or write fails. */
  close(): void;
  /** Sends what is written at once (TCP). */
  setNoDelay(noDelay?: boolean): void;
  /** Lets the connection keep the process running. */
  ref(): void;
  /** Lets the process end with the connection open. */
  unref(): void;
}
