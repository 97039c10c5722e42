// ValuesQuestion: what a server says of itself: FCGI_GET_VALUES and its answer
// (FastCGI 1.0, section 4.1).

import type { FastCgiError } from "../errors.ts";
import { HEADER_LENGTH, RecordType } from "../protocol/constants.ts";
import { OutputBuffer } from "../protocol/encoder.ts";
import { decodePairs, decodeUtf8, encodePairs } from "../protocol/pairs.ts";
import { badResponse, closedEarly, timedOut } from "./faults.ts";

/** Where a record's header tells the length of its padding (section 3.3). */
const PADDING_LENGTH_AT = 6;
const PADDING = new Uint8Array(8);

/** The variables of a server, by name. */
export type Values = Readonly<Record<string, string>>;

/** One question. */
export class ValuesQuestion {
  readonly #names: readonly string[];
  readonly #answer = Promise.withResolvers<Values>();
  #gathered = new Uint8Array(0);

  /**
   * Creates a question.
   *
   * @param names The variables asked for.
   */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** The record that asks it. */
  record(): Uint8Array {
    const pairs = encodePairs(
      this.#names.map((name): [string, string] => [name, ""]),
    );
    const out = new OutputBuffer(2 * HEADER_LENGTH + pairs.length);
    out.management(RecordType.GET_VALUES, pairs);
    // libfcgi reads on after the last byte of the pairs before it answers, and
    // would wait for the next record: padding is enough for it.
    out.bytes[PADDING_LENGTH_AT] = PADDING.length;
    out.raw(PADDING);
    return out.from(0);
  }

  /**
   * Takes a piece of a management record; any other than the answer is left.
   *
   * @param type The record type.
   * @param piece The bytes, valid during the call.
   * @param remaining How many follow.
   * @returns Whether it is answered.
   */
  take(type: number, piece: Uint8Array, remaining: number): boolean {
    // To a type that it does not know a server answers so (section 4.2).
    if (type === RecordType.UNKNOWN_TYPE) {
      this.#answer.resolve({});
      return true;
    }
    if (type !== RecordType.GET_VALUES_RESULT) return false;
    // One record, so 65,535 bytes at the most.
    const whole = new Uint8Array(this.#gathered.length + piece.length);
    whole.set(this.#gathered);
    whole.set(piece, this.#gathered.length);
    this.#gathered = whole;
    if (remaining > 0) return false;
    const values: Record<string, string> = Object.create(null);
    try {
      decodePairs(whole, 0, whole.length, decodeUtf8, (name, value) => {
        values[name] = value;
      });
    } catch {
      this.#answer.reject(
        badResponse("its FCGI_GET_VALUES_RESULT is no name-value pairs"),
      );
      return true;
    }
    this.#answer.resolve(values);
    return true;
  }

  /** The connection is gone. */
  lost(): void {
    this.#answer.reject(closedEarly(false));
  }

  /**
   * Waits for the answer.
   *
   * @param timeoutMs For how long.
   * @returns It.
   * @throws {FastCgiError} `READ_TIMEOUT`, `CLOSED`, `BAD_RESPONSE`.
   */
  async answered(timeoutMs: number): Promise<Values> {
    if (timeoutMs === Infinity) return await this.#answer.promise;
    const timer = setTimeout(() => {
      const late: FastCgiError = timedOut(
        "READ_TIMEOUT",
        "The FastCGI server did not answer FCGI_GET_VALUES",
        "readTimeoutMs",
        timeoutMs,
      );
      this.#answer.reject(late);
    }, timeoutMs);
    try {
      return await this.#answer.promise;
    } finally {
      clearTimeout(timer);
    }
  }
}
