// Exchange: one request in flight, from its parameters to FCGI_END_REQUEST. It
// joins what came (parameters, input) and what goes (output), and knows how a
// request can end; the connection it belongs to is seen through ExchangeHost.

import { HeaderBlock } from "../cgi/header_block.ts";
import { reasonPhrase } from "../cgi/status.ts";
import { AbortedError, LimitError, ProtocolError } from "../errors.ts";
import type { Limits } from "../options.ts";
import { Role } from "../protocol/constants.ts";
import type { ProtocolStatus } from "../protocol/constants.ts";
import { ActiveRequest, Phase } from "../protocol/multiplexer.ts";
import {
  decodeLatin1,
  decodePairs,
  decodeUtf8,
  findPair,
} from "../protocol/pairs.ts";
import type { Span } from "../protocol/pairs.ts";
import { Input } from "./input.ts";
import type { InputOwner } from "./input.ts";
import { HIGH_WATER, Output } from "./output.ts";

/** The connection, as an exchange sees it. */
export interface ExchangeHost extends InputOwner {
  /** The limits in force. */
  readonly limits: Limits;
  /** The clock's time. */
  readonly now: number;
  /** The other end's address, where it has one. */
  readonly remoteAddr: Deno.Addr | undefined;
  /** The exchange has something to send. */
  schedule(exchange: Exchange): void;
  /** FCGI_END_REQUEST is to be sent now, whatever else waits. */
  endNow(exchange: Exchange): void;
  /** The response broke off: it must not look whole. */
  breakOff(exchange: Exchange): void;
  /** Writes a line to the server's own log. */
  report(message: string): void;
}

const EMPTY = new Uint8Array(0);
const RESOLVED = Promise.resolve();
const span: Span = { start: -1, end: -1 };

/** One request in flight. */
export class Exchange extends ActiveRequest {
  readonly #host: ExchangeHost;
  #buffer: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  #hasParams = false;
  #input: Input | null = null;
  #data: Input | null = null;
  #controller: AbortController | null = null;
  #reason: unknown = null;
  #drained: PromiseWithResolvers<void> | null = null;
  #flushed: PromiseWithResolvers<void> | null = null;
  #completed: PromiseWithResolvers<void> | null = null;
  /** What is to be sent. */
  readonly output: Output;
  /** The clock's time of FCGI_BEGIN_REQUEST. */
  readonly beganAt: number;
  /** The clock's time since which only input is awaited, to be dropped. */
  answeredAt = 0;
  /** Bytes of input dropped since. */
  drained = 0;
  /** The clock's time since which {@linkcode Exchange.isStalled}. */
  stalledAt = 0;
  /** Whether the connection has it in line to send. */
  isScheduled = false;
  /** Whether the connection stands still because its input is not read. */
  isStalled = false;
  /** Whether FCGI_END_REQUEST was sent, or the connection is gone. */
  isEnded = false;
  /** Whether the rest of the input is no longer waited for. */
  isInputGivenUp = false;
  /** Whether the method is HEAD. */
  isHead = false;

  /**
   * Creates the exchange at FCGI_BEGIN_REQUEST.
   *
   * @param host The connection.
   * @param id The request id.
   * @param role The role.
   * @param keepConnection Whether FCGI_KEEP_CONN was set.
   */
  constructor(
    host: ExchangeHost,
    id: number,
    role: number,
    keepConnection: boolean,
  ) {
    super(id, role, keepConnection);
    this.#host = host;
    this.output = new Output(id);
    this.beganAt = host.now;
  }

  /** Whether the parameters are complete. */
  get hasParams(): boolean {
    return this.phase !== Phase.PARAMS;
  }

  /** The connection's other end. */
  get remoteAddr(): Deno.Addr | undefined {
    return this.#host.remoteAddr;
  }

  /** The limits in force. */
  get limits(): Limits {
    return this.#host.limits;
  }

  // Parameters

  /**
   * The parameters are complete. They may lie in a buffer that is reused: see
   * {@linkcode Exchange.keepParams}.
   *
   * @param buffer What holds them.
   * @param start Where they begin.
   * @param end Where they end, excluded.
   */
  setParams(buffer: Uint8Array, start: number, end: number): void {
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
    this.#hasParams = true;
    const { methodStart: at } = this;
    this.isHead = this.methodEnd - at === 4 && buffer[at] === 72 &&
      buffer[at + 1] === 69 && buffer[at + 2] === 65 && buffer[at + 3] === 68;
    this.output.hasNoBody = this.isHead;
  }

  /** Copies the parameters out of the reused buffer. */
  keepParams(): void {
    if (!this.#hasParams) return;
    this.#buffer = this.#buffer.slice(this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }

  /** The buffer of the parameters is about to be reused: they are gone. */
  dropParams(): void {
    this.#hasParams = false;
    this.#buffer = EMPTY;
  }

  /**
   * One parameter, as UTF-8.
   *
   * @param name The name.
   * @returns The value, or null where there is none.
   */
  param(name: string): string | null {
    return this.#find(name)
      ? decodeUtf8(this.#buffer, span.start, span.end)
      : null;
  }

  /**
   * One parameter, a character per byte.
   *
   * @param name The name.
   * @returns The value, or null where there is none.
   */
  latin1Param(name: string): string | null {
    return this.#find(name)
      ? decodeLatin1(this.#buffer, span.start, span.end)
      : null;
  }

  #find(name: string): boolean {
    this.#checkParams();
    return findPair(this.#buffer, this.#start, this.#end, name, span);
  }

  /**
   * Every parameter, in the order sent.
   *
   * @param isLatin1 Whether a character stands for a byte, rather than UTF-8.
   * @param pair Called with each name and value.
   */
  params(
    isLatin1: boolean,
    pair: (name: string, value: string) => void,
  ): void {
    this.#checkParams();
    const decode = isLatin1 ? decodeLatin1 : decodeUtf8;
    decodePairs(this.#buffer, this.#start, this.#end, decode, pair);
  }

  #checkParams(): void {
    if (this.#hasParams) return;
    throw new TypeError(
      "Cannot read a parameter of a request that has ended: read it before service() returns",
    );
  }

  // Input

  /** The bytes of FCGI_STDIN. */
  get input(): Input {
    return this.#input ??= this.#makeInput(
      this.phase === Phase.PARAMS || this.phase === Phase.STDIN,
    );
  }

  /** The bytes of FCGI_DATA. */
  get data(): Input {
    return this.#data ??= this.#makeInput(
      this.role === Role.FILTER && this.phase !== Phase.COMPLETE,
    );
  }

  #makeInput(isOpen: boolean): Input {
    const input = new Input(this.#host);
    if (this.#reason !== null) input.fail(this.#reason);
    else if (!isOpen || this.output.isFinished) input.end();
    return input;
  }

  /** The input that is awaited, null where none is. */
  get awaited(): Input | null {
    if (this.#input?.isAwaited) return this.#input;
    return this.#data?.isAwaited ? this.#data : null;
  }

  /** Bytes of input that have come and were not read. */
  get buffered(): number {
    return (this.#input?.buffered ?? 0) + (this.#data?.buffered ?? 0);
  }

  /**
   * Takes bytes of input.
   *
   * @param buffer What holds them.
   * @param start Where they begin.
   * @param end Where they end, excluded.
   */
  takeInput(buffer: Uint8Array, start: number, end: number): void {
    if (this.output.isFinished) return;
    if (this.phase === Phase.DATA) {
      this.data.push(buffer, start, end);
      return;
    }
    const { maxBodyBytes } = this.limits;
    if (this.received > maxBodyBytes) {
      this.failInput(bodyTooLarge(maxBodyBytes, this.received));
      return;
    }
    this.input.push(buffer, start, end);
  }

  /**
   * A stream of input has ended.
   *
   * @param ended Which: STDIN or DATA.
   */
  endInput(ended: Phase): void {
    if (!this.output.isFinished) {
      if (ended === Phase.DATA) this.data.end();
      else if (this.received < this.contentLength) {
        this.failInput(
          new ProtocolError(
            "BODY_TRUNCATED",
            `The body of request ${this.id} ended after ${this.received} of ${this.contentLength} bytes`,
            this.id,
            this.received,
          ),
        );
      } else this.#input?.end();
    }
    if (this.isInputComplete) this.#host.schedule(this);
  }

  /**
   * Makes reading the body fail; what has come can still be read.
   *
   * @param error What it fails with.
   */
  failInput(error: unknown): void {
    this.input.fail(error);
    if (this.role === Role.FILTER) this.data.fail(error);
  }

  /**
   * Gives up on a body that is not read and holds others up: what has come is
   * dropped, and reading fails.
   *
   * @param error What it fails with.
   */
  stall(error: unknown): void {
    this.failInput(error);
    this.#input?.discard();
    this.#data?.discard();
  }

  /** Whether FCGI_END_REQUEST need not wait for input. */
  get isInputComplete(): boolean {
    return this.phase === Phase.COMPLETE || this.isInputGivenUp;
  }

  // Abort

  /** Fires when the request is given up; never after it was answered. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#reason !== null) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Why the request was given up, null where it was not. */
  get abortReason(): unknown {
    return this.#reason;
  }

  /**
   * Gives the request up: the signal fires, reading its body fails and its
   * later output is dropped.
   *
   * @param reason Why.
   */
  abort(reason: unknown): void {
    if (this.#reason !== null || this.isEnded) return;
    const wasFinished = this.output.isFinished;
    this.#reason = reason;
    this.output.reset();
    this.output.isFinished = true;
    if (wasFinished) {
      this.#settle(null);
      return;
    }
    this.#input?.fail(reason);
    this.#data?.fail(reason);
    this.#settle(reason);
    this.#controller?.abort(reason);
  }

  /**
   * Tells the application alone that the other end is gone; what it still
   * answers is sent, for a client that has only closed its writing side.
   *
   * @param reason Why.
   */
  hint(reason: unknown): void {
    if (this.output.isFinished || this.#reason !== null) return;
    this.signal;
    this.#controller!.abort(reason);
  }

  // Output

  /** Whether the application can still say anything. */
  get isOpen(): boolean {
    return !this.output.isFinished && !this.isEnded;
  }

  /**
   * Fixes the header block.
   *
   * @param head The block.
   * @param hasNoBody Whether the status has none.
   */
  begin(head: HeaderBlock, hasNoBody: boolean): void {
    if (!this.isOpen) return;
    const { output } = this;
    output.begin(head);
    if (hasNoBody) {
      output.hasNoBody = true;
      output.tellsLength = false;
    }
  }

  /**
   * Adds to the body.
   *
   * @param chunk A string, to be sent as UTF-8, or bytes.
   * @returns Settles when more should be written; fails once the request was
   * given up.
   */
  write(chunk: string | Uint8Array): Promise<void> {
    if (!this.isOpen) return this.#refused();
    const { output } = this;
    const excess = output.push(chunk);
    if (excess > 0) {
      this.#host.report(
        `The response of request ${this.id} is ${excess} bytes longer than its Content-Length of ${output.head?.contentLength}: they were cut off`,
      );
    }
    if (output.queued <= HIGH_WATER) return RESOLVED;
    if (this.#drained === null) {
      this.#drained = deferred();
      this.#flushSoon();
    }
    return this.#drained.promise;
  }

  /**
   * A large response that is complete in the same turn shall still get its
   * length: the flush waits for the reactions that are already in line.
   */
  #flushSoon(): void {
    RESOLVED.then(() => RESOLVED).then(() => {
      if (!this.isOpen || this.#drained === null) return;
      this.output.isFlushing = true;
      this.#host.schedule(this);
    });
  }

  /** What was written leaves now. Settles once it is on its way. */
  flush(): Promise<void> {
    if (!this.isOpen) return this.#refused();
    this.output.isFlushing = true;
    this.#flushed ??= deferred();
    const { promise } = this.#flushed;
    this.#host.schedule(this);
    return promise;
  }

  #refused(): Promise<void> {
    const reason = this.#reason ??
      (this.isEnded ? new AbortedError("The request has ended") : null);
    if (reason === null) return RESOLVED;
    const refused = Promise.reject(reason);
    // Who does not await a write must not crash the process with it.
    refused.catch(() => {});
    return refused;
  }

  /** The connection took what there was: settles those who wait. */
  afterEncode(): void {
    if (this.#drained !== null && this.output.queued <= HIGH_WATER / 2) {
      this.#drained.resolve();
      this.#drained = null;
    }
    if (this.#flushed !== null && !this.output.isFlushing) {
      this.#flushed.resolve();
      this.#flushed = null;
    }
  }

  /** The application has finished: the rest leaves. */
  finish(): void {
    if (!this.isOpen) return;
    const { output } = this;
    if (output.missing > 0) {
      this.#host.report(
        `The response of request ${this.id} is ${output.missing} bytes shorter than its Content-Length of ${output.head?.contentLength}: it was broken off`,
      );
      this.breakOff();
      return;
    }
    output.isFinished = true;
    this.answeredAt = this.#host.now;
    this.#input?.discard();
    this.#data?.discard();
    this.#host.schedule(this);
  }

  /** The response broke off: it must not look whole. */
  breakOff(): void {
    if (!this.isOpen) return;
    this.output.isFinished = true;
    this.#input?.discard();
    this.#data?.discard();
    this.#host.breakOff(this);
  }

  /**
   * Answers in the application's place, if nothing was sent: with a short
   * plain page. Otherwise the response breaks off.
   *
   * @param status The status.
   * @param message What the page says; the reason phrase by default.
   */
  refuse(status: number, message: string = reasonPhrase(status)): void {
    if (!this.isOpen) return;
    if (this.output.isHeadSent) {
      this.breakOff();
      return;
    }
    this.output.reset();
    this.output.hasNoBody = this.isHead;
    this.begin(
      new HeaderBlock(status, "", [["content-type", PLAIN]]),
      false,
    );
    this.output.push(`${status} ${message}\n`);
    this.finish();
  }

  /**
   * As {@linkcode Exchange.refuse}, and the application is told why.
   *
   * @param status The status.
   * @param reason The reason of the signal.
   */
  timeOut(status: number, reason: LimitError): void {
    if (!this.isOpen) return;
    this.refuse(status);
    this.#reason = reason;
    this.#input?.fail(reason);
    this.#data?.fail(reason);
    this.#settle(reason);
    this.#controller?.abort(reason);
  }

  /** Settles with the end of the exchange, and fails where it was given up. */
  get completed(): Promise<void> {
    if (this.#completed === null) {
      this.#completed = deferred();
      if (this.isEnded) this.#complete();
    }
    return this.#completed.promise;
  }

  /**
   * The exchange is over: FCGI_END_REQUEST was sent, or the connection is gone.
   */
  ended(): void {
    this.isEnded = true;
    this.#settle(this.#reason);
    this.#complete();
  }

  #complete(): void {
    if (this.#reason === null) this.#completed?.resolve();
    else this.#completed?.reject(this.#reason);
  }

  #settle(error: unknown): void {
    for (const waiting of [this.#drained, this.#flushed]) {
      if (error === null) waiting?.resolve();
      else waiting?.reject(error);
    }
    this.#drained = this.#flushed = null;
  }

  /**
   * Sets the statuses of FCGI_END_REQUEST.
   *
   * @param appStatus The application status, 32 bits.
   * @param protocolStatus The protocol status; unchanged by default.
   */
  setStatus(appStatus: number, protocolStatus?: ProtocolStatus): void {
    this.output.appStatus = appStatus;
    this.output.protocolStatus = protocolStatus ?? this.output.protocolStatus;
  }

  /**
   * Writes a line to the error stream, or to the server's own log where it
   * can no longer travel.
   *
   * @param line The line.
   */
  log(line: string): void {
    if (!this.isOpen || !this.output.log(line)) this.#host.report(line);
  }
}

const PLAIN = "text/plain; charset=utf-8";

/** A promise nobody need await: refusing it is no unhandled rejection. */
function deferred(): PromiseWithResolvers<void> {
  const made = Promise.withResolvers<void>();
  made.promise.catch(() => {});
  return made;
}

/**
 * The error of a body past its limit.
 *
 * @param limit The limit in bytes.
 * @param actual The bytes announced or received.
 * @returns The error.
 */
export function bodyTooLarge(limit: number, actual: number): LimitError {
  return new LimitError(
    "BODY_TOO_LARGE",
    `The body is larger than maxBodyBytes allows: ${actual} bytes, where ${limit} are allowed`,
    limit,
    actual,
    { status: 413 },
  );
}
