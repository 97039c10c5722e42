// Reply: what an answer becomes for who asked: a web Response, or the stream of
// FCGI_STDOUT as it is.

import { ResponseHeaderReader } from "../cgi/response_header.ts";
import { isNullBodyStatus } from "../cgi/status.ts";
import { LimitError } from "../errors.ts";
import { BodyStream } from "./body_stream.ts";
import type { BodyStreamHandler } from "./body_stream.ts";
import { lengthMismatch, noHeader } from "./faults.ts";

/** Bytes of a body nobody is to see that are read to keep a connection. */
const DROP_BYTES = 64 * 1024;

/** How a request ended (FCGI_END_REQUEST, FastCGI 1.0, section 5.5). */
export interface FastCGIEnd {
  /** The application status, 0 to 2^32 - 1; 0 is success. */
  readonly appStatus: number;
  /**
   * The protocol status: 0 FCGI_REQUEST_COMPLETE, 1 FCGI_CANT_MPX_CONN, 2
   * FCGI_OVERLOADED, 3 FCGI_UNKNOWN_ROLE.
   */
  readonly protocolStatus: number;
}

/** The answer to a request of {@linkcode FastCGIClient.send}. */
export interface FastCGIReply {
  /**
   * FCGI_STDOUT as it comes, header and all. To be read to its end, or
   * cancelled; it fails where the server does not end the request.
   */
  readonly stdout: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** How the request ended. Fails as `stdout` does. */
  readonly end: Promise<FastCGIEnd>;
}

/** An answer in the making. What its methods throw is its own fault. */
export interface Reply {
  /** Whether it waits for more. */
  readonly isHungry: boolean;
  /** Whether it can take no more. */
  readonly isFull: boolean;
  /** Settles once the caller may have something of it; fails as it does. */
  readonly begun: Promise<unknown>;
  /** Whether the caller has something of it. */
  readonly hasBegun: boolean;
  /** Whether the caller has all there is to have of it. */
  readonly isOver: boolean;
  /** Bytes of FCGI_STDOUT, at least one, valid during the call. */
  output(buffer: Uint8Array, start: number, end: number): void;
  /** FCGI_END_REQUEST. */
  ended(end: FastCGIEnd): void;
  /** There is no more; where it was aborted, not even of what has come. */
  failed(error: unknown, isAborted: boolean): void;
}

/** Why a body that nobody sees is not read to its end. */
export class UnwantedBody extends Error {}

/** What a {@linkcode ResponseReply} is made of. */
export interface ResponseReplyParts extends BodyStreamHandler {
  /** Whether the method is HEAD. */
  isHead: boolean;
  /** The most bytes of the header. */
  maxHeaderBytes: number;
  /** The most bytes of the body. */
  maxResponseBytes: number;
}

/** An answer as a `Response`. */
export class ResponseReply implements Reply {
  readonly #parts: ResponseReplyParts;
  readonly #header: ResponseHeaderReader;
  readonly #response = Promise.withResolvers<Response>();
  #body: BodyStream | null = null;
  #contentLength = -1;
  #received = 0;
  #hasBegun = false;

  /**
   * Creates an answer of which nothing has come.
   *
   * @param parts What it is made of.
   */
  constructor(parts: ResponseReplyParts) {
    this.#parts = parts;
    this.#header = new ResponseHeaderReader(parts.maxHeaderBytes);
  }

  /** The response, once its header has come. */
  get begun(): Promise<Response> {
    return this.#response.promise;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get isOver(): boolean {
    return this.#hasBegun && this.#body === null;
  }

  get isHungry(): boolean {
    return this.#body === null || this.#body.isHungry;
  }

  get isFull(): boolean {
    return this.#body !== null && this.#body.isFull;
  }

  output(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    if (!this.#hasBegun) {
      at = this.#header.push(buffer, start, end);
      if (at < 0) return;
      this.#begin();
    }
    if (at === end) return;
    const received = this.#received += end - at;
    if (this.#body === null) {
      // Worth so much, and no more, to keep the connection.
      if (received > DROP_BYTES) throw new UnwantedBody();
      return;
    }
    if (this.#contentLength >= 0 && received > this.#contentLength) {
      throw lengthMismatch(this.#contentLength, received);
    }
    const { maxResponseBytes } = this.#parts;
    if (received > maxResponseBytes) {
      throw new LimitError(
        "RESPONSE_TOO_LARGE",
        `The response is more than the ${maxResponseBytes} bytes that maxResponseBytes allows`,
        maxResponseBytes,
        received,
        { status: 502 },
      );
    }
    this.#body.push(buffer, at, end);
  }

  #begin(): void {
    const { status, statusText, headers, contentLength } = this.#header
      .header();
    const isBodyless = this.#parts.isHead || isNullBodyStatus(status);
    if (!isBodyless) this.#body = new BodyStream(this.#parts);
    this.#contentLength = contentLength;
    this.#hasBegun = true;
    this.#response.resolve(
      new Response(this.#body?.readable ?? null, {
        status,
        statusText,
        headers: headers.map(([name, value]): [string, string] => [
          name,
          value,
        ]),
      }),
    );
  }

  ended({ appStatus, protocolStatus }: FastCGIEnd): void {
    if (!this.#hasBegun) throw noHeader(appStatus, protocolStatus);
    if (this.#body === null) return;
    if (this.#received < this.#contentLength) {
      throw lengthMismatch(this.#contentLength, this.#received);
    }
    this.#body.end();
  }

  failed(error: unknown, isAborted: boolean): void {
    this.#response.reject(error);
    this.#body?.fail(error, isAborted);
  }
}

/** An answer as it is. */
export class RawReply implements Reply {
  readonly #stdout: BodyStream;
  readonly #end = Promise.withResolvers<FastCGIEnd>();
  readonly #reply = Promise.withResolvers<FastCGIReply>();
  #hasBegun = false;

  /**
   * Creates an answer of which nothing has come.
   *
   * @param handler Who is told of its reader.
   */
  constructor(handler: BodyStreamHandler) {
    this.#stdout = new BodyStream(handler);
    // Who reads the stream alone is told there.
    this.#end.promise.catch(() => {});
  }

  /** The answer, once something of it has come. */
  get begun(): Promise<FastCGIReply> {
    return this.#reply.promise;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get isOver(): boolean {
    return false;
  }

  get isHungry(): boolean {
    return !this.#hasBegun || this.#stdout.isHungry;
  }

  get isFull(): boolean {
    return this.#stdout.isFull;
  }

  #begin(): void {
    this.#hasBegun = true;
    this.#reply.resolve({
      stdout: this.#stdout.readable,
      end: this.#end.promise,
    });
  }

  output(buffer: Uint8Array, start: number, end: number): void {
    this.#begin();
    this.#stdout.push(buffer, start, end);
  }

  ended(end: FastCGIEnd): void {
    this.#begin();
    this.#stdout.end();
    this.#end.resolve(end);
  }

  failed(error: unknown, isAborted: boolean): void {
    this.#reply.reject(error);
    this.#stdout.fail(error, isAborted);
    this.#end.reject(error);
  }
}
