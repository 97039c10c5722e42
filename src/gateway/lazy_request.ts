// The Request of an application: a real one in every respect, made of what the
// application reads and nothing else.

import { HttpError } from "../errors.ts";
import { bodyMaker, streamOf } from "./lazy_body.ts";
import type { MakeBody } from "./lazy_body.ts";
import type { RequestSource } from "./request_source.ts";
import type {
  HeaderList,
  InnerBody,
  InnerRequest,
  RequestInternals,
} from "./runtime_request.ts";

/** Makes the Request of a request. */
export type MakeRequest = (source: RequestSource) => Request;

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
  return (source) => make(new LazyRequest(source, makeBody));
}

/** Methods whose requests have no body, as Fetch has it. */
function hasBody(method: string): boolean {
  return method !== "GET" && method !== "HEAD" && method !== "CONNECT";
}

/** What a lazy Request is made around. */
class LazyRequest implements InnerRequest {
  readonly #source: RequestSource;
  readonly #makeBody: MakeBody;
  #headerList: HeaderList | null = null;
  #body: InnerBody | null | undefined = undefined;

  constructor(source: RequestSource, makeBody: MakeBody) {
    this.#source = source;
    this.#makeBody = makeBody;
  }

  get method(): string {
    return this.#source.method;
  }

  url(): string {
    return this.#source.url;
  }

  get headerList(): HeaderList {
    return this.#headerList ??= this.#source.headers;
  }

  header(name: string): string | null {
    return this.#source.header(name);
  }

  get body(): InnerBody | null {
    if (this.#body === undefined) {
      const { method, exchange } = this.#source;
      this.#body = hasBody(method) ? this.#makeBody(exchange) : null;
    }
    return this.#body;
  }

  onCancel(abort: () => void): void {
    const { signal } = this.#source.exchange;
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
function makeWhole(source: RequestSource): Request {
  const { method, url, headers, exchange } = source;
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
  return new Request(url, {
    method,
    headers,
    signal: controller.signal,
    // It takes `get` for GET.
    ...hasBody(method.toUpperCase())
      ? { body: streamOf(exchange), duplex: "half" }
      : {},
  });
}
