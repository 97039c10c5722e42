// PairIndex: the name-value pairs of a complete stream (FastCGI 1.0, section
// 3.4), kept beyond the buffer they came in.

import { knownName } from "./known_names.ts";

/** The bit that tells `a` from `A`. */
const LETTER_CASE = 0x20;

// The numbers of an index are in one array: where the last pair of each length
// of its name stands (modulo CHAINS), then of each pair where its name begins,
// its value begins, it ends, and where the one before of such a length stands.
// A name is found so by a look at one or two of 26 pairs.
const CHAINS = 32;
const STRIDE = 4;
const NOWHERE = -1;

/**
 * Room for 32 pairs, which is what a browser's request brings: an array that
 * grows to it is made anew four times.
 */
const ROOM = CHAINS + 32 * STRIDE;

const NONE: readonly number[] = [];

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The pairs of a stream as text, of which values are cut out when they are
 * asked for. It holds nothing of the buffer.
 */
export class PairIndex {
  /** The stream, a character per byte. */
  readonly text: string;
  /** Empty before anything is looked up. */
  #numbers: readonly number[] = NONE;
  /** How many of the numbers there are, before the room left. */
  #length = 0;
  #isAscii: boolean | null = null;

  private constructor(text: string) {
    this.text = text;
  }

  /**
   * Makes the index of a stream. It can be made where the stream is decoded to
   * a character per byte: everything but text beyond ASCII. (Bytes of lengths
   * that are no UTF-8 become a U+FFFD each, which holds that.)
   *
   * @param buffer What holds a well-formed stream.
   * @param start Where it begins.
   * @param end Where it ends, excluded.
   * @param areLengthsShort Whether every length is in one byte, and so in the
   * text: then nothing is indexed before it is looked up.
   * @returns The index, or null where it cannot be made.
   */
  static of(
    buffer: Uint8Array,
    start: number,
    end: number,
    areLengthsShort: boolean,
  ): PairIndex | null {
    const text = decoder.decode(buffer.subarray(start, end));
    if (text.length !== end - start) return null;
    const index = new PairIndex(text);
    if (!areLengthsShort) index.#build((at) => buffer[start + at]!);
    return index;
  }

  /** Where the pairs stand. */
  get #places(): readonly number[] {
    if (this.#numbers === NONE) this.#build((at) => this.text.charCodeAt(at));
    return this.#numbers;
  }

  #build(byteAt: (at: number) => number): void {
    const numbers: number[] = new Array(ROOM);
    let length = 0;
    while (length < CHAINS) numbers[length++] = NOWHERE;
    const end = this.text.length;
    let at = 0;
    while (at < end) {
      let nameLength = byteAt(at++);
      if (nameLength > 0x7f) {
        nameLength = (nameLength & 0x7f) << 24 | byteAt(at) << 16 |
          byteAt(at + 1) << 8 | byteAt(at + 2);
        at += 3;
      }
      let valueLength = byteAt(at++);
      if (valueLength > 0x7f) {
        valueLength = (valueLength & 0x7f) << 24 | byteAt(at) << 16 |
          byteAt(at + 1) << 8 | byteAt(at + 2);
        at += 3;
      }
      const value = at + nameLength;
      const next = value + valueLength;
      const chain = nameLength & (CHAINS - 1);
      numbers[length] = at;
      numbers[length + 1] = value;
      numbers[length + 2] = next;
      numbers[length + 3] = numbers[chain]!;
      numbers[chain] = length;
      length += STRIDE;
      at = next;
    }
    this.#numbers = numbers;
    this.#length = length;
  }

  /**
   * Whether names and values are ASCII: the same text in every encoding. In a
   * text of a byte per character, as it mostly is, there is nothing to look
   * for; another holds what became of lengths.
   */
  get isAscii(): boolean {
    return this.#isAscii ??= this.#findIsAscii();
  }

  #findIsAscii(): boolean {
    const { text } = this;
    let next = text.indexOf("\uFFFD");
    if (next < 0) return true;
    const numbers = this.#places;
    for (let i = CHAINS; i < this.#length && next >= 0; i += STRIDE) {
      if (next < numbers[i]!) next = text.indexOf("\uFFFD", numbers[i]);
      if (next >= 0 && next < numbers[i + 2]!) return false;
    }
    return true;
  }

  /**
   * Looks up a name; the last pair of that name wins.
   *
   * @param name The name.
   * @returns The value, or undefined where there is none.
   */
  get(name: string): string | undefined {
    const { text } = this;
    const numbers = this.#places;
    const { length } = name;
    let i = numbers[length & (CHAINS - 1)]!;
    for (; i !== NOWHERE; i = numbers[i + 3]!) {
      const at = numbers[i]!;
      const value = numbers[i + 1]!;
      if (value - at === length && text.startsWith(name, at)) {
        return text.substring(value, numbers[i + 2]!);
      }
    }
    return undefined;
  }

  /**
   * Looks up a name that may come several times, and in any case.
   *
   * @param name The name, in upper case.
   * @returns Its values, in the order sent.
   */
  getAll(name: string): string[] {
    const { text } = this;
    const numbers = this.#places;
    const { length } = name;
    const last = name.charCodeAt(length - 1) | LETTER_CASE;
    const values: string[] = [];
    let i = numbers[length & (CHAINS - 1)]!;
    for (; i !== NOWHERE; i = numbers[i + 3]!) {
      const at = numbers[i]!;
      const value = numbers[i + 1]!;
      // Most names of that length end with another letter.
      if (
        value - at !== length ||
        (text.charCodeAt(value - 1) | LETTER_CASE) !== last
      ) continue;
      if (
        text.startsWith(name, at) ||
        text.substring(at, value).toUpperCase() === name
      ) values.push(text.substring(value, numbers[i + 2]!));
    }
    return values.length > 1 ? values.reverse() : values;
  }

  /**
   * Gives every pair, in the order sent.
   *
   * @param pair Called with each name and value.
   */
  each(pair: (name: string, value: string) => void): void {
    const { text } = this;
    const numbers = this.#places;
    for (let i = CHAINS; i < this.#length; i += STRIDE) {
      const at = numbers[i]!;
      const value = numbers[i + 1]!;
      pair(
        knownName(text, at, value - at) ?? text.substring(at, value),
        text.substring(value, numbers[i + 2]!),
      );
    }
  }
}
