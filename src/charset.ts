// Encoding strings to charsets other than UTF-8, which is all `TextEncoder`
// does: a single-byte encoding is its decoder turned round.

import { checkCharset } from "./options.ts";

/** Encodes a string; what the charset lacks becomes a question mark. */
export type EncodeText = (text: string) => Uint8Array;

/**
 * The encoder of a charset.
 *
 * @param label A label of the Encoding Standard.
 * @returns The encoder; null for UTF-8, which needs none.
 * @throws {RangeError} Where there is no such charset, or it is of several
 * bytes a character.
 */
export function textEncoderOf(label: string): EncodeText | null {
  const decoder = checkCharset(label);
  if (decoder.encoding === "utf-8") return null;
  const codes = new Map<string, number>();
  for (let byte = 255; byte >= 0; byte--) {
    const character = decoder.decode(new Uint8Array([byte]));
    if (character.length === 1 && character !== "\uFFFD") {
      codes.set(character, byte);
    }
  }
  return (text) =>
    Uint8Array.from([...text], (character) => codes.get(character) ?? 63);
}
