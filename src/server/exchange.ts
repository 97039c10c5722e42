// Exchange: one request in flight, from its parameters to FCGI_END_REQUEST. It
// joins what came (parameters, input) and what goes (output), and knows how a
// request can end; the connection it belongs to is seen through ExchangeHost.

import { HeaderBlock } from "../cgi/header_block.ts";
import { reasonPhrase } from "../cgi/status.ts";
import { AbortedError } from "../errors.ts";
import { Role } from "../protocol/constants.ts";
import type { ProtocolStatus } from "../protocol/constants.ts";
import type { Phase } from "../protocol/multiplexer.ts";
import { deferred, nextTurn, settle } from "./deferred.ts";
import type { ResponseHold } from "./hold.ts";
import { HIGH_WATER, Output } from "./output.ts";
import { RequestInput } from "./request_input.ts";
import type { RequestInputHost } from "./request_input.ts";

/** The connection, as an exchange sees it. */
export interface ExchangeHost extends RequestInputHost {
  /** The clock's time. */
  readonly now: number;
  /** The other end's address, where it has one. */
  readonly remoteAddr: Deno.Addr | undefined;
  /** The exchange has something to send, `isHeld` where not at once. */
  schedule(exchange: Exchange, isHeld?: boolean): void;
  /** FCGI_END_REQUEST is to be sent now, whatever else waits. */
  endNow(exchange: Exchange): void;
  /** The response broke off: it must not look whole. */
  breakOff(exchange: Exchange): void;
  /** Writes a line to the server's own log. */
  report(message: string): void;
}

const RESOLVED = Promise.resolve();
const PLAIN = [["content-type", "text/plain; charset=utf-8"]] as const;

/** One request in flight. */
export class Exchange extends RequestInput {
  readonly #host: ExchangeHost;
  #controller: AbortController | null = null;
  #reason: unknown = null;
  /** Whether it was given up before it was answered. */
  #isGivenUp = false;
  #drained: PromiseWithResolvers<void> | null = null;
  #flushed: PromiseWithResolvers<void> | null = null;
  #completed: PromiseWithResolvers<void> | null = null;
  /** What is to be sent. */
  readonly output: Output;
  /** What must be done before anything leaves, null for nothing. */
  hold: ResponseHold | null = null;
  /** The clock's time of FCGI_BEGIN_REQUEST. */
  readonly beganAt: number;
  /** The clock's time since which only input is awaited, to be dropped. */
  answeredAt = 0;
  /** The clock's time since which {@linkcode Exchange.isStalled}. */
  stalledAt = 0;
  /** Whether the connection closes after it, whatever the web server asked. */
  closesConnection = false;
  /** Whether the connection has it in line to send. */
  isScheduled = false;
  /** Whether the connection stands still because its input is not read. */
  isStalled = false;
  /** Whether FCGI_END_REQUEST was sent, or the connection is gone. */
  isEnded = false;
  // For the server's counters:
  timing = 0;
  isRefused = false;
  isAborted = false;

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
    super(host, id, role, keepConnection);
    this.#host = host;
    this.output = new Output(id);
    this.beganAt = host.now;
  }

  /** The connection's other end. */
  get remoteAddr(): Deno.Addr | undefined {
    return this.#host.remoteAddr;
  }

  protected override get inputFault(): unknown {
    return this.#reason;
  }

  protected override get isAnswered(): boolean {
    return this.output.isFinished;
  }

  /** As of RequestInput: the end of the response may wait for it. */
  override endInput(ended: Phase): void {
    super.endInput(ended);
    if (this.isInputComplete) this.#host.schedule(this);
  }

  // Abort

  /** Fires when the request is given up; never after it was answered. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#isGivenUp) this.#controller.abort(this.#reason);
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
    this.isAborted = true;
    this.#reason = reason;
    this.output.reset();
    this.output.isFinished = true;
    if (wasFinished) this.#settle(null);
    else this.#giveUp(reason);
  }

  /** Tells the application. */
  #giveUp(reason: unknown): void {
    this.#isGivenUp = true;
    this.breakInput(reason);
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
   * @throws {RangeError} Where the block is larger than a record.
   */
  begin(head: HeaderBlock, hasNoBody: boolean): void {
    if (!this.isOpen) return;
    const cookie = this.hold?.begin() ?? null;
    let whole = cookie === null ? head : head.withCookie(cookie);
    if (this.role === Role.AUTHORIZER) whole = whole.withStatusFirst();
    this.output.begin(whole, hasNoBody);
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
    this.#push(chunk, false);
    if (this.output.queued <= HIGH_WATER) {
      return this.output.hasDropped() ? nextTurn() : RESOLVED;
    }
    return (this.#drained ??= this.#flushSoon()).promise;
  }

  /**
   * Adds bytes to a body that has no end in sight: they are encoded as far as
   * there is room, so that no copy is kept, and leave with a flush.
   *
   * @param chunk The bytes; they must not change before it settles.
   * @returns As of write; null where more may be written now.
   */
  stream(chunk: Uint8Array): Promise<void> | null {
    if (!this.isOpen) return this.#refused();
    const { output } = this;
    this.#push(chunk, true);
    if (this.hold !== null) return this.flush();
    output.isFlushing = true;
    this.#host.schedule(this, true);
    if (output.queued === 0) return null;
    return (this.#drained ??= deferred()).promise;
  }

  #push(chunk: string | Uint8Array, isLent: boolean): void {
    const excess = this.output.push(chunk, isLent);
    if (excess > 0) this.#reportLength(`${excess} bytes longer`, "cut off");
  }

  #reportLength(difference: string, consequence: string): void {
    this.#host.report(
      `The response of request ${this.id} is ${difference} than its Content-Length of ${this.output.head?.contentLength}: it was ${consequence}`,
    );
  }

  // A large response that is complete in the same turn shall still get its
  // length: the flush waits for the reactions that are already in line.
  #flushSoon(): PromiseWithResolvers<void> {
    RESOLVED.then(() => RESOLVED).then(() => {
      if (!this.isOpen || this.#drained === null) return;
      if (this.hold !== null) return void this.flush();
      this.output.isFlushing = true;
      this.#host.schedule(this);
    });
    return deferred();
  }

  /** What was written leaves now. Settles once it is on its way. */
  flush(): Promise<void> {
    if (!this.isOpen) return this.#refused();
    const held = this.hold?.beforeLeave() ?? null;
    if (held !== null) return this.#flushAfter(held);
    this.output.isFlushing = true;
    const { promise } = this.#flushed ??= deferred();
    this.#host.schedule(this);
    return promise;
  }

  #flushAfter(held: Promise<void>): Promise<void> {
    const flushed = held.then(() => this.flush());
    flushed.catch((error) => this.fail(error.status ?? 500, error));
    return flushed;
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
    // Not before all is taken, for bytes that wait may be the caller's own.
    if (this.#drained !== null && this.output.queued === 0) {
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
      output.appStatus ||= 1;
      this.#reportLength(`${output.missing} bytes shorter`, "broken off");
      this.breakOff();
      return;
    }
    output.isFinished = true;
    this.answeredAt = this.#host.now;
    this.discardInput();
    this.#host.schedule(this);
  }

  /**
   * The response broke off: it must not look whole. Where nothing of it has
   * left, it becomes a 500, for some web servers take no answer for consent.
   */
  breakOff(): void {
    if (!this.isOpen) return;
    if (!this.output.isHeadSent) {
      this.output.appStatus ||= 1;
      this.closesConnection = true;
      this.refuse(500);
      return;
    }
    this.output.isFinished = true;
    this.isAborted = true;
    this.discardInput();
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
    const { output } = this;
    output.reset();
    output.hasNoBody = this.isHead;
    output.begin(new HeaderBlock(status, "", PLAIN), false);
    // Without a method it may be HEAD, which must not get a byte.
    if (this.isMethodKnown) output.push(`${status} ${message}\n`);
    this.finish();
  }

  /**
   * As {@linkcode Exchange.refuse}, and the application is told why.
   *
   * @param status The status.
   * @param reason The reason of the signal.
   */
  fail(status: number, reason: unknown): void {
    if (!this.isOpen) return;
    // Before the answer, with which it would fail for another reason.
    this.breakInput(reason);
    this.refuse(status);
    this.#reason = reason;
    this.#giveUp(reason);
  }

  /** Settles with the end of the exchange, and fails where it was given up. */
  get completed(): Promise<void> {
    if (this.#completed === null) {
      this.#completed = deferred();
      if (this.isEnded) this.#complete();
    }
    return this.#completed.promise;
  }

  /** It is over: FCGI_END_REQUEST was sent, or the connection is gone. */
  ended(): void {
    this.isEnded = true;
    for (const line of this.output.takeErrors()) this.#host.report(line);
    this.#settle(this.#reason);
    this.#complete();
  }

  #complete(): void {
    if (this.#reason === null) this.#completed?.resolve();
    else this.#completed?.reject(this.#reason);
  }

  #settle(error: unknown): void {
    settle(this.#drained, error);
    settle(this.#flushed, error);
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
