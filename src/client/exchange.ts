// ClientExchange: one request on a connection: its records go out, and what
// comes of it goes to a reply.

import { LimitError } from "../errors.ts";
import type { FastCgiError } from "../errors.ts";
import { HEADER_LENGTH, KEEP_CONN, RecordType } from "../protocol/constants.ts";
import { OutputBuffer } from "../protocol/encoder.ts";
import type { ClientLimits } from "./client_options.ts";
import type { ClientConnection } from "./connection.ts";
import { closedEarly, timedOut, wrongLength } from "./faults.ts";
import { UnwantedBody } from "./reply.ts";
import type { FastCGIEnd, Reply } from "./reply.ts";
import type { RequestBody } from "./request_body.ts";
import type { ResponseSink } from "./response_sink.ts";

/** Sent in one write at the most: a large chunk is not copied as a whole. */
const WRITE_BYTES = 256 * 1024;

/** The same where other requests wait behind it. */
const SHARED_WRITE_BYTES = 64 * 1024;

/** How long the last of a request may be written once its answer is whole. */
const LAST_WRITE_MS = 1_000;

/** What a request sends. */
export interface Outgoing {
  /** The role it is for. */
  readonly role: number;
  /** The encoded variables. */
  readonly variables: Uint8Array;
  /** The body, null for none. */
  readonly body: RequestBody | null;
  /** FCGI_DATA, of the Filter role alone. */
  readonly data: Uint8Array | null;
}

/** Who takes FCGI_STDERR. */
export interface StderrTaker {
  /** Takes bytes, valid during the call. */
  push(buffer: Uint8Array, start: number, end: number): void;
  /** There are no more. */
  end(): void;
}

/** What an exchange is made of. */
export interface ExchangeParts {
  /** What is sent. */
  outgoing: Outgoing;
  /** The connection, held for it. */
  connection: ClientConnection;
  /** Whether the server is asked to keep the connection open. */
  keepsConnection: boolean;
  /** The limits of the client. */
  limits: ClientLimits;
  /** What becomes of the answer. */
  reply: Reply;
  /** Takes the error stream. */
  stderr: StderrTaker;
  /** Called at the end of the request, before that of the answer. */
  onEnd: ((end: FastCGIEnd) => void) | undefined;
  /**
   * Called once when nothing more comes of it.
   *
   * @param isReusable Whether its connection may carry a next request.
   */
  finished(isReusable: boolean): void;
}

/** One request in flight. */
export class ClientExchange implements ResponseSink {
  readonly #parts: ExchangeParts;
  readonly #connection: ClientConnection;
  readonly #reply: Reply;
  readonly #isAgain: boolean;
  #id = 0;
  /** Whether the server has been sent anything of it. */
  #isBegun = false;
  #isEnded = false;
  /** Whether more is to be sent than the write under way. */
  #isSending = true;
  #isSent = false;
  #isFailed = false;
  #isFinished = false;
  #hasAnswered = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When a byte came last, or was first waited for. */
  #lastByte = 0;

  /**
   * Takes a request and a connection.
   *
   * @param parts What it is made of.
   */
  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#connection = parts.connection;
    this.#reply = parts.reply;
    this.#isAgain = parts.connection.hasServed;
  }

  /**
   * Whether a kept connection turned out to be closed, and nothing came of
   * this request: the server may never have seen it.
   */
  isStale = false;
  /** Whether it was closed before anything of the request was sent. */
  isUnsent = false;

  get isHungry(): boolean {
    return this.#reply.isHungry;
  }

  get isFull(): boolean {
    return this.#reply.isFull;
  }

  /** Begins to send. The reply tells the rest. */
  start(): void {
    if (this.#connection.isClosed) {
      // Since it was given: nobody would be told any more.
      this.isStale = this.isUnsent = true;
      this.#fail(closedEarly(false));
      return;
    }
    this.#id = this.#connection.begin(this);
    // Alongside, for an answer may come before the body has gone.
    this.#send().catch((error) => this.abort(error));
    this.#connection.resume();
  }

  /**
   * Gives the request up.
   *
   * @param reason What the caller, or who reads the body, is told.
   */
  abort(reason: unknown): void {
    this.#giveUp(reason, true);
  }

  /** The reader of the answer waits for more. */
  wanted(): void {
    this.#lastByte = performance.now();
    this.#connection.resume();
  }

  // The request

  async #send(): Promise<void> {
    const { outgoing, keepsConnection } = this.#parts;
    const { body, variables, role } = outgoing;
    const out = new OutputBuffer(variables.length + 8 * HEADER_LENGTH);
    out.beginRequest(this.#id, role, keepsConnection ? KEEP_CONN : 0);
    out.stream(RecordType.PARAMS, this.#id, variables);
    out.endStream(RecordType.PARAMS, this.#id);
    if (body === null || body.length === 0) {
      await this.#sendEnd(out);
    } else if (body.isAtHand || await this.#write(out)) {
      // The service starts with the variables; its body may be waited for.
      await this.#sendBody(out, body);
    }
  }

  async #sendBody(out: OutputBuffer, body: RequestBody): Promise<void> {
    const { length } = body;
    let sent = 0;
    for await (const chunk of body.chunks()) {
      const most = this.#connection.isShared ? SHARED_WRITE_BYTES : WRITE_BYTES;
      for (let at = 0; at < chunk.length; at += most) {
        const end = Math.min(chunk.length, at + most);
        sent += end - at;
        if (length >= 0 && sent > length) throw wrongLength(length, "more");
        out.stream(RecordType.STDIN, this.#id, chunk, at, end);
        // The end leaves with the last byte: the answer need not wait until
        // the source says that there is no more.
        if (sent === length) await this.#sendEnd(out);
        else if (!await this.#write(out)) return;
      }
    }
    // Where all was sent, its end was too, or is not taken.
    if (this.#isFinished || sent === length) return;
    if (length >= 0) throw wrongLength(length, `${sent}`);
    await this.#sendEnd(out);
  }

  /** Writes what is encoded, the end of FCGI_STDIN, and FCGI_DATA. */
  async #sendEnd(out: OutputBuffer): Promise<void> {
    const { data } = this.#parts.outgoing;
    out.endStream(RecordType.STDIN, this.#id);
    if (data !== null) {
      for (let at = 0; at < data.length; at += WRITE_BYTES) {
        const end = Math.min(data.length, at + WRITE_BYTES);
        out.stream(RecordType.DATA, this.#id, data, at, end);
        if (!await this.#write(out)) return;
      }
      out.endStream(RecordType.DATA, this.#id);
    }
    this.#isSending = false;
    this.#isSent = await this.#write(out);
    if (this.#isEnded) this.#finish();
    else if (this.#isSent) this.#awaitAnswer();
  }

  /** Writes what is encoded; false where it is in vain. */
  async #write(out: OutputBuffer): Promise<boolean> {
    if (this.#isFinished) return false;
    this.#isBegun = true;
    const isWritten = await this.#connection.write(out.from(0));
    out.clear();
    if (!isWritten) this.#awaitAnswer();
    return isWritten && (!this.#isFinished || !this.#isSending);
  }

  // The answer

  /** Nothing more can be sent, be it that all is or that no more is taken. */
  #awaitAnswer(): void {
    if (this.#isEnded || this.#isFinished) return;
    this.#lastByte = performance.now();
    this.#watch(this.#parts.limits.readTimeoutMs);
  }

  /** Waits for the next byte, so long and no longer. */
  #watch(ms: number): void {
    if (ms < Infinity) this.#timer = setTimeout(() => this.#check(), ms);
  }

  #check(): void {
    const { readTimeoutMs } = this.#parts.limits;
    const since = this.isHungry ? performance.now() - this.#lastByte : 0;
    // A timer may be a fraction of a millisecond early.
    const left = Math.ceil(readTimeoutMs - since);
    if (left > 1) return this.#watch(left);
    this.#giveUp(timedOut(
      "READ_TIMEOUT",
      this.#reply.hasBegun
        ? "The FastCGI server sent no more of its response"
        : "The FastCGI server did not answer",
      "readTimeoutMs",
      readTimeoutMs,
    ));
  }

  /** @ignore */
  output(buffer: Uint8Array, start: number, end: number): void {
    this.#heard();
    try {
      this.#reply.output(buffer, start, end);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** @ignore */
  errorOutput(buffer: Uint8Array, start: number, end: number): void {
    this.#heard();
    this.#parts.stderr.push(buffer, start, end);
  }

  #heard(): void {
    this.#hasAnswered = true;
    this.#lastByte = performance.now();
  }

  /** @ignore */
  ended(end: FastCGIEnd): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    const { onEnd, stderr } = this.#parts;
    stderr.end();
    try {
      onEnd?.(end);
    } catch (error) {
      // Here it would pass for a fault of the server.
      reportError(error);
    }
    try {
      this.#reply.ended(end);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @ignore */
  settled(): void {
    if (this.#isFinished) return;
    // An answer may be seen before the write that led to it is known to be
    // over, or without the server having read all.
    if (this.#isSent || this.#isSending) this.#finish();
    else this.#timer = setTimeout(() => this.#finish(), LAST_WRITE_MS);
  }

  /** @ignore */
  lost(error: FastCgiError | null, hasPart: boolean): void {
    this.isStale = error === null && this.#isAgain && !this.#hasAnswered &&
      !hasPart;
    this.#fail(error ?? closedEarly(this.#reply.hasBegun));
  }

  /** @ignore */
  stalled(): void {
    const { stallTimeoutMs } = this.#parts.limits;
    this.#giveUp(
      new LimitError(
        "BODY_STALLED",
        `The response was not read while others on its connection waited behind it, for longer than the ${stallTimeoutMs} milliseconds that stallTimeoutMs allows`,
        stallTimeoutMs,
        stallTimeoutMs,
        { status: 503 },
      ),
    );
  }

  #giveUp(error: unknown, isAborted = false): void {
    if (this.#isFinished) return;
    if (!this.#isEnded) this.#connection.abort(this.#id, this.#isBegun);
    this.#fail(error, isAborted);
  }

  #fail(error: unknown, isAborted = false): void {
    if (this.#isFinished) return;
    this.#isFailed = true;
    this.#parts.stderr.end();
    // What nobody is to see fails nobody.
    if (!(error instanceof UnwantedBody)) this.#reply.failed(error, isAborted);
    this.#finish();
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    clearTimeout(this.#timer);
    const { finished, keepsConnection } = this.#parts;
    // What is not to be kept, the server closes: not even who waits gets it.
    finished(
      this.#connection.isShared ||
        keepsConnection && this.#isEnded && this.#isSent && !this.#isFailed,
    );
  }
}
