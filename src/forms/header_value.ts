// Header values with parameters, as Content-Type and Content-Disposition have
// them (RFC 2045, section 5.1; RFC 7578, section 4.2), read as the clients
// there are write them. A character is a byte here.

/** A value and its parameters. */
export interface HeaderValue {
  /** What comes before the parameters, in lower case. */
  readonly value: string;
  /** By name in lower case. */
  readonly params: ReadonlyMap<string, string>;
}

const NAME = /[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*/y;
const NOTHING = /[ \t]*(?=;|$)/y;
const TOKEN = /[^;"]*/y;
/**
 * Up to the quote that no backslash precedes, and nothing behind it. Each
 * character can be matched in one way alone, so that it takes linear time.
 */
const ESCAPED = /"((?:[^"\\]|\\["\\]|\\(?!["\\]))*)"[ \t]*(?=;|$)/y;
/** Up to the first quote: web browsers escape no backslash. */
const UNESCAPED = /"([^"]*)"[ \t]*(?=;|$)/y;

/**
 * Reads a header value.
 *
 * @param text The value.
 * @returns Its parts, null where they cannot be told: a quote is not closed, or
 * a parameter is there twice.
 */
export function parseHeaderValue(text: string): HeaderValue | null {
  const semicolon = text.indexOf(";");
  const value = semicolon < 0 ? text : text.slice(0, semicolon);
  const params = new Map<string, string>();
  for (let at = value.length; at < text.length;) {
    // At a semicolon. Some clients end with one.
    at++;
    const nothing = matchAt(NOTHING, text, at);
    if (nothing !== null) {
      at += nothing[0].length;
      continue;
    }
    const name = matchAt(NAME, text, at);
    if (name === null) return null;
    at += name[0].length;
    const key = name[1]!.toLowerCase();
    if (params.has(key)) return null;
    const param = readParam(text, at);
    if (param === null) return null;
    params.set(key, param.value);
    at = param.end;
  }
  return { value: value.trim().toLowerCase(), params };
}

function readParam(
  text: string,
  at: number,
): { value: string; end: number } | null {
  if (text[at] !== '"') {
    const token = matchAt(TOKEN, text, at)![0];
    const end = at + token.length;
    if (end < text.length && text[end] !== ";") return null;
    return { value: token.trim(), end };
  }
  const escaped = matchAt(ESCAPED, text, at);
  if (escaped !== null) {
    return {
      value: escaped[1]!.replace(/\\(["\\])/g, "$1"),
      end: at + escaped[0].length,
    };
  }
  const plain = matchAt(UNESCAPED, text, at);
  if (plain === null) return null;
  return { value: plain[1]!, end: at + plain[0].length };
}

function matchAt(
  pattern: RegExp,
  text: string,
  at: number,
): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** An extended value (RFC 8187, section 3.2). */
const EXTENDED = /^([^']+)'[^']*'((?:[^%]|%[0-9a-f]{2})*)$/i;

/**
 * Reads an extended value, as of `filename*`.
 *
 * @param text The value.
 * @returns Its text, null where it is none or not of its charset.
 */
export function decodeExtended(text: string): string | null {
  const [, charset, escaped] = EXTENDED.exec(text) ?? [];
  if (charset === undefined) return null;
  const plain = escaped!.replace(
    /%(..)/g,
    (_, hex) => String.fromCharCode(parseInt(hex, 16)),
  );
  const bytes = Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
