// Multiplexer: the state of one connection, without the connection. It decides
// what each record means: which requests are in flight, how far the input of
// each has come, what is refused and what is ignored. Every protocol decision
// on input is made in this file, and none elsewhere. It knows no sockets, no
// promises and no HTTP.
//
//   BEGIN_REQUEST ─► PARAMS ─► STDIN ─► COMPLETE      Responder
//                          └───────────► COMPLETE      Authorizer: no STDIN
//                          └─► STDIN ─► DATA ─► COMPLETE   Filter

import {
  BODY_LENGTH,
  KEEP_CONN,
  NULL_REQUEST_ID,
  RecordType,
  Role,
} from "./constants.ts";
import { ActiveRequest, Phase } from "./active_request.ts";
import type { Refusal } from "./active_request.ts";
import { decodePairs, decodeUtf8 } from "./pairs.ts";
import { scanParams } from "./params_scan.ts";
import type { RecordHandler } from "./parser.ts";

export { ActiveRequest, Phase };
export type { Refusal };

/** What a {@linkcode Multiplexer} calls; bytes are valid until the return. */
export interface MultiplexerHandler<R extends ActiveRequest> {
  /** A request begins: makes its state. */
  begin(id: number, role: number, keepConnection: boolean): R;
  /** Its parameters are complete, or it is refused and they are dropped. */
  request(request: R, buffer: Uint8Array, start: number, end: number): void;
  /** Bytes of STDIN (phase STDIN) or DATA (phase DATA), at least one. */
  input(request: R, buffer: Uint8Array, start: number, end: number): void;
  /** STDIN or DATA has ended; the phase is already the next. */
  inputEnd(request: R, ended: Phase): void;
  /** The web server gave the request up. */
  abort(request: R): void;
  /** A request is refused that no state is kept of. */
  refuse(id: number, refusal: Refusal): void;
  /** FCGI_GET_VALUES: the names asked for, in order. */
  getValues(names: string[]): void;
  /** A management record of a type that is not known. */
  unknownType(type: number): void;
}

/** The limits of a {@linkcode Multiplexer}. */
export interface MultiplexerLimits {
  /** Requests in flight on one connection. */
  readonly maxRequestsPerConnection: number;
  /** Bytes of parameters of one request. */
  readonly maxParamsBytes: number;
}

const EMPTY = new Uint8Array(0);

/** The requests of one connection. */
export class Multiplexer<R extends ActiveRequest> implements RecordHandler {
  readonly #handler: MultiplexerHandler<R>;
  readonly #limits: MultiplexerLimits;
  // Every web server but HAProxy has one request a connection: it stands in a
  // field, and a map is made for the second.
  #sole: R | null = null;
  #others: Map<number, R> | null = null;
  #count = 0;
  // Parameters that lie whole in the buffer under way are not copied. Whose they
  // are is noted by its id, 0 for nobody: to store a young object in an old one
  // is work for the collector.
  #viewedId: number = NULL_REQUEST_ID;
  #view: Uint8Array = EMPTY;
  #viewStart = 0;
  #viewEnd = 0;
  // The content of a BEGIN_REQUEST or GET_VALUES record split by a read.
  #control: Uint8Array = EMPTY;
  #controlLength = 0;

  /**
   * Creates the state of a new connection.
   *
   * @param handler What is called.
   * @param limits What is refused.
   */
  constructor(handler: MultiplexerHandler<R>, limits: MultiplexerLimits) {
    this.#handler = handler;
    this.#limits = limits;
  }

  /** How many requests are in flight, refused ones included. */
  get count(): number {
    return this.#count;
  }

  /** Every request in flight; they may be ended while they are walked. */
  *requests(): Generator<R> {
    if (this.#sole !== null) yield this.#sole;
    if (this.#others !== null) yield* this.#others.values();
  }

  /**
   * Forgets a request: its FCGI_END_REQUEST has been written.
   *
   * @param request The request.
   */
  end(request: R): void {
    if (this.#sole === request) this.#sole = null;
    else if (this.#others?.get(request.id) !== request) return;
    else this.#others.delete(request.id);
    if (this.#viewedId === request.id) this.#viewedId = NULL_REQUEST_ID;
    this.#count--;
  }

  /** Keeps what is still needed of the buffer: it is about to be reused. */
  settle(): void {
    const id = this.#viewedId;
    if (id === NULL_REQUEST_ID) return;
    this.#viewedId = NULL_REQUEST_ID;
    const request = this.#find(id)!;
    request.gathered = this.#view.slice(this.#viewStart, this.#viewEnd);
    this.#view = EMPTY;
  }

  record(
    type: number,
    id: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    remaining: number,
  ): void {
    if (id === NULL_REQUEST_ID) {
      this.#management(type, buffer, start, end, remaining);
      return;
    }
    if (type === RecordType.BEGIN_REQUEST) {
      this.#begin(id, buffer, start, end, remaining);
      return;
    }
    const sole = this.#sole;
    const request = sole !== null && sole.id === id
      ? sole
      : this.#others?.get(id);
    // Late records of a request that has ended are normal (HAProxy).
    if (request === undefined) return;
    switch (type) {
      case RecordType.PARAMS:
        this.#params(request, buffer, start, end, remaining);
        return;
      case RecordType.STDIN:
        this.#stdin(request, buffer, start, end);
        return;
      case RecordType.DATA:
        this.#data(request, buffer, start, end);
        return;
      case RecordType.ABORT_REQUEST:
        if (remaining === 0) this.#handler.abort(request);
        return;
      default:
        // Record types that belong to no request are ignored, as are those
        // that only an application sends.
    }
  }

  #management(
    type: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    remaining: number,
  ): void {
    if (type !== RecordType.GET_VALUES) {
      if (remaining === 0) this.#handler.unknownType(type);
      return;
    }
    if (!this.#gather(buffer, start, end, remaining)) return;
    const names: string[] = [];
    const content = this.#control;
    const length = this.#controlLength;
    this.#control = EMPTY;
    this.#controlLength = 0;
    try {
      decodePairs(content, 0, length, decodeUtf8, (name) => names.push(name));
    } catch {
      // The record is whole, so framing holds: what could be read is answered.
    }
    this.#handler.getValues(names);
  }

  /** Joins the pieces of a control record; true once it is whole. */
  #gather(
    buffer: Uint8Array,
    start: number,
    end: number,
    remaining: number,
  ): boolean {
    if (this.#controlLength === 0) {
      this.#control = new Uint8Array(end - start + remaining);
    }
    this.#control.set(buffer.subarray(start, end), this.#controlLength);
    this.#controlLength += end - start;
    return remaining === 0;
  }

  #begin(
    id: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    remaining: number,
  ): void {
    let content = buffer;
    let at = start;
    let length = end - start;
    if (remaining > 0 || this.#controlLength > 0) {
      if (!this.#gather(buffer, start, end, remaining)) return;
      content = this.#control;
      at = 0;
      length = this.#controlLength;
      this.#control = EMPTY;
      this.#controlLength = 0;
    }
    const active = this.#find(id);
    if (active !== undefined) {
      // Which of the two an answer belongs to could not be told: both end.
      this.#handler.abort(active);
      return;
    }
    if (length !== BODY_LENGTH) {
      this.#handler.refuse(id, "begin_malformed");
      return;
    }
    const { maxRequestsPerConnection } = this.#limits;
    // Refused requests are followed to the end of their input, for a web
    // server that is answered early may hang; but only so many.
    if (this.#count >= maxRequestsPerConnection * 2) {
      this.#handler.refuse(id, "overloaded");
      return;
    }
    const role = content[at]! << 8 | content[at + 1]!;
    const keepConnection = (content[at + 2]! & KEEP_CONN) !== 0;
    const request = this.#handler.begin(id, role, keepConnection);
    if (role < Role.RESPONDER || role > Role.FILTER) {
      request.refusal = "unknown_role";
    } else if (this.#count >= maxRequestsPerConnection) {
      request.refusal = "overloaded";
    }
    this.#count++;
    if (this.#sole === null) this.#sole = request;
    else (this.#others ??= new Map()).set(id, request);
  }

  #find(id: number): R | undefined {
    const sole = this.#sole;
    return sole !== null && sole.id === id ? sole : this.#others?.get(id);
  }

  #params(
    request: R,
    buffer: Uint8Array,
    start: number,
    end: number,
    remaining: number,
  ): void {
    if (request.phase !== Phase.PARAMS) return;
    if (start === end) {
      this.#paramsEnd(request);
      return;
    }
    const isFirst = request.paramsLength === 0;
    request.paramsLength += end - start;
    // Once past the limit, always past it: the length only grows.
    if (request.paramsLength + remaining > this.#limits.maxParamsBytes) {
      request.refusal ??= "params_too_large";
      request.gathered = null;
      if (this.#viewedId === request.id) this.#viewedId = NULL_REQUEST_ID;
      return;
    }
    if (isFirst && remaining === 0) {
      this.settle();
      this.#viewedId = request.id;
      this.#view = buffer;
      this.#viewStart = start;
      this.#viewEnd = end;
      return;
    }
    if (this.#viewedId === request.id) this.settle();
    const length = request.paramsLength;
    const before = length - (end - start);
    let gathered = request.gathered;
    if (gathered === null || gathered.length < length) {
      const capacity = Math.max(length + remaining, before * 2);
      const grown = new Uint8Array(
        Math.min(capacity, this.#limits.maxParamsBytes),
      );
      if (gathered !== null) grown.set(gathered.subarray(0, before));
      request.gathered = gathered = grown;
    }
    gathered.set(buffer.subarray(start, end), before);
  }

  #paramsEnd(request: R): void {
    let buffer = EMPTY as Uint8Array;
    let start = 0;
    let end = 0;
    if (this.#viewedId === request.id) {
      this.#viewedId = NULL_REQUEST_ID;
      buffer = this.#view;
      this.#view = EMPTY;
      start = this.#viewStart;
      end = this.#viewEnd;
    } else if (request.gathered !== null) {
      buffer = request.gathered;
      end = request.paramsLength;
      request.gathered = null;
    }
    if (!scanParams(buffer, start, end, request)) {
      request.refusal ??= "params_malformed";
      // Nothing of a malformed stream is used, a length before the fault
      // included.
      scanParams(EMPTY, 0, 0, request);
    }
    // An Authorizer gets no STDIN, whatever CONTENT_LENGTH says: Apache's
    // modules never send even the empty record (section 6.3).
    if (request.role === Role.AUTHORIZER) request.phase = Phase.COMPLETE;
    else if (request.contentLength !== 0) request.phase = Phase.STDIN;
    else this.#stdinComplete(request);
    this.#handler.request(request, buffer, start, end);
  }

  #stdin(request: R, buffer: Uint8Array, start: number, end: number): void {
    if (request.phase === Phase.PARAMS) {
      request.refusal ??= "params_malformed";
    } else if (start === end && request.role !== Role.FILTER) {
      request.isInputEnded = true;
    }
    if (request.phase !== Phase.STDIN) return;
    if (start === end) {
      this.#stdinComplete(request);
      this.#handler.inputEnd(request, Phase.STDIN);
      return;
    }
    const { contentLength } = request;
    let length = end - start;
    if (contentLength >= 0) {
      length = Math.min(length, contentLength - request.received);
    }
    request.received += length;
    this.#handler.input(request, buffer, start, start + length);
    if (request.received === contentLength) {
      this.#stdinComplete(request);
      this.#handler.inputEnd(request, Phase.STDIN);
    }
  }

  #stdinComplete(request: R): void {
    request.phase = request.role === Role.FILTER && request.dataLength !== 0
      ? Phase.DATA
      : Phase.COMPLETE;
  }

  #data(request: R, buffer: Uint8Array, start: number, end: number): void {
    if (start === end && request.phase >= Phase.DATA) {
      request.isInputEnded = true;
    }
    if (request.phase !== Phase.DATA) return;
    const { dataLength } = request;
    if (start < end) {
      let length = end - start;
      if (dataLength >= 0) {
        length = Math.min(length, dataLength - request.dataReceived);
      }
      request.dataReceived += length;
      this.#handler.input(request, buffer, start, start + length);
      if (request.dataReceived !== dataLength) return;
    }
    request.phase = Phase.COMPLETE;
    this.#handler.inputEnd(request, Phase.DATA);
  }
}
