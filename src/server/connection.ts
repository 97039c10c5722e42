// Connection: one socket, from accept to close. It joins the parser, the
// multiplexer, the exchanges and the writer to a Wire: one read, as many
// requests as it holds, one write. Time-outs are looked after in time_outs.ts.
//
// Hot. A short answer is not written by the service but at the end of the read
// that brought it, when the empty STDIN record has been seen as well.

import { ClosedError, ProtocolError } from "../errors.ts";
import type { FastCgiError } from "../errors.ts";
import type { Limits } from "../options.ts";
import { Multiplexer } from "../protocol/multiplexer.ts";
import { RecordParser } from "../protocol/parser.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { DispatcherHost, DispatcherOwner } from "./dispatcher.ts";
import type { Exchange } from "./exchange.ts";
import { explainFraming } from "./gate.ts";
import type { Input } from "./input.ts";
import type { Pool } from "./pool.ts";
import { Reader } from "./reader.ts";
import type { ReaderHandler } from "./reader.ts";
import type { Wire } from "./wire.ts";
import { Writer } from "./writer.ts";
import type { WriterHandler, WriterSupplies } from "./writer.ts";

/** The server, as a connection sees it. */
export interface ConnectionOwner extends WriterSupplies, DispatcherOwner {
  /** Large read buffers, see {@linkcode Reader}. */
  readonly largeInputs: Pool<Uint8Array>;
  /** Whether a graceful stop is under way. */
  readonly isStopping: boolean;
  /** Writes a line to the server's own log. */
  report(message: string): void;
  /** As report, once for each kind of trouble. */
  reportOnce(kind: string, message: string): void;
  /** The connection is gone. */
  closed(connection: Connection): void;
}

/** Input dropped after the last answer before the connection is shut. */
const CLOSE_BYTES = 16 * 1024 * 1024;

/** One connection of a web server. */
export class Connection
  implements DispatcherHost, ReaderHandler, WriterHandler {
  readonly #owner: ConnectionOwner;
  readonly #wire: Wire;
  readonly limits: Limits;
  /** What is done with the requests that come. */
  readonly dispatcher: Dispatcher;
  /** The requests in flight. */
  readonly multiplexer: Multiplexer<Exchange>;
  readonly #parser: RecordParser;
  readonly #reader: Reader;
  /** What is sent. */
  readonly writer: Writer;
  #isParsing = false;
  #isClosed = false;
  #closesWhenIdle = false;
  /** Whether the web server has sent a whole request that it does not keep. */
  #isSpent = false;
  /** Whether more may come of the input of a request that has ended. */
  #isOwed = false;
  /** Whether framing was lost: what comes is dropped. */
  #isBroken = false;
  /** How many reads have brought something. */
  reads = 0;
  stopsAtResponse: boolean | null = null;
  #drained = 0;
  /** Settles when reading may go on, or the last request has ended. */
  #wake: PromiseWithResolvers<void> | null = null;
  /** The clock's time of the last byte read, or of the last answer. */
  activeAt = 0;
  /** The clock's time since which a record has come in part, 0 if none has. */
  midRecordAt = 0;
  /** The clock's time since which it is closing, 0 before. */
  closingAt = 0;
  /** The clock's time when the other end closed its writing side, 0 before. */
  endedAt = 0;

  /**
   * Takes a connection over; {@linkcode Connection.start} starts it.
   *
   * @param owner The server.
   * @param wire The socket.
   */
  constructor(owner: ConnectionOwner, wire: Wire) {
    this.#owner = owner;
    this.#wire = wire;
    this.limits = owner.limits;
    this.#reader = new Reader(this, owner.largeInputs, wire);
    this.writer = new Writer(this, owner, wire);
    this.dispatcher = new Dispatcher(this, owner);
    this.multiplexer = new Multiplexer(this.dispatcher, owner.limits);
    this.#parser = new RecordParser(this.multiplexer);
    this.activeAt = owner.clock.now;
  }

  get isDone(): boolean {
    return this.multiplexer.count === 0;
  }

  get now(): number {
    return this.#owner.clock.now;
  }

  get remoteAddr(): Deno.Addr | undefined {
    return this.#wire.remoteAddr;
  }

  /** Whether {@linkcode Connection.probe} tells if the other end is gone. */
  get isProbed(): boolean {
    return this.remoteAddr?.transport === "unix";
  }

  /** Lets the connection keep the process running, or not. */
  setRef(isRef: boolean): void {
    if (isRef) this.#wire.ref();
    else this.#wire.unref();
  }

  report(message: string): void {
    this.#owner.report(message);
  }

  /** Reads until the connection is closed. */
  start(): void {
    this.#wire.start(this.#reader, this.writer);
    this.#reader.read();
  }

  received(buffer: Uint8Array, length: number): boolean {
    // Shut meanwhile: what ended it is over, and the clock may be stopped.
    if (this.#isClosed) return false;
    this.#owner.counters.bytesIn += length;
    if (this.isDropping) {
      this.#drained += length;
      if (this.#drained > CLOSE_BYTES) this.shut();
      return !this.#isClosed;
    }
    try {
      this.#parse(buffer, length);
    } catch (error) {
      this.readFailed(error);
    }
    return !this.#isClosed;
  }

  readFailed(error: unknown): void {
    // A reset is how some web servers close (Caddy, HAProxy): no error.
    this.#lose(error);
    this.shut();
  }

  /** The hot path: one read's bytes, and the answers that are ready. */
  #parse(buffer: Uint8Array, length: number): void {
    this.reads++;
    this.#isParsing = true;
    try {
      this.#parser.push(buffer, 0, length);
      this.multiplexer.settle();
    } catch (error) {
      this.#isParsing = false;
      return this.#break(error, buffer[0]!);
    }
    this.#isParsing = false;
    const { isAtBoundary } = this.#parser;
    if (!this.isDone || !isAtBoundary) this.#owner.clock.arm();
    this.activeAt = this.now;
    if (isAtBoundary) this.midRecordAt = 0;
    else if (this.midRecordAt === 0) this.midRecordAt = this.now;
    this.writer.flush();
  }

  #break(error: unknown, first: number): void {
    if (error instanceof ProtocolError) {
      const [kind, message] = explainFraming(error, first, this.remoteAddr);
      this.#owner.reportOnce(kind, message);
    } else {
      this.report(
        `Closed a connection after an error of this package's own, please report it: ${
          error instanceof Error ? error.stack : error
        }`,
      );
    }
    // Answers that were ready still leave.
    this.#isBroken = true;
    this.writer.flush();
    this.#lose(error);
    this.#closesWhenIdle = true;
    this.#closeIfDone();
  }

  // Reading: when not to

  get heldUp(): Promise<void> | null {
    return this.#isHeldUp ? this.#waitForWake() : null;
  }

  get awaitsMore(): boolean {
    return this.dispatcher.awaitsInput;
  }

  get isDropping(): boolean {
    return this.closingAt > 0 || this.#isBroken;
  }

  get #isHeldUp(): boolean {
    if (this.#isClosed || this.closingAt > 0) return false;
    return this.dispatcher.isStalled || this.writer.isOverfull;
  }

  #waitForWake(): Promise<void> {
    return (this.#wake ??= Promise.withResolvers()).promise;
  }

  /** Looks again whether reading may go on. */
  wakeUp(): void {
    this.#wake?.resolve();
    this.#wake = null;
  }

  inputAwaited(input: Input): void {
    this.#owner.clock.arm();
    input.activeAt = this.now;
  }

  inputTaken(): void {
    this.dispatcher.unstallAll();
  }

  // Output

  schedule(exchange: Exchange, isHeld = false): void {
    if (exchange.isEnded) return;
    this.writer.schedule(exchange);
    if (!this.#isParsing) this.writer.flush(isHeld);
  }

  /** Sends what is ready; within a read's records, at their end. */
  #flush(): void {
    if (!this.#isParsing) this.writer.flush();
  }

  endNow(exchange: Exchange): void {
    if (exchange.isEnded) return;
    const { id, output } = exchange;
    this.writer.output.endRequest(id, output.appStatus, output.protocolStatus);
    this.ended(exchange);
    this.#flush();
  }

  breakOff(exchange: Exchange): void {
    if (exchange.isEnded) return;
    if (this.multiplexer.count > 1) {
      exchange.output.appStatus ||= 1;
      this.endNow(exchange);
      return;
    }
    // Without FCGI_END_REQUEST, and only so, a web server sees that a
    // response of unknown length is not whole.
    this.ended(exchange);
    this.#closesWhenIdle = true;
    this.#flush();
  }

  ended(exchange: Exchange): void {
    this.multiplexer.end(exchange);
    this.dispatcher.release(exchange);
    if (!exchange.keepConnection || exchange.closesConnection) {
      this.#closesWhenIdle = true;
    }
    // The end of input that is complete by its length may still come.
    if (!exchange.isInputEnded) this.#isOwed = true;
    else if (!exchange.keepConnection) this.#isSpent = true;
    this.activeAt = this.now;
    this.#owner.counters.ended(exchange);
    exchange.dropParams(this.#owner.keptParams);
    exchange.ended();
    if (this.endedAt > 0) this.wakeUp();
  }

  written(): void {
    this.#closeIfDone();
    if (this.#wake !== null && !this.#isHeldUp) this.wakeUp();
  }

  writeFailed(error: unknown): void {
    this.readFailed(error);
  }

  // Closing

  #closeIfDone(): void {
    // A stop waits for a request that has come in part.
    const isStopping = this.#owner.isStopping && this.midRecordAt === 0;
    if (!this.#closesWhenIdle && !isStopping) return;
    if (this.isDone && this.writer.isIdle) this.closePolitely();
  }

  /** In a graceful stop: closes now, or after the last request. */
  stop(): void {
    this.#closeIfDone();
  }

  /**
   * Closes so that the other end sees no reset: the writing side first, then
   * what still comes is read and dropped, for a bounded time. Where nothing
   * will, a Unix socket is closed right away, which is a fifth of a request: what
   * was written can be read from it all the same. Over TCP it would be lost,
   * should something come.
   */
  closePolitely(): void {
    if (this.closingAt > 0 || this.#isClosed) return;
    if (this.endedAt > 0 || this.#isLossless) return this.shut();
    this.#owner.clock.arm();
    this.closingAt = this.now;
    this.#wire.closeWrite().catch(() => this.shut());
    this.wakeUp();
  }

  get #isLossless(): boolean {
    return this.#isSpent && !this.#isOwed && !this.#isBroken &&
      this.midRecordAt === 0 && this.remoteAddr?.transport !== "tcp";
  }

  /** The other end has closed its writing side: it may still read. */
  async atEnd(): Promise<void> {
    if (this.#isClosed) return;
    this.#owner.clock.arm();
    this.endedAt = this.now;
    if (!this.isDone) await this.probe();
    for (const exchange of this.multiplexer.requests()) {
      if (exchange.isInputComplete) continue;
      if (!exchange.hasParams) {
        exchange.abort(this.lost());
        this.ended(exchange);
      } else {
        exchange.failInput(this.lost());
        this.dispatcher.giveUpInput(exchange);
      }
    }
    while (!this.#isClosed && !(this.isDone && this.writer.isIdle)) {
      await this.#waitForWake();
    }
    this.shut();
  }

  /** Finds out whether the other end is gone altogether. */
  async probe(): Promise<void> {
    if (this.writer.isWriting || this.#isClosed) return;
    try {
      await this.#wire.probe();
    } catch (error) {
      this.readFailed(error);
    }
  }

  /** The error of a lost connection. */
  lost(cause?: unknown): FastCgiError {
    return new ClosedError(
      "The connection to the web server was lost",
      cause === undefined ? undefined : { cause },
    );
  }

  /** Every request in flight ends: nothing can be sent any more. */
  #lose(cause: unknown, reason?: FastCgiError): void {
    for (const exchange of this.multiplexer.requests()) {
      exchange.abort(reason ?? this.lost(cause));
      this.ended(exchange);
    }
  }

  /**
   * Closes at once.
   *
   * @param reason Why requests in flight are given up.
   */
  shut(reason?: FastCgiError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#lose(undefined, reason);
    this.writer.close();
    this.#wire.close();
    this.wakeUp();
    this.#owner.closed(this);
  }
}
