// RequestParams: the parameters of a request (FCGI_PARAMS), which are decoded
// when they are asked for and not before.

import { ActiveRequest, Phase } from "../protocol/multiplexer.ts";
import {
  decodeLatin1,
  decodePairs,
  decodeUtf8,
  findPair,
} from "../protocol/pairs.ts";
import type { Span } from "../protocol/pairs.ts";
import { PairIndex } from "../protocol/pair_index.ts";
import type { Pool } from "./pool.ts";

/** The bytes of a buffer that parameters are kept in; larger ones get their own. */
export const KEPT_PARAMS = 4 * 1024;

/**
 * Bytes that parameters which outlive their requests share. Of 8 KiB, the making
 * takes as long as the filling.
 */
const SLAB_LENGTH = 64 * 1024;
/** Longer parameters have bytes of their own. */
const MOST_SHARED = 2 * 1024;

const EMPTY = new Uint8Array(0);

/** Where a look-up puts its finding, read at once: it would be made anew. */
const SPAN: Span = { start: -1, end: -1 };

/** Whose the buffer of the parameters is. */
const Holding = { NOTHING: 0, READ_BUFFER: 1, LENT: 2, OWN: 3 } as const;
type Holding = typeof Holding[keyof typeof Holding];

/** A request with its parameters. */
export class RequestParams extends ActiveRequest {
  /**
   * What outlives requests is copied to: an array for each of them takes as
   * long as all else that a short one needs.
   */
  static #slab: Uint8Array = EMPTY;
  static #slabEnd = 0;

  #buffer: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  #holding: Holding = Holding.NOTHING;
  #outlives = false;
  /** Whether the method is HEAD. */
  isHead = false;

  /** Whether there is a method, so that it is known whether it is HEAD. */
  get isMethodKnown(): boolean {
    return this.methodEnd > this.methodStart;
  }

  /** Whether parameters can be read: no more once the request has ended. */
  get hasParamsAtHand(): boolean {
    return this.#holding !== Holding.NOTHING;
  }

  /** Whether the parameters are complete. */
  get hasParams(): boolean {
    return this.phase !== Phase.PARAMS;
  }

  /**
   * The parameters are complete. They may lie in a buffer that is reused: see
   * {@linkcode RequestParams.keepParams}.
   *
   * @param buffer What holds them.
   * @param start Where they begin.
   * @param end Where they end, excluded.
   */
  setParams(buffer: Uint8Array, start: number, end: number): void {
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
    this.#holding = Holding.READ_BUFFER;
    const at = start + this.methodStart;
    this.isHead = this.methodEnd - this.methodStart === 4 &&
      buffer[at] === 72 &&
      buffer[at + 1] === 69 && buffer[at + 2] === 65 && buffer[at + 3] === 68;
  }

  /**
   * Copies the parameters out of the reused buffer.
   *
   * @param pool Where a buffer is lent from, which is cheaper than a new one.
   */
  keepParams(pool: Pool<Uint8Array>): void {
    if (this.#holding !== Holding.READ_BUFFER) return;
    const length = this.#end - this.#start;
    const lent = length <= KEPT_PARAMS ? pool.take() : null;
    if (lent === null) {
      this.#buffer = this.#buffer.slice(this.#start, this.#end);
      this.#holding = Holding.OWN;
    } else {
      lent.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = lent;
      this.#holding = Holding.LENT;
    }
    this.#start = 0;
    this.#end = length;
  }

  /**
   * The parameters' buffer is to be reused: they are gone.
   *
   * @param pool Where a lent buffer goes back to.
   */
  dropParams(pool: Pool<Uint8Array>): void {
    const holding = this.#holding;
    const lent = this.#buffer;
    if (!this.#outlives) {
      this.#holding = Holding.NOTHING;
      this.#buffer = EMPTY;
    } else if (holding === Holding.LENT || holding === Holding.READ_BUFFER) {
      this.#copyToSlab();
    }
    if (holding === Holding.LENT) pool.give(lent);
  }

  /** Whatever still has the request may read the parameters when it is over. */
  outliveParams(): void {
    this.#outlives = true;
  }

  #copyToSlab(): void {
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    const { length } = bytes;
    this.#holding = Holding.OWN;
    if (length > MOST_SHARED) {
      this.#buffer = bytes.slice();
      this.#start = 0;
    } else {
      if (RequestParams.#slabEnd + length > RequestParams.#slab.length) {
        RequestParams.#slab = new Uint8Array(SLAB_LENGTH);
        RequestParams.#slabEnd = 0;
      }
      this.#buffer = RequestParams.#slab;
      this.#start = RequestParams.#slabEnd;
      this.#buffer.set(bytes, this.#start);
      RequestParams.#slabEnd += length;
    }
    this.#end = this.#start + length;
  }

  /**
   * One parameter, as UTF-8.
   *
   * @param name The name.
   * @returns The value, or null where there is none.
   */
  param(name: string): string | null {
    return this.#find(name)
      ? decodeUtf8(this.#buffer, SPAN.start, SPAN.end)
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
      ? decodeLatin1(this.#buffer, SPAN.start, SPAN.end)
      : null;
  }

  #find(name: string): boolean {
    this.#checkParams();
    switch (name) {
      case "REQUEST_METHOD":
        return this.#found(this.methodStart, this.methodEnd);
      case "REQUEST_URI":
        return this.#found(this.uriStart, this.uriEnd);
      case "REQUEST_SCHEME":
        return this.#found(this.schemeStart, this.schemeEnd);
      case "HTTPS":
        return this.#found(this.httpsStart, this.httpsEnd);
      case "HTTP_HOST":
        return this.#found(this.hostStart, this.hostEnd);
    }
    return findPair(this.#buffer, this.#start, this.#end, name, SPAN);
  }

  /** What the scan has found is not looked for again. */
  #found(start: number, end: number): boolean {
    SPAN.start = this.#start + start;
    SPAN.end = this.#start + end;
    return start >= 0;
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

  /** What holds the parameters, until they are copied or dropped. */
  get paramsBuffer(): Uint8Array {
    this.#checkParams();
    return this.#buffer;
  }

  /** Where they begin in {@linkcode RequestParams.paramsBuffer}. */
  get paramsStart(): number {
    return this.#start;
  }

  /**
   * The index of the parameters, which outlives the request.
   *
   * @returns The index, or null where it cannot be made.
   */
  indexParams(): PairIndex | null {
    this.#checkParams();
    return PairIndex.of(
      this.#buffer,
      this.#start,
      this.#end,
      this.areLengthsShort,
    );
  }

  #checkParams(): void {
    if (this.#holding !== Holding.NOTHING) return;
    throw new TypeError(
      "Cannot read a parameter of a request that has ended: read it before service() returns",
    );
  }
}
