// RequestReader: what the requests of one application have in common, so that
// it need not be worked out for each.

import { requestUrl } from "../cgi/url.ts";
import { headerName } from "../cgi/variables.ts";
import type { PairIndex } from "../protocol/pair_index.ts";
import { mountOf } from "../request.ts";
import type { ServiceRequest } from "../request.ts";

/** Names of headers that are remembered: clients' own are few. */
const MOST_NAMES = 256;

/**
 * A path and query that `URL` leaves as they are: letters that need no
 * escaping, and no segment that begins with a dot, which might be taken off.
 */
const PLAIN_TARGET = /^(?!.*(?:\/\.|%2e))\/[\w\-~!$&()*+,;=:@%/?.]*$/i;

/** Reads the requests of one application. */
export class RequestReader {
  readonly #variables = new Map<string, string>();
  #https: string | undefined;
  #scheme: string | undefined;
  #host: string | undefined;
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
    const https = index.get("HTTPS");
    const scheme = index.get("REQUEST_SCHEME");
    const host = index.get("HTTP_HOST");
    const target = index.get("REQUEST_URI");
    const mount = mountOf(request);
    const isSame = host && https === this.#https && scheme === this.#scheme &&
      host === this.#host;
    if (isSame && mount === "" && target && PLAIN_TARGET.test(target)) {
      return this.#origin + target;
    }
    const url = requestUrl((name) => index.get(name) ?? null, mount);
    this.#https = https;
    this.#scheme = scheme;
    this.#host = host;
    this.#origin = url.origin;
    return url.href;
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
