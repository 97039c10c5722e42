// ClientConnection: one connection to a FastCGI server, with one request at a
// time on it, whose records go to a sink. It knows when it may carry the next.

import { FastCgiError } from "../errors.ts";
import {
  BODY_LENGTH,
  HEADER_LENGTH,
  NULL_REQUEST_ID,
  RecordType,
} from "../protocol/constants.ts";
import { OutputBuffer } from "../protocol/encoder.ts";
import { RecordParser } from "../protocol/parser.ts";
import type { RecordHandler } from "../protocol/parser.ts";
import type { Transport } from "../server/transport.ts";

/** The id of every request: one at a time needs no other. */
export const REQUEST_ID = 1;

/** Read at once; the kernel's buffers are larger, a record is not. */
const READ_BYTES = 64 * 1024;

/** How long FCGI_ABORT_REQUEST is given to leave. */
const ABORT_TIMEOUT_MS = 1_000;

/** Who is told what comes of a request. Bytes are valid during the call. */
export interface ResponseSink {
  /** Bytes of FCGI_STDOUT, at least one. */
  output(buffer: Uint8Array, start: number, end: number): void;
  /** Bytes of FCGI_STDERR, at least one. */
  errorOutput(buffer: Uint8Array, start: number, end: number): void;
  /** FCGI_END_REQUEST: the connection has forgotten the sink. */
  ended(appStatus: number, protocolStatus: number): void;
}

/** A connection of a client. */
export class ClientConnection implements RecordHandler {
  readonly #transport: Transport;
  readonly #parser = new RecordParser(this);
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #end = new Uint8Array(BODY_LENGTH);
  #endLength = 0;
  #sink: ResponseSink | null = null;
  /** The read that waits while nothing is asked, to see the other end close. */
  #idleRead: Promise<number | null> | null = null;
  #isWriting = false;
  #isClosed = false;
  /** Whether an earlier request was answered on it. */
  isReused = false;
  /** Whether any byte has come since the request began. */
  hasAnswered = false;

  /**
   * Takes a connection over.
   *
   * @param transport The connection.
   */
  constructor(transport: Transport) {
    this.#transport = transport;
    try {
      // Without it, what is written in two pieces waits 44 ms for the
      // acknowledgement of the first.
      transport.setNoDelay?.(true);
    } catch {
      // The other end is gone already: reading will tell.
    }
  }

  /**
   * Begins a request: its records go to the sink until FCGI_END_REQUEST.
   *
   * @param sink Who is told.
   */
  begin(sink: ResponseSink): void {
    if (this.#idleRead !== null) this.#transport.ref();
    this.#sink = sink;
    this.hasAnswered = false;
  }

  /**
   * Keeps the connection for a next request. It keeps no process running.
   *
   * @param lost Called where the other end closes before that.
   * @returns Whether it can be kept.
   */
  idle(lost: () => void): boolean {
    if (this.#isClosed || this.#sink !== null || !this.#parser.isAtBoundary) {
      return false;
    }
    this.isReused = true;
    const read = this.#transport.read(this.#buffer);
    this.#idleRead = read;
    this.#transport.unref();
    const ended = () => {
      if (this.#sink !== null) return; // Of a request: read() has it.
      this.close();
      lost();
    };
    read.then(ended, ended);
    return true;
  }

  /**
   * Reads once, and tells the sink.
   *
   * @returns Whether anything came: false at the end of the connection.
   * @throws {FastCgiError} `BAD_RESPONSE` where the other end breaks the
   * protocol, or what the sink throws. The connection is closed then.
   */
  async read(): Promise<boolean> {
    let length: number | null;
    try {
      length = await (this.#idleRead ?? this.#transport.read(this.#buffer));
    } catch {
      // Reset, or closed here: to a request the same as an end.
      length = null;
    }
    this.#idleRead = null;
    if (length === null || this.#isClosed) {
      this.close();
      return false;
    }
    this.hasAnswered = true;
    try {
      this.#parser.push(this.#buffer, 0, length);
    } catch (error) {
      this.close();
      // What follows FCGI_END_REQUEST is not the request's any more.
      if (this.#sink === null) return true;
      throw error instanceof FastCgiError && error.code === "BAD_VERSION"
        ? bad(error.message, error)
        : error;
    }
    return true;
  }

  /**
   * Writes bytes, all of them. One write at a time.
   *
   * @param bytes Whole records.
   * @returns Whether they were taken: false where the other end is gone.
   */
  async write(bytes: Uint8Array): Promise<boolean> {
    this.#isWriting = true;
    try {
      for (let at = 0; at < bytes.length;) {
        at += await this.#transport.write(bytes.subarray(at));
      }
      return true;
    } catch {
      return false;
    } finally {
      this.#isWriting = false;
    }
  }

  /**
   * Gives the request up: FCGI_ABORT_REQUEST (FastCGI 1.0, section 5.4), where
   * no other record is on its way, and the end of the connection, which is all
   * that most servers understand.
   */
  abort(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sink = null;
    if (this.#isWriting) {
      this.#transport.close();
      return;
    }
    const out = new OutputBuffer(HEADER_LENGTH);
    out.header(RecordType.ABORT_REQUEST, REQUEST_ID, 0);
    const close = () => {
      clearTimeout(timer);
      this.#transport.close();
    };
    const timer = setTimeout(close, ABORT_TIMEOUT_MS);
    this.write(out.bytes.subarray(0, out.length)).then(close);
  }

  /** Closes the connection, unless it is closing. May be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#transport.close();
  }

  /** @ignore Called by the parser. */
  record(
    type: number,
    id: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    remaining: number,
  ): void {
    // A management record that nobody asked for concerns no request.
    if (id === NULL_REQUEST_ID) return;
    const sink = this.#sink;
    if (sink === null || id !== REQUEST_ID) {
      throw bad(`it sent a record of request ${id}, which is not in flight`);
    }
    switch (type) {
      case RecordType.STDOUT:
        if (end > start) sink.output(buffer, start, end);
        return;
      case RecordType.STDERR:
        if (end > start) sink.errorOutput(buffer, start, end);
        return;
      case RecordType.END_REQUEST:
        this.#readEnd(sink, buffer.subarray(start, end), remaining);
        return;
      default:
        throw bad(`it sent a record of type ${type}`);
    }
  }

  #readEnd(sink: ResponseSink, bytes: Uint8Array, remaining: number): void {
    if (this.#endLength + bytes.length + remaining !== BODY_LENGTH) {
      throw bad("its FCGI_END_REQUEST is not of eight bytes");
    }
    const end = this.#end;
    end.set(bytes, this.#endLength);
    this.#endLength += bytes.length;
    if (remaining > 0) return;
    this.#endLength = 0;
    this.#sink = null;
    const appStatus = (end[0]! << 24 | end[1]! << 16 | end[2]! << 8 |
      end[3]!) >>> 0;
    sink.ended(appStatus, end[4]!);
  }
}

function bad(why: string, cause?: unknown): FastCgiError {
  return new FastCgiError(
    "BAD_RESPONSE",
    `The FastCGI server broke the protocol: ${why}`,
    { status: 502, cause },
  );
}
