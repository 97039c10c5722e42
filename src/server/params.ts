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

const EMPTY = new Uint8Array(0);

/** Bytes that the copied parameters of about ten requests share. */
const SLAB_LENGTH = 8 * 1024;
/** Longer parameters have bytes of their own. */
const MOST_SHARED = 2 * 1024;

/** Where a look-up puts its finding, read at once: it would be made anew. */
const SPAN: Span = { start: -1, end: -1 };

/** A request with its parameters. */
export class RequestParams extends ActiveRequest {
  /**
   * What parameters are copied to: an array for each request took longer than
   * all else that a short one needs.
   */
  static #slab: Uint8Array = EMPTY;
  static #slabEnd = 0;

  #buffer: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  #isReadable = false;
  /** Whether they were copied. */
  #isKept = false;
  /** Whether the method is HEAD. */
  isHead = false;

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
    this.#isReadable = true;
    const { methodStart: at } = this;
    this.isHead = this.methodEnd - at === 4 && buffer[at] === 72 &&
      buffer[at + 1] === 69 && buffer[at + 2] === 65 && buffer[at + 3] === 68;
  }

  /**
   * Copies the parameters out of the reused buffer: they stay readable when
   * the request has ended.
   */
  keepParams(): void {
    if (!this.#isReadable || this.#isKept) return;
    this.#isKept = true;
    const length = this.#end - this.#start;
    if (length > MOST_SHARED) {
      this.#buffer = this.#buffer.slice(this.#start, this.#end);
      this.#start = 0;
    } else {
      if (RequestParams.#slabEnd + length > RequestParams.#slab.length) {
        RequestParams.#slab = new Uint8Array(SLAB_LENGTH);
        RequestParams.#slabEnd = 0;
      }
      const slab = RequestParams.#slab;
      const start = RequestParams.#slabEnd;
      slab.set(this.#buffer.subarray(this.#start, this.#end), start);
      this.#buffer = slab;
      this.#start = start;
      RequestParams.#slabEnd += length;
    }
    this.#end = this.#start + length;
  }

  /** The buffer of the parameters is about to be reused: they are gone. */
  dropParams(): void {
    if (this.#isKept) return;
    this.#isReadable = false;
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
    return findPair(this.#buffer, this.#start, this.#end, name, SPAN);
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
    if (this.#isReadable) return;
    throw new TypeError(
      "Cannot read a parameter of a request that has ended: read it before service() returns",
    );
  }
}
