// The text of forms: pairs of names and values as bytes, however they came, to
// strings in the form's charset; and the pairs of
// `application/x-www-form-urlencoded` (URL Standard, section 5.1).

import { tooManyParts, undecodable } from "./form_errors.ts";

/** How an application has its text read. */
export interface TextRules {
  /** The charset, where a form names none. */
  readonly charset: string;
  /**
   * Whether what is not of the charset is taken for ISO-8859-1, rather than
   * refused.
   */
  readonly tolerant: boolean;
}

/** A name and a value. */
export interface RawField {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  /** The charset of the value alone, where it has one. */
  readonly charset?: string | undefined;
}

/** Decodes bytes. */
export type DecodeText = (bytes: Uint8Array) => string;

const EMPTY = new Uint8Array(0);
const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PLUS = 0x2b;
const PERCENT = 0x25;

/** The field that tells the charset of its form (RFC 7578, section 4.6). */
const CHARSET_FIELD = "_charset_";

/**
 * The decoder of the first charset that is known. A byte order mark stays, as
 * in all that web browsers read of forms.
 *
 * @param labels Labels of the Encoding Standard, those that count most first.
 * @param rules What holds where none is known, and for what is not of it.
 * @returns The decoder, which throws a {@linkcode FastCgiError}
 * `TEXT_UNDECODABLE` where the rules are strict.
 * @throws {FastCgiError} The same, where they are and a charset is unknown.
 */
export function textDecoderOf(
  labels: readonly (string | undefined)[],
  rules: TextRules,
): DecodeText {
  let label = rules.charset;
  for (const named of labels) {
    if (named === undefined) continue;
    if (isCharset(named)) {
      label = named;
      break;
    }
    if (!rules.tolerant) {
      throw undecodable(`its charset ${JSON.stringify(named)} is not known`);
    }
  }
  const decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true });
  return (bytes) => {
    try {
      return decoder.decode(bytes);
    } catch (error) {
      if (rules.tolerant) return new TextDecoder("iso-8859-1").decode(bytes);
      throw undecodable(`it holds bytes that are not ${label}`, error);
    }
  };
}

function isCharset(label: string): boolean {
  try {
    new TextDecoder(label);
    return true;
  } catch {
    return false;
  }
}

/**
 * The charset that the fields of a form name, in one called `_charset_`.
 *
 * @param fields The fields.
 * @returns The value, undefined where there is no such field or it is empty.
 */
export function charsetField(fields: Iterable<RawField>): string | undefined {
  for (const { name, value } of fields) {
    if (name.length !== CHARSET_FIELD.length) continue;
    if (String.fromCharCode(...name) === CHARSET_FIELD) {
      return new TextDecoder().decode(value).trim() || undefined;
    }
  }
  return undefined;
}

/**
 * Splits urlencoded text.
 *
 * @param bytes The text, which may hold bytes that should have been escaped.
 * @param mostFields How many fields there may be.
 * @returns The fields, in order.
 * @throws {LimitError} `TOO_MANY_PARTS` where there are more.
 */
export function splitUrlencoded(
  bytes: Uint8Array,
  mostFields = Infinity,
): RawField[] {
  const fields: RawField[] = [];
  for (let at = 0; at < bytes.length;) {
    let end = bytes.indexOf(AMPERSAND, at);
    if (end < 0) end = bytes.length;
    if (end > at) {
      if (fields.length >= mostFields) throw tooManyParts(mostFields);
      const pair = bytes.subarray(at, end);
      const equals = pair.indexOf(EQUALS);
      fields.push(
        equals < 0 ? { name: unescape(pair), value: EMPTY } : {
          name: unescape(pair.subarray(0, equals)),
          value: unescape(pair.subarray(equals + 1)),
        },
      );
    }
    at = end + 1;
  }
  return fields;
}

/** Undoes percent-encoding; a percent sign that begins none stays. */
function unescape(bytes: Uint8Array): Uint8Array {
  const plain = new Uint8Array(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at]!;
    if (byte === PLUS) byte = 0x20;
    else if (byte === PERCENT) {
      const high = hexDigit(bytes[at + 1]);
      const low = hexDigit(bytes[at + 2]);
      if (high >= 0 && low >= 0) {
        byte = high << 4 | low;
        at += 2;
      }
    }
    plain[length++] = byte;
  }
  return plain.subarray(0, length);
}

function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** What a URL's query holds escaped that is not ASCII. */
const ESCAPED_TEXT = /%[89a-f]/i;

/**
 * The query of a URL, read in the application's charset. The platform reads
 * any as UTF-8.
 *
 * @param url The URL.
 * @param rules How text is read.
 * @returns The query; the URL's own `searchParams` where it is ASCII.
 * @throws {FastCgiError} `TEXT_UNDECODABLE` where the rules are strict.
 */
export function queryOf(url: URL, rules: TextRules): URLSearchParams {
  const { search } = url;
  if (!ESCAPED_TEXT.test(search)) return url.searchParams;
  const bytes = new TextEncoder().encode(search.slice(1));
  const decode = textDecoderOf([], rules);
  const query = new URLSearchParams();
  for (const { name, value } of splitUrlencoded(bytes)) {
    query.append(decode(name), decode(value));
  }
  return query;
}
