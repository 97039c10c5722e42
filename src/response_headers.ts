// What goes into the header of a response: headers that are fixed once they have
// left, those that a kind of body needs or that go with it, and addresses.

import type { HeaderBlock } from "./cgi/header_block.ts";
import type { EncodeText } from "./charset.ts";
import type { HandOver } from "./options.ts";

/** What all responses of an application share. */
export interface ResponseDefaults {
  /** The Content-Type of a response that sets none. */
  readonly contentType: string;
  /** The header block of a response that sets nothing. */
  readonly head: HeaderBlock;
  /** Encodes written strings; null for UTF-8. */
  readonly encode: EncodeText | null;
  /** Where web servers may send files from; null for nowhere. */
  readonly handOver: HandOver | null;
}

/** Headers that refuse to change once they have left. */
export class ResponseHeaders extends Headers {
  #areFixed = false;

  /**
   * From now on they refuse.
   *
   * @param headers The headers.
   */
  static fix(headers: ResponseHeaders): void {
    headers.#areFixed = true;
  }

  override append(name: string, value: string): void {
    if (this.#areFixed) failBegun(`the header "${name}"`);
    super.append(name, value);
  }
  override delete(name: string): void {
    if (this.#areFixed) failBegun(`the header "${name}"`);
    super.delete(name);
  }
  override set(name: string, value: string): void {
    if (this.#areFixed) failBegun(`the header "${name}"`);
    super.set(name, value);
  }
}

/**
 * Refuses a change after the begin.
 *
 * @param what What was to be set.
 * @throws {TypeError} Always.
 */
export function failBegun(what: string): never {
  throw new TypeError(
    `Cannot set ${what} after the response has begun: set it before the first write`,
  );
}

/**
 * Prepares the header of a stream of events, which are held back neither here
 * nor by nginx.
 *
 * @param headers The headers; changed where they are of such a stream.
 * @returns Whether they are.
 */
export function prepareEvents(headers: Headers): boolean {
  const type = headers.get("content-type") ?? "";
  if (!/^text\/event-stream\s*(;|$)/i.test(type)) return false;
  if (!headers.has("x-accel-buffering")) headers.set("x-accel-buffering", "no");
  return true;
}

/** Headers that describe a body, and not that of an error page. */
const OF_THE_BODY: readonly string[] = [
  "content-disposition",
  "content-encoding",
  "content-length",
  "content-range",
  "etag",
  "last-modified",
];

/**
 * Takes away what described a body that is not sent.
 *
 * @param headers The headers.
 */
export function dropBodyHeaders(headers: Headers): void {
  for (const name of OF_THE_BODY) headers.delete(name);
}

/**
 * An address as it stands in a header: what no address may hold (RFC 3986,
 * section 2) is escaped. Browsers drop tabs and take `\` for `/`, which would
 * make `/\t/host` and `/\host` another host's address.
 *
 * @param address The address.
 * @returns It, escaped.
 * @throws {TypeError} Where it holds control characters.
 */
export function locationOf(address: string): string {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f]/.test(address)) {
    throw new TypeError(
      `Cannot redirect to ${
        JSON.stringify(address)
      }: an address holds no control characters`,
    );
  }
  // A host beyond ASCII is encoded in a way of its own (IDNA).
  const url = /[^ -~]/.test(address) ? URL.parse(address) : null;
  if (url !== null) return url.href;
  return address.toWellFormed().replace(
    /[^!-~]|["<>\\^`{|}]/gu,
    encodeURIComponent,
  );
}
