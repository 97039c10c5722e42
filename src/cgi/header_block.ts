// HeaderBlock: the header of a CGI response (RFC 3875, section 6), encoded
// once and written into the output with the length of the body in its middle.
//
// `Status` is always sent, and last: HAProxy takes a `Location` after it for a
// redirect whatever the status, and without it the servers guess differently.

import { reasonPhrase } from "./status.ts";

/**
 * Hop-by-hop headers (RFC 9110, section 7.6.1, and the older list). They
 * belong to the connection between web server and client, and some servers let
 * them through (nginx leaks Upgrade, lighttpd Keep-Alive).
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "trailers",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Whether a header belongs to one connection alone.
 *
 * @param name The header's name, in any case.
 * @returns Whether it is hop-by-hop.
 */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name.toLowerCase());
}

/** Decimal digits of the longest Content-Length, with name and line end. */
const CONTENT_LENGTH_LINE = "Content-Length: 9007199254740991\r\n".length;

function encodeLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const EMPTY = new Uint8Array(0);

/** An encoded header block, which may be written any number of times. */
export class HeaderBlock {
  #before: string;
  #after: string;
  readonly #status: number;
  readonly #statusText: string;
  #whole: Uint8Array = EMPTY;
  #wholeLength = -2;
  /** The status. */
  readonly status: number;
  /** The Content-Length the application set, -1 where it set none. */
  readonly contentLength: number;

  /**
   * Encodes a header block.
   *
   * @param status The status, checked.
   * @param statusText The reason phrase; empty for the registered one.
   * @param headers The headers, names and values as `Headers` accepts them.
   */
  constructor(
    status: number,
    statusText: string,
    headers: Iterable<readonly [name: string, value: string]>,
  ) {
    let lines = "";
    let contentLength = -1;
    for (const [name, value] of headers) {
      if (name === "content-length") {
        // Not where there is no content (RFC 9110, section 8.6).
        if (status === 204 || status === 205) continue;
        contentLength = /^\d{1,15}$/.test(value) ? Number(value) : -1;
      } else if (name !== "status" && !HOP_BY_HOP.has(name)) {
        lines += `${canonicalName(name)}: ${value}\r\n`;
      }
    }
    this.status = status;
    this.contentLength = contentLength;
    this.#before = lines;
    this.#after = `Status: ${status} ${
      statusText || reasonPhrase(status)
    }\r\n\r\n`;
    this.#status = status;
    this.#statusText = statusText;
  }

  /** The most bytes {@linkcode HeaderBlock.write} takes. */
  get maxLength(): number {
    return this.#before.length + CONTENT_LENGTH_LINE + this.#after.length;
  }

  /**
   * This block with a cookie more. Where it does not say how it may be cached,
   * it is kept out of caches that several clients share.
   *
   * @param cookie The value of Set-Cookie.
   * @returns Another block.
   */
  withCookie(cookie: string): HeaderBlock {
    const more: [string, string][] = [["set-cookie", cookie]];
    if (!/^cache-control:/im.test(this.#before)) {
      more.push(["cache-control", "private"]);
    }
    if (this.contentLength >= 0) {
      more.push(["content-length", String(this.contentLength)]);
    }
    const block = new HeaderBlock(this.#status, this.#statusText, more);
    block.#before = this.#before + block.#before;
    return block;
  }

  /**
   * This block with the status at its beginning. lighttpd drops the headers of
   * an Authorizer before it has read that they belong to a refusal; everywhere
   * else the status comes last, which HAProxy needs.
   *
   * @returns Another block.
   */
  withStatusFirst(): HeaderBlock {
    const block = new HeaderBlock(
      this.#status,
      this.#statusText,
      this.contentLength < 0
        ? []
        : [["content-length", String(this.contentLength)]],
    );
    block.#before = block.#after.slice(0, -2) + this.#before;
    block.#after = "\r\n";
    return block;
  }

  /**
   * One header, for logs.
   *
   * @param name Its name, in any case.
   * @returns Its value, of several the first; null where there is none.
   */
  header(name: string): string | null {
    const line = `\r\n${canonicalName(name.toLowerCase())}: `;
    const lines = `\r\n${this.#before}`;
    const start = lines.indexOf(line) + line.length;
    return start < line.length
      ? null
      : lines.slice(start, lines.indexOf("\r\n", start));
  }

  /**
   * Writes the block.
   *
   * @param out Where to, with room for {@linkcode HeaderBlock.maxLength}.
   * @param at The offset.
   * @param contentLength The length of the body; -1 leaves it out.
   * @returns The offset after the block.
   */
  write(out: Uint8Array, at: number, contentLength: number): number {
    if (contentLength !== this.#wholeLength) this.#join(contentLength);
    out.set(this.#whole, at);
    return at + this.#whole.length;
  }

  /** The block for a length of body, kept: the next is often of the same. */
  #join(contentLength: number): void {
    const line = contentLength < 0
      ? ""
      : `Content-Length: ${contentLength}\r\n`;
    this.#whole = encodeLatin1(this.#before + line + this.#after);
    this.#wholeLength = contentLength;
  }
}

// Case means nothing (RFC 9110, section 5.1), but people read it.
const CANONICAL_NAMES: ReadonlyMap<string, string> = new Map(
  [
    "Accept-Ranges",
    "Access-Control-Allow-Origin",
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Content-Range",
    "Content-Security-Policy",
    "Content-Type",
    "Date",
    "ETag",
    "Expires",
    "Last-Modified",
    "Link",
    "Location",
    "Server",
    "Set-Cookie",
    "Strict-Transport-Security",
    "Vary",
    "WWW-Authenticate",
    "X-Accel-Buffering",
    "X-Content-Type-Options",
  ].map((name) => [name.toLowerCase(), name]),
);

/** `content-type` as `Content-Type`. */
function canonicalName(name: string): string {
  // What an Authorizer passes on is named as variables are (section 6.3 of
  // FastCGI 1.0), and `Headers` has put it in lower case.
  if (name.startsWith("variable-")) {
    return "Variable-" + name.slice("variable-".length).toUpperCase();
  }
  return CANONICAL_NAMES.get(name) ?? name.replace(
    /(^|-)([a-z])/g,
    (_, dash: string, letter: string) => dash + letter.toUpperCase(),
  );
}
