// The Request of an application: a real one in every respect, made of what the
// application reads and nothing else.

import { headerName, joinValues } from "../cgi/variables.ts";
import { HttpError } from "../errors.ts";
import type { ServiceRequest } from "../request.ts";
import type { Exchange } from "../server/exchange.ts";
import { bodyMaker, streamOf } from "./lazy_body.ts";
import type { MakeBody } from "./lazy_body.ts";
import type {
  HeaderList,
  InnerBody,
  InnerRequest,
  RequestInternals,
} from "./runtime_request.ts";

/** Makes the Request of a request. */
export type MakeRequest = (
  request: ServiceRequest,
  exchange: Exchange,
) => Request;

/**
 * Makes what makes Requests.
 *
 * @param internals How to make lazy ones, null where there is no way.
 * @returns What makes them.
 */
export function requestMaker(
  internals: RequestInternals | null,
): MakeRequest {
  if (internals === null) return makeWhole;
  const { make, Body } = internals;
  const makeBody = bodyMaker(Body);
  return (request, exchange) =>
    make(new LazyRequest(request, exchange, makeBody));
}

/** Methods whose requests have no body, as Fetch has it. */
function hasBody(method: string): boolean {
  return method !== "GET" && method !== "HEAD" && method !== "CONNECT";
}

/** What a lazy Request is made around. */
class LazyRequest implements InnerRequest {
  readonly #request: ServiceRequest;
  readonly #exchange: Exchange;
  readonly #makeBody: MakeBody;
  #headerList: HeaderList | null = null;
  #body: InnerBody | null | undefined = undefined;

  constructor(
    request: ServiceRequest,
    exchange: Exchange,
    makeBody: MakeBody,
  ) {
    this.#request = request;
    this.#exchange = exchange;
    this.#makeBody = makeBody;
  }

  get method(): string {
    return this.#request.method;
  }

  url(): string {
    return this.#request.url.href;
  }

  get headerList(): HeaderList {
    return this.#headerList ??= readHeaders(this.#exchange);
  }

  header(name: string): string | null {
    const wanted = name.toLowerCase();
    for (const [name, value] of this.headerList) {
      if (name === wanted) return value;
    }
    return null;
  }

  get body(): InnerBody | null {
    if (this.#body === undefined) {
      this.#body = hasBody(this.method) ? this.#makeBody(this.#exchange) : null;
    }
    return this.#body;
  }

  onCancel(abort: () => void): void {
    const { signal } = this.#exchange;
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  }

  get redirectMode(): "follow" {
    return "follow";
  }

  get redirectCount(): 0 {
    return 0;
  }

  get clientRid(): null {
    return null;
  }

  get blobUrlEntry(): null {
    return null;
  }
}

/** Makes a Request by the public constructor, of everything. */
function makeWhole(request: ServiceRequest, exchange: Exchange): Request {
  const { method } = request;
  if (/^(?:CONNECT|TRACE|TRACK)$/i.test(method)) {
    throw new HttpError(501, `A Request cannot have the method ${method}`);
  }
  const controller = new AbortController();
  const { signal } = exchange;
  const abort = () =>
    controller.abort(
      new DOMException("The request has been cancelled.", "AbortError"),
    );
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return new Request(request.url, {
    method,
    headers: readHeaders(exchange),
    signal: controller.signal,
    ...hasBody(method) ? { body: streamOf(exchange), duplex: "half" } : {},
  });
}

/** What no value may hold. */
const NO_VALUE = /[\0\r\n]/;
/** That, and what does not belong to one. */
const SUSPECT = /[\0\r\n]|^[\t ]|[\t ]$/;

/** The headers, repeated ones joined. */
function readHeaders(exchange: Exchange): HeaderList {
  const headers: HeaderList = [];
  exchange.params(true, (variable, value) => {
    const name = headerName(variable);
    if (name === null) return;
    // nginx and Caddy say so where there is none.
    if (name === "content-type" && value === "") return;
    for (const header of headers) {
      if (header[0] !== name) continue;
      header[1] = name === "content-type"
        ? value
        : joinValues(name, header[1], value);
      return;
    }
    headers.push([name, value]);
  });
  const { contentLength } = exchange;
  if (contentLength >= 0) {
    headers.push(["content-length", String(contentLength)]);
  }
  return headers.some(([, value]) => SUSPECT.test(value))
    ? cleanHeaders(headers)
    : headers;
}

function cleanHeaders(headers: HeaderList): HeaderList {
  return headers
    // A NUL or a line end in it is a web server's fault: it is no value.
    .filter(([, value]) => !NO_VALUE.test(value))
    .map(([name, value]) => [name, value.replace(/^[\t ]+|[\t ]+$/g, "")]);
}
