// Connection: one socket, from accept to close. It joins the parser, the
// multiplexer and the exchanges to a Transport: one read, as many requests as
// it holds, one write. Time-outs are looked after in time_outs.ts.
//
// Hot. What was measured, on a Unix socket with 64 connections:
// - Reading the next request while the answer is being written is a tenth
//   faster than awaiting the write first: the write mostly completes at once,
//   and its promise costs a turn of the event loop's microtasks.
// - A short answer is not written by the service but at the end of the read
//   that brought it, when the empty STDIN record, which comes behind the
//   parameters, has been seen: so END_REQUEST is in the same write.
// - A read buffer of 4 KiB holds a usual request. Larger ones are lent while
//   a body comes in, for 10,000 idle connections would otherwise hold 600 MB.

import { HeaderBlock } from "../cgi/header_block.ts";
import { isHost } from "../cgi/url.ts";
import { AbortedError, ClosedError, ProtocolError } from "../errors.ts";
import type { FastCgiError } from "../errors.ts";
import type { Limits } from "../options.ts";
import {
  ProtocolStatus,
  RecordType,
  ValueName,
} from "../protocol/constants.ts";
import { OutputBuffer } from "../protocol/encoder.ts";
import { Multiplexer } from "../protocol/multiplexer.ts";
import type {
  MultiplexerHandler,
  Phase,
  Refusal,
} from "../protocol/multiplexer.ts";
import { encodePairs } from "../protocol/pairs.ts";
import { RecordParser } from "../protocol/parser.ts";
import type { Clock } from "./clock.ts";
import { bodyTooLarge, Exchange } from "./exchange.ts";
import type { ExchangeHost } from "./exchange.ts";
import type { Input } from "./input.ts";
import type { Pool } from "./pool.ts";
import type { Transport } from "./transport.ts";

/** The server, as a connection sees it. */
export interface ConnectionOwner {
  readonly limits: Limits;
  readonly clock: Clock;
  /** Output buffers of {@linkcode SMALL_OUTPUT} bytes. */
  readonly smallOutputs: Pool<OutputBuffer>;
  /** Output buffers of {@linkcode LARGE_OUTPUT} bytes. */
  readonly largeOutputs: Pool<OutputBuffer>;
  /** Read buffers of {@linkcode LARGE_INPUT} bytes. */
  readonly largeInputs: Pool<Uint8Array>;
  /** Whether a graceful stop is under way. */
  readonly isStopping: boolean;
  /** Runs the application for a request. Never throws. */
  serve(exchange: Exchange): void;
  /** Writes a line to the server's own log. */
  report(message: string): void;
  /** As report, once for each kind of trouble. */
  reportOnce(kind: string, message: string): void;
  /** The connection is gone. */
  closed(connection: Connection): void;
}

/** The read buffer of a connection: 4 KiB hold a usual request. */
export const SMALL_INPUT = 4 * 1024;
/** The read buffer lent to one that brings more. */
export const LARGE_INPUT = 64 * 1024;
/** The output buffer for short answers. */
export const SMALL_OUTPUT = 16 * 1024;
/** The output buffer for long ones. */
export const LARGE_OUTPUT = 256 * 1024;

/** Unread input past which a connection is read no further. */
const STALL_BYTES = 256 * 1024;
/** Input dropped after an early answer before it is given up on. */
const DRAIN_BYTES = 256 * 1024 * 1024;
/** Input dropped after the last answer before the connection is shut. */
const CLOSE_BYTES = 16 * 1024 * 1024;

/** What a refused request is answered with. */
const REFUSALS: Readonly<
  Record<Refusal, readonly [status: number, ProtocolStatus, why: string]>
> = {
  params_too_large: [
    431,
    ProtocolStatus.REQUEST_COMPLETE,
    "its parameters are more than maxParamsBytes allows",
  ],
  params_malformed: [
    400,
    ProtocolStatus.REQUEST_COMPLETE,
    "its parameters are no name-value pairs, or came out of order",
  ],
  overloaded: [
    503,
    ProtocolStatus.OVERLOADED,
    "more requests are in flight on its connection than maxRequestsPerConnection allows",
  ],
  unknown_role: [
    500,
    ProtocolStatus.UNKNOWN_ROLE,
    "its role is neither Responder, Authorizer nor Filter",
  ],
  begin_malformed: [
    400,
    ProtocolStatus.REQUEST_COMPLETE,
    "its FCGI_BEGIN_REQUEST is not of eight bytes",
  ],
};

/** One connection of a web server. */
export class Connection implements MultiplexerHandler<Exchange>, ExchangeHost {
  readonly #owner: ConnectionOwner;
  readonly #transport: Transport;
  readonly limits: Limits;
  /** The requests in flight. */
  readonly multiplexer: Multiplexer<Exchange>;
  readonly #parser: RecordParser;
  readonly #smallInput = new Uint8Array(SMALL_INPUT);
  #largeInput: Uint8Array | null = null;
  /** Where output is encoded to; what is being written is #writing. */
  #out: OutputBuffer | null = null;
  #writing: OutputBuffer | null = null;
  #written = 0;
  readonly #ready: Exchange[] = [];
  #isParsing = false;
  #isClosed = false;
  #hasEnded = false;
  #closesWhenIdle = false;
  #drained = 0;
  #stalled = 0;
  /** Settles when reading may go on, or the last request has ended. */
  #wake: PromiseWithResolvers<void> | null = null;
  /** The host last seen to be one: nearly always that of the next request. */
  #knownHost: Uint8Array | null = null;
  /** The clock's time of the last byte read, or of the last answer. */
  activeAt = 0;
  /** The clock's time when the last byte was written. */
  progressAt = 0;
  /** The clock's time since which it is closing, 0 before. */
  closingAt = 0;
  /** Whether the other end uses one connection for several requests. */
  isMultiplexed = false;

  /**
   * Takes a connection over; {@linkcode Connection.run} starts it.
   *
   * @param owner The server.
   * @param transport The socket.
   */
  constructor(owner: ConnectionOwner, transport: Transport) {
    this.#owner = owner;
    this.#transport = transport;
    this.limits = owner.limits;
    this.multiplexer = new Multiplexer<Exchange>(this, owner.limits);
    this.#parser = new RecordParser(this.multiplexer);
    this.activeAt = owner.clock.now;
  }

  get now(): number {
    return this.#owner.clock.now;
  }

  get remoteAddr(): Deno.Addr | undefined {
    return this.#transport.remoteAddr;
  }

  /** Whether bytes are on their way out. */
  get isWriting(): boolean {
    return this.#writing !== null;
  }

  /** Whether the other end has closed its writing side. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether a record has come in part. */
  get isMidRecord(): boolean {
    return !this.#parser.isAtBoundary;
  }

  /** Lets the connection keep the process running, or not. */
  setRef(isRef: boolean): void {
    if (isRef) this.#transport.ref();
    else this.#transport.unref();
  }

  report(message: string): void {
    this.#owner.report(message);
  }

  /** Reads until the connection is closed. Never fails. */
  async run(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      // A reset is how some web servers close (Caddy, HAProxy): no error.
      this.#lose(error);
    }
    this.shut();
  }

  async #read(): Promise<void> {
    const transport = this.#transport;
    for (;;) {
      while (this.#isHeldUp) await this.#waitForWake();
      const buffer = this.#largeInput ?? this.#smallInput;
      const length = await transport.read(buffer);
      if (length === null) {
        await this.#atEnd();
        return;
      }
      if (this.#isClosed) return;
      if (this.closingAt > 0) {
        this.#drained += length;
        if (this.#drained > CLOSE_BYTES) return;
        continue;
      }
      this.#parse(buffer, length);
      if (this.#largeInput === null) {
        if (length === SMALL_INPUT) {
          this.#largeInput = this.#owner.largeInputs.take();
        }
      } else if (this.multiplexer.count === 0) {
        this.#returnInput();
      }
    }
  }

  /** The hot path: one read's bytes, and the answers that are ready. */
  #parse(buffer: Uint8Array, length: number): void {
    this.#isParsing = true;
    try {
      this.#parser.push(buffer, 0, length);
      this.multiplexer.settle();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#isParsing = false;
      this.#breakFraming(error, buffer[0]!);
      return;
    }
    this.#isParsing = false;
    this.activeAt = this.#owner.clock.now;
    this.#flush();
    if (this.multiplexer.count > 0 || !this.#parser.isAtBoundary) {
      this.#owner.clock.arm();
    } else this.#closeIfDone();
  }

  #breakFraming(error: ProtocolError, first: number): void {
    const isText = error.offset === 0 && first >= 0x20 && first < 0x7f;
    if (isText || (error.offset === 0 && first === 0x16)) {
      this.#owner.reportOnce(
        "http",
        `Closed a connection from ${this.#peer()}: it speaks ${
          isText ? "HTTP" : "TLS"
        }, this is a FastCGI port. Put a web server in front, or start with --http.`,
      );
    } else {
      this.#owner.reportOnce(
        error.code,
        `Closed a connection from ${this.#peer()}: ${error.message}`,
      );
    }
    this.#lose(error);
    this.closePolitely();
  }

  #peer(): string {
    const addr = this.remoteAddr;
    if (addr === undefined) return "a Unix socket";
    return "hostname" in addr
      ? `${addr.hostname}:${addr.port}`
      : "a Unix socket";
  }

  // Reading: when not to

  get #isHeldUp(): boolean {
    if (this.#isClosed || this.closingAt > 0) return false;
    return this.#stalled > 0 ||
      (this.#out !== null && this.#out.length > LARGE_OUTPUT);
  }

  #waitForWake(): Promise<void> {
    this.#wake ??= Promise.withResolvers();
    return this.#wake.promise;
  }

  #wakeUp(): void {
    this.#wake?.resolve();
    this.#wake = null;
  }

  #returnInput(): void {
    if (this.#largeInput === null) return;
    this.#owner.largeInputs.give(this.#largeInput);
    this.#largeInput = null;
  }

  inputAwaited(input: Input): void {
    this.#owner.clock.arm();
    input.activeAt = this.now;
  }

  inputTaken(_input: Input): void {
    if (this.#stalled === 0) return;
    for (const exchange of this.multiplexer.requests()) this.unstall(exchange);
  }

  /** Reading may go on as far as this exchange is concerned. */
  unstall(exchange: Exchange): void {
    if (!exchange.isStalled || exchange.buffered > STALL_BYTES / 2) return;
    exchange.isStalled = false;
    this.#stalled--;
    if (this.#stalled === 0) this.#wakeUp();
  }

  // What the multiplexer found

  begin(id: number, role: number, keepConnection: boolean): Exchange {
    this.#owner.clock.arm();
    if (id !== 1 || this.multiplexer.count > 0) this.isMultiplexed = true;
    return new Exchange(this, id, role, keepConnection);
  }

  request(
    exchange: Exchange,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (exchange.refusal !== null) {
      const [status, protocolStatus, why] = REFUSALS[exchange.refusal];
      exchange.setStatus(0, protocolStatus);
      exchange.log(`Refused a request with ${status}: ${why}`);
      exchange.refuse(status);
      return;
    }
    exchange.setParams(buffer, start, end);
    const { maxBodyBytes } = this.limits;
    if (exchange.methodEnd <= exchange.methodStart) {
      exchange.log(
        "Refused a request with 500: REQUEST_METHOD is missing. Configure the web server to send the CGI parameters (nginx: include fastcgi_params)",
      );
      exchange.refuse(500);
    } else if (!this.#isHostValid(exchange, buffer)) {
      exchange.refuse(400, "The Host header is no host");
    } else if (exchange.contentLength > maxBodyBytes) {
      exchange.log(bodyTooLarge(maxBodyBytes, exchange.contentLength).message);
      exchange.refuse(413);
    } else this.#owner.serve(exchange);
    if (exchange.output.isFinished) exchange.dropParams();
    else exchange.keepParams();
  }

  #isHostValid(exchange: Exchange, buffer: Uint8Array): boolean {
    const { hostStart, hostEnd } = exchange;
    const length = hostEnd - hostStart;
    if (length <= 0) return true;
    const known = this.#knownHost;
    if (known !== null && known.length === length) {
      let i = 0;
      while (i < length && known[i] === buffer[hostStart + i]) i++;
      if (i === length) return true;
    }
    if (!isHost(exchange.latin1Param("HTTP_HOST")!)) return false;
    if (length < 256) this.#knownHost = buffer.slice(hostStart, hostEnd);
    return true;
  }

  input(
    exchange: Exchange,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (exchange.output.isFinished) {
      exchange.drained += end - start;
      if (exchange.drained > DRAIN_BYTES) this.giveUpInput(exchange);
      return;
    }
    exchange.takeInput(buffer, start, end);
    if (exchange.buffered > STALL_BYTES && !exchange.isStalled) {
      exchange.isStalled = true;
      exchange.stalledAt = this.now;
      this.#stalled++;
    }
  }

  inputEnd(exchange: Exchange, ended: Phase): void {
    exchange.endInput(ended);
  }

  /** What else may come of a request's body is no longer waited for. */
  giveUpInput(exchange: Exchange): void {
    if (exchange.isInputGivenUp) return;
    exchange.isInputGivenUp = true;
    this.schedule(exchange);
  }

  abort(exchange: Exchange): void {
    exchange.abort(
      new AbortedError(
        `The web server aborted request ${exchange.id} (FCGI_ABORT_REQUEST)`,
      ),
    );
    this.endNow(exchange);
  }

  refuse(id: number, refusal: Refusal): void {
    const [status, protocolStatus] = REFUSALS[refusal];
    const out = this.#output();
    const head = new HeaderBlock(status, "", []);
    const block = new Uint8Array(head.maxLength);
    const length = head.write(block, 0, 0);
    out.stream(RecordType.STDOUT, id, block, 0, length);
    out.endStream(RecordType.STDOUT, id);
    out.endRequest(id, 0, protocolStatus);
  }

  getValues(names: string[]): void {
    this.isMultiplexed = true;
    const { maxConnections, maxRequestsPerConnection } = this.limits;
    const values: Readonly<Record<string, string>> = {
      [ValueName.MAX_CONNS]: String(Math.min(maxConnections, 0xffff)),
      // For all connections by the specification; HAProxy, the only web
      // server that asks, takes it for one connection's.
      [ValueName.MAX_REQS]: String(maxRequestsPerConnection),
      [ValueName.MPXS_CONNS]: maxRequestsPerConnection > 1 ? "1" : "0",
    };
    const pairs: [string, string][] = [];
    for (const name of new Set(names)) {
      if (Object.hasOwn(values, name)) pairs.push([name, values[name]!]);
    }
    this.#output().management(
      RecordType.GET_VALUES_RESULT,
      encodePairs(pairs),
    );
  }

  unknownType(type: number): void {
    this.#output().unknownType(type);
  }

  // Output

  #output(): OutputBuffer {
    return this.#out ??= this.#takeSmall();
  }

  #takeSmall(): OutputBuffer {
    return this.#owner.smallOutputs.take()!;
  }

  schedule(exchange: Exchange): void {
    if (exchange.isEnded) return;
    if (!exchange.isScheduled) {
      exchange.isScheduled = true;
      this.#ready.push(exchange);
    }
    if (!this.#isParsing) this.#flush();
  }

  endNow(exchange: Exchange): void {
    if (exchange.isEnded) return;
    const { id, output } = exchange;
    this.#output().endRequest(id, output.appStatus, output.protocolStatus);
    this.#end(exchange);
    if (!this.#isParsing) this.#flush();
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
    this.#end(exchange);
    this.#closesWhenIdle = true;
    if (!this.#isParsing) this.#flush();
  }

  #end(exchange: Exchange): void {
    this.multiplexer.end(exchange);
    if (exchange.isStalled) {
      exchange.isStalled = false;
      this.#stalled--;
    }
    if (!exchange.keepConnection) this.#closesWhenIdle = true;
    exchange.ended();
    if (this.#hasEnded || this.#stalled === 0) this.#wakeUp();
  }

  /** Encodes what is ready, and writes it unless a write is under way. */
  #flush(): void {
    if (this.#writing !== null || this.#isClosed) return;
    if (this.#ready.length > 0) this.#encode();
    const out = this.#out;
    if (out === null || out.length === 0) {
      this.#closeIfDone();
      return;
    }
    this.#out = null;
    this.#writing = out;
    this.#written = 0;
    this.progressAt = this.#owner.clock.now;
    this.#write(out);
  }

  #encode(): void {
    const ready = this.#ready;
    let limit = SMALL_OUTPUT;
    if (ready[0]!.output.queued > SMALL_OUTPUT / 2 && this.#out === null) {
      this.#out = this.#owner.largeOutputs.take();
      if (this.#out !== null) limit = LARGE_OUTPUT;
    }
    const out = this.#output();
    while (ready.length > 0 && out.length < limit) {
      const exchange = ready.shift()!;
      exchange.isScheduled = false;
      if (exchange.isEnded || !exchange.output.isReady) continue;
      const state = exchange.output.encode(
        out,
        limit,
        exchange.isInputComplete,
      );
      if (state === "ended") this.#end(exchange);
      else {
        if (state === "more") {
          // Behind the others: each gets its turn.
          exchange.isScheduled = true;
          ready.push(exchange);
        }
        exchange.afterEncode();
        if (state === "more") break;
      }
    }
  }

  #write(out: OutputBuffer): void {
    this.#transport.write(out.bytes.subarray(this.#written, out.length))
      .then(this.#onWritten, this.#onWriteFailed);
  }

  #onWritten = (length: number): void => {
    const out = this.#writing!;
    this.#written += length;
    if (this.#written < out.length && !this.#isClosed) {
      this.#owner.clock.arm();
      this.progressAt = this.#owner.clock.now;
      this.#write(out);
      return;
    }
    this.#writing = null;
    this.#returnOutput(out);
    this.#flush();
    if (this.#wake !== null && !this.#isHeldUp) this.#wakeUp();
  };

  #onWriteFailed = (error: unknown): void => {
    this.#returnOutput(this.#writing!);
    this.#writing = null;
    this.#lose(error);
    this.shut();
  };

  #returnOutput(out: OutputBuffer): void {
    const isLarge = out.capacity === LARGE_OUTPUT;
    out.clear();
    (isLarge ? this.#owner.largeOutputs : this.#owner.smallOutputs).give(out);
  }

  // Closing

  #closeIfDone(): void {
    if (!this.#closesWhenIdle && !this.#owner.isStopping) return;
    if (this.multiplexer.count > 0 || this.#writing !== null) return;
    if (this.#out !== null && this.#out.length > 0) return;
    this.closePolitely();
  }

  /** A graceful stop has begun: closes now, or after the last request. */
  stop(): void {
    this.#closeIfDone();
  }

  /**
   * Closes so that the other end sees no reset: the writing side first, then
   * what still comes is read and dropped, for a bounded time.
   */
  closePolitely(): void {
    if (this.closingAt > 0 || this.#isClosed) return;
    this.#owner.clock.arm();
    this.closingAt = this.now;
    this.#returnInput();
    if (this.#hasEnded) {
      this.shut();
      return;
    }
    this.#transport.closeWrite().catch(() => this.shut());
    this.#wakeUp();
  }

  /** The other end has closed its writing side: it may still read. */
  async #atEnd(): Promise<void> {
    this.#hasEnded = true;
    this.activeAt = this.now;
    for (const exchange of this.multiplexer.requests()) {
      if (exchange.isInputComplete) continue;
      if (!exchange.hasParams) this.#end(exchange);
      else {
        exchange.failInput(this.lost());
        this.giveUpInput(exchange);
      }
    }
    if (this.multiplexer.count > 0) {
      await this.probe();
      this.#owner.clock.arm();
    }
    while (
      !this.#isClosed && (this.multiplexer.count > 0 || this.#writing !== null)
    ) {
      await this.#waitForWake();
    }
  }

  /**
   * Finds out whether the other end is gone altogether: a write of nothing
   * fails on a Unix socket whose other end is closed, and succeeds where only
   * its writing side is. On TCP it fails after a reset alone.
   */
  async probe(): Promise<void> {
    if (this.#writing !== null || this.#isClosed) return;
    try {
      await this.#transport.write(new Uint8Array(0));
    } catch (error) {
      this.#lose(error);
      this.shut();
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
  #lose(cause: unknown): void {
    for (const exchange of this.multiplexer.requests()) {
      exchange.abort(this.lost(cause));
      this.#end(exchange);
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
    if (reason !== undefined) {
      for (const exchange of this.multiplexer.requests()) {
        exchange.abort(reason);
        this.#end(exchange);
      }
    } else this.#lose(undefined);
    this.#returnInput();
    if (this.#out !== null) this.#returnOutput(this.#out);
    this.#out = null;
    // A write under way still holds its buffer: it is returned with its end.
    this.#transport.close();
    this.#wakeUp();
    this.#owner.closed(this);
  }
}
