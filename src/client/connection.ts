// ClientConnection: one connection to a FastCGI server, and the requests on it:
// one at a time, or several where the server multiplexes. It reads while
// somebody wants more and nobody has too much, writes whole records one after
// another, and knows whether it may carry a next request.

import type { FastCgiError, ProtocolError } from "../errors.ts";
import {
  HEADER_LENGTH,
  NULL_REQUEST_ID,
  RecordType,
} from "../protocol/constants.ts";
import { OutputBuffer } from "../protocol/encoder.ts";
import { RecordParser } from "../protocol/parser.ts";
import type { RecordHandler } from "../protocol/parser.ts";
import type { Transport } from "../server/transport.ts";
import { EndReader } from "./end_reader.ts";
import { badResponse, closedEarly, noFastCgi, timedOut } from "./faults.ts";
import { RecordWriter } from "./record_writer.ts";
import { DROPPED } from "./response_sink.ts";
import type { ResponseSink } from "./response_sink.ts";
import { ValuesQuestion } from "./values.ts";
import type { Values } from "./values.ts";

/** Read at once; the kernel's buffers are larger, a record is not. */
const READ_BYTES = 64 * 1024;

/** What a connection is made of. */
export interface ConnectionParts {
  /** The socket. */
  transport: Transport;
  /** As the option of that name. */
  writeTimeoutMs: number;
  /** As the option of that name. */
  stallTimeoutMs: number;
  /** Called whenever fewer requests are on it, and once it is closed. */
  changed(connection: ClientConnection): void;
}

/** A connection of a client. */
export class ClientConnection implements RecordHandler {
  readonly #parts: ConnectionParts;
  readonly #transport: Transport;
  readonly #parser = new RecordParser(this);
  readonly #buffer = new Uint8Array(READ_BYTES);
  readonly #sinks = new Map<number, ResponseSink>();
  /** How many of them were given up. */
  #dropped = 0;
  /** Those whose end was in what is being read. */
  #ended: ResponseSink[] = [];
  readonly #end = new EndReader();
  readonly #writer: RecordWriter;
  #question: ValuesQuestion | null = null;
  /** The read under way: while nothing is asked, to see the other end close. */
  #pending: Promise<number | null> | null = null;
  /** Whether somebody waits for it. */
  #isReading = false;
  #isIdle = false;
  #stallTimer: ReturnType<typeof setTimeout> | undefined;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  #isSpoilt = false;
  /** Requests it was promised to that have not given it back. */
  holds = 0;
  /** Whether several requests may be on it at once. */
  isShared = false;
  /** Whether an earlier request, or question, was answered on it. */
  hasServed = false;
  /** Whether any byte has come on it. */
  hasReceived = false;

  /**
   * Takes a connection over.
   *
   * @param parts What it is made of.
   */
  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#transport = parts.transport;
    const { transport, writeTimeoutMs } = parts;
    this.#writer = new RecordWriter(transport, writeTimeoutMs, () => {
      this.#lose(timedOut(
        "WRITE_TIMEOUT",
        "The FastCGI server took no byte of the request",
        "writeTimeoutMs",
        writeTimeoutMs,
      ));
    });
  }

  /** Whether it may carry another request. */
  get isUsable(): boolean {
    return !this.#isClosed && !this.#isSpoilt;
  }

  /** Whether it is closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether no request is on it, nor one it was promised to. */
  get isFree(): boolean {
    return this.load === 0;
  }

  /** How many requests are on it or are about to be, given-up ones included. */
  get load(): number {
    return this.holds + this.#dropped;
  }

  /** Whether an answer on it waits for its reader. */
  get isBlocked(): boolean {
    for (const sink of this.#sinks.values()) if (!sink.isHungry) return true;
    return false;
  }

  /**
   * Begins a request: its records go to the sink until FCGI_END_REQUEST.
   *
   * @param sink Who is told.
   * @returns The request id, the smallest that is free: 1 where it is alone.
   */
  begin(sink: ResponseSink): number {
    this.#wake();
    let id = 1;
    while (this.#sinks.has(id)) id++;
    this.#sinks.set(id, sink);
    return id;
  }

  /**
   * Asks for variables (FCGI_GET_VALUES), one question at a time. Some servers
   * read it between requests alone.
   *
   * @param names Their names.
   * @param timeoutMs How long to wait.
   * @returns What the server has of them; none where it knows no such question.
   * @throws {FastCgiError} `READ_TIMEOUT`, `CLOSED`, `BAD_RESPONSE`. After the
   * first the answer may still come.
   */
  async ask(names: readonly string[], timeoutMs: number): Promise<Values> {
    // An earlier one that is not answered is no better than this one.
    await this.#question?.answered(timeoutMs);
    if (this.#question !== null) return await this.ask(names, timeoutMs);
    if (this.#isClosed) throw closedEarly(false);
    this.#wake();
    const question = this.#question = new ValuesQuestion(names);
    this.write(question.record()).then((isWritten) => {
      if (isWritten) this.resume();
      else this.#lose(null);
    });
    try {
      const values = await question.answered(timeoutMs);
      this.hasServed = true;
      return values;
    } finally {
      if (this.#question === question) this.#question = null;
    }
  }

  /**
   * Waits for the other end to close, as long as it is asked nothing. It keeps
   * no process running meanwhile.
   *
   * @returns Whether it can be kept: the last answer was whole.
   */
  idle(): boolean {
    if (!this.isUsable || !this.isFree || !this.#parser.isAtBoundary) {
      return false;
    }
    this.#isIdle = true;
    this.#transport.unref();
    this.#watchIdle();
    return true;
  }

  #watchIdle(): void {
    const read = this.#pending ??= this.#transport.read(this.#buffer);
    const ended = () => {
      // Where it is asked something meanwhile, #read() has it.
      const isAsked = !this.#isIdle || this.#question !== null;
      if (this.#pending === read && !isAsked) this.close();
    };
    read.then(ended, ended);
  }

  /** It is asked something: it keeps the process running again. */
  #wake(): void {
    if (this.#isIdle) this.#transport.ref();
    this.#isIdle = false;
  }

  /** Reads on, where somebody wants more by now. */
  resume(): void {
    if (this.#isReading || !this.#wantsInput()) return;
    this.#isReading = true;
    this.#readOn();
  }

  async #readOn(): Promise<void> {
    do await this.#read(); while (this.#wantsInput());
    this.#isReading = false;
    if (this.#isIdle && !this.#isClosed) this.#watchIdle();
  }

  #wantsInput(): boolean {
    if (this.#isClosed) return false;
    // With requests, the answer comes along with theirs.
    let isHungry = this.#question !== null && this.#sinks.size === 0;
    let isFull = false;
    for (const sink of this.#sinks.values()) {
      isHungry ||= sink.isHungry;
      isFull ||= sink.isFull;
    }
    if (isFull && isHungry) {
      const { stallTimeoutMs } = this.#parts;
      if (stallTimeoutMs < Infinity) {
        this.#stallTimer ??= setTimeout(() => this.#stall(), stallTimeoutMs);
      }
    } else if (this.#stallTimer !== undefined) {
      clearTimeout(this.#stallTimer);
      this.#stallTimer = undefined;
    }
    return isHungry && !isFull;
  }

  /** Nobody may hold the others back for ever. */
  #stall(): void {
    this.#stallTimer = undefined;
    for (const sink of [...this.#sinks.values()]) {
      if (sink.isFull) sink.stalled();
    }
    this.resume();
  }

  async #read(): Promise<void> {
    let length: number | null;
    try {
      length = await (this.#pending ??= this.#transport.read(this.#buffer));
    } catch {
      // Reset, or closed here: to a request the same as an end.
      length = null;
    }
    this.#pending = null;
    if (this.#isClosed) return;
    if (!length) {
      this.#lose(null);
      return;
    }
    this.hasReceived = true;
    try {
      this.#parser.push(this.#buffer, 0, length);
    } catch (error) {
      // Nothing else throws: sinks do not. What follows FCGI_END_REQUEST is
      // not the request's any more.
      const fault = error as ProtocolError;
      const isOurs = fault.code !== "BAD_VERSION";
      this.#lose(isOurs ? fault : noFastCgi(this.#buffer, length, fault));
    }
    for (const sink of this.#ended.splice(0)) {
      if (sink === DROPPED) this.#drained();
      else sink.settled();
    }
  }

  /** A given-up request has ended: its connection has room for another. */
  #drained(): void {
    if (this.#isClosed) return;
    if (--this.#dropped === 0) {
      clearTimeout(this.#drainTimer);
      this.#drainTimer = undefined;
    }
    this.#parts.changed(this);
  }

  /** As {@linkcode RecordWriter.write}. */
  write(bytes: Uint8Array): Promise<boolean> {
    return this.#writer.write(bytes);
  }

  /**
   * Gives a request up, with FCGI_ABORT_REQUEST (FastCGI 1.0, section 5.4).
   * Where several may be on the connection it stays, and what still comes of
   * this one is dropped. Otherwise it closes, which is all that most servers
   * understand.
   *
   * @param id The request id.
   * @param isBegun Whether anything of it was written: if not, it is forgotten.
   */
  abort(id: number, isBegun: boolean): void {
    if (this.#isClosed || !this.#sinks.has(id)) return;
    if (!isBegun) return void this.#sinks.delete(id);
    const out = new OutputBuffer(HEADER_LENGTH);
    out.header(RecordType.ABORT_REQUEST, id, 0);
    if (this.isShared) {
      this.#sinks.set(id, DROPPED);
      this.#dropped++;
      const { stallTimeoutMs } = this.#parts;
      if (stallTimeoutMs < Infinity) {
        this.#drainTimer ??= setTimeout(() => this.spoil(), stallTimeoutMs);
      }
      this.write(out.from(0));
      this.resume();
      return;
    }
    this.#forget();
    this.#writer.closeWith(out.from(0));
  }

  /** Takes no further request; closes once those on it have ended. */
  spoil(): void {
    this.#isSpoilt = true;
    this.closeIfDone();
  }

  /** Closes where nothing but given-up requests is left on a spoilt one. */
  closeIfDone(): void {
    if (this.#isSpoilt && this.holds === 0) this.close();
  }

  /** Closes the connection, and loses what is on it. May be called again. */
  close(): void {
    this.#lose(null);
  }

  #lose(error: FastCgiError | null): void {
    if (this.#isClosed) return;
    const hasPart = !this.#parser.isAtBoundary;
    const sinks = [...this.#sinks.values()];
    this.#forget();
    this.#transport.close();
    for (const sink of sinks) sink.lost(error, hasPart);
  }

  /** Ends all that is known of it; the socket is left to the caller. */
  #forget(): void {
    this.#isClosed = true;
    this.#sinks.clear();
    this.#dropped = 0;
    clearTimeout(this.#stallTimer);
    clearTimeout(this.#drainTimer);
    this.#question?.lost();
    this.#question = null;
    this.#parts.changed(this);
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
    if (id === NULL_REQUEST_ID) {
      // One that nobody asked for concerns no request.
      const question = this.#question;
      const piece = buffer.subarray(start, end);
      if (question?.take(type, piece, remaining)) this.#question = null;
      return;
    }
    const sink = this.#sinks.get(id);
    if (sink === undefined) {
      throw badResponse(
        `it sent a record of request ${id}, which is not in flight`,
        id,
      );
    }
    switch (type) {
      case RecordType.STDOUT:
        if (end > start) sink.output(buffer, start, end);
        return;
      case RecordType.STDERR:
        if (end > start) sink.errorOutput(buffer, start, end);
        return;
      case RecordType.END_REQUEST:
        this.#takeEnd(id, sink, buffer.subarray(start, end), remaining);
        return;
      default:
        throw badResponse(`it sent a record of type ${type}`, id);
    }
  }

  #takeEnd(
    id: number,
    sink: ResponseSink,
    piece: Uint8Array,
    remaining: number,
  ): void {
    const end = this.#end.take(piece, remaining);
    if (end === undefined) {
      throw badResponse("its FCGI_END_REQUEST is not of eight bytes", id);
    }
    if (end === null) return;
    this.#sinks.delete(id);
    this.hasServed = true;
    sink.ended(end);
    this.#ended.push(sink);
  }
}
