// RequestReader: what the requests of one application have in common, so that
// it need not be worked out for each.

import { requestUrl } from "../cgi/url.ts";
import { headerName } from "../cgi/variables.ts";
import { isSame } from "../protocol/bytes.ts";
import type { PairIndex } from "../protocol/pair_index.ts";
import { exchangeOf, mountOf } from "../request.ts";
import type { ServiceRequest } from "../request.ts";
import type { Exchange } from "../server/exchange.ts";

/** Names of headers that are remembered: clients' own are few. */
const MOST_NAMES = 256;

/** Reads the requests of one application. */
export class RequestReader {
  readonly #variables = new Map<string, string>();
  #https = EMPTY;
  #scheme = EMPTY;
  #host = EMPTY;
  /** Scheme and host of the last URL: mostly, those of the next. */
  #origin = "";

  /**
   * The URL of a request. Mostly it is that of the last, with another path.
   *
   * @param index Its parameters.
   * @param request The request.
   * @returns The URL, as `URL.href` would have it.
   */
  url(index: PairIndex, request: ServiceRequest): string {
    const mount = mountOf(request);
    const exchange = exchangeOf(request);
    if (mount === "" && this.#isOfOrigin(exchange)) {
      const { paramsBuffer, paramsStart, uriStart, uriEnd } = exchange;
      if (
        isPlainTarget(
          paramsBuffer,
          paramsStart + uriStart,
          paramsStart + uriEnd,
        )
      ) return this.#origin + index.text.substring(uriStart, uriEnd);
    }
    const url = requestUrl((name) => index.get(name) ?? null, mount);
    this.#https = encode(index.get("HTTPS"));
    this.#scheme = encode(index.get("REQUEST_SCHEME"));
    this.#host = encode(index.get("HTTP_HOST"));
    this.#origin = url.origin;
    return url.href;
  }

  /** Whether scheme and host are those of the last URL. */
  #isOfOrigin(exchange: Exchange): boolean {
    // An index outlives them.
    if (!exchange.hasParamsAtHand) return false;
    const { hostStart, hostEnd, httpsStart, httpsEnd } = exchange;
    const { schemeStart, schemeEnd, paramsBuffer, paramsStart } = exchange;
    const is = (start: number, end: number, value: Uint8Array) =>
      isSame(paramsBuffer, paramsStart + start, paramsStart + end, value);
    // Without HTTP_HOST other variables tell the host.
    return hostEnd > hostStart && is(hostStart, hostEnd, this.#host) &&
      is(httpsStart, httpsEnd, this.#https) &&
      is(schemeStart, schemeEnd, this.#scheme);
  }

  /**
   * The method of a request: one of the usual is the same string each time,
   * which is what routers look up.
   *
   * @param index Its parameters.
   * @param exchange The request.
   * @returns The method.
   */
  method(index: PairIndex, exchange: Exchange): string {
    const { text } = index;
    const { methodStart, methodEnd } = exchange;
    for (const method of METHODS) {
      if (
        methodEnd - methodStart === method.length &&
        text.startsWith(method, methodStart)
      ) return method;
    }
    return text.substring(methodStart, methodEnd);
  }

  /**
   * The variable that holds a header.
   *
   * @param name The header's name in lower case.
   * @returns The variable's name; empty where there can be none.
   */
  variable(name: string): string {
    const known = this.#variables.get(name);
    if (known !== undefined) return known;
    const variable = name === "content-type"
      ? "CONTENT_TYPE"
      : "HTTP_" + name.replaceAll("-", "_").toUpperCase();
    const found = headerName(variable) === name ? variable : "";
    if (this.#variables.size < MOST_NAMES) this.#variables.set(name, found);
    return found;
  }
}

/** The methods of most requests, the most frequent first. */
const METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"];

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/** The bytes of a value; of none, none. */
function encode(value: string | undefined): Uint8Array<ArrayBuffer> {
  return value ? encoder.encode(value) : EMPTY;
}

const DOT = 0x2e;
const SLASH = 0x2f;
const PERCENT = 0x25;

/** Which bytes `URL` leaves as they are in a path and in a query. */
const PLAIN = new Uint8Array(256);
for (
  const letter of "/~!$&()*+,;=:@%?._-0123456789" +
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
) PLAIN[letter.charCodeAt(0)] = 1;

/**
 * Whether bytes are a path and query that `URL` leaves as they are: letters
 * that need no escaping, and no segment that begins with a dot, which might be
 * taken off.
 */
function isPlainTarget(
  buffer: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (end <= start || buffer[start] !== SLASH) return false;
  let before = 0;
  for (let at = start; at < end; at++) {
    const byte = buffer[at]!;
    if (PLAIN[byte] === 0) return false;
    if (byte === DOT && before === SLASH) return false;
    if (byte === PERCENT && isEscapedDot(buffer, at)) return false;
    before = byte;
  }
  return true;
}

/** Whether `%2e` is at an offset, in either case. */
function isEscapedDot(buffer: Uint8Array, at: number): boolean {
  return buffer[at + 1] === 0x32 && (buffer[at + 2]! | 0x20) === 0x65;
}
