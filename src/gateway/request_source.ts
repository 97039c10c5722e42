// RequestSource: what a request brings, as handlers of Requests want it: read
// when it is asked for, and also when the request is over.

import { headerName, joinValues } from "../cgi/variables.ts";
import { lazyEnv } from "../lazy_env.ts";
import type { PairIndex } from "../protocol/pair_index.ts";
import { exchangeOf } from "../request.ts";
import type { ServiceRequest } from "../request.ts";
import type { Exchange } from "../server/exchange.ts";
import type { RequestReader } from "./request_reader.ts";
import type { HeaderList } from "./runtime_request.ts";

/** What one request brings. */
export class RequestSource {
  /** The request. */
  readonly request: ServiceRequest;
  /** Its exchange. */
  readonly exchange: Exchange;
  readonly #reader: RequestReader;
  /** The parameters as text; null before it is made, or where it cannot be. */
  #index: PairIndex | null = null;
  #isIndexed = false;
  #env: Readonly<Record<string, string>> | null = null;

  /**
   * Creates it, of nothing yet.
   *
   * @param request The request.
   * @param reader What reads the requests of the application.
   */
  constructor(request: ServiceRequest, reader: RequestReader) {
    this.request = request;
    this.exchange = exchangeOf(request);
    this.#reader = reader;
  }

  /**
   * The request may be read when it is over: what it needs for that and has
   * not read is kept. To be called before the handler's turn is over.
   */
  keep(): void {
    if (this.#index === null) this.exchange.outliveParams();
  }

  /** The parameters as text, where they are ASCII. */
  get #indexed(): PairIndex | null {
    if (!this.#isIndexed) {
      const index = this.exchange.indexParams();
      this.#isIndexed = true;
      if (index?.isAscii) this.#index = index;
      // It is decoded when it is asked for: headers are bytes, variables UTF-8.
      else this.exchange.outliveParams();
    }
    return this.#index;
  }

  /**
   * One parameter.
   *
   * @param name Its name.
   * @returns The value, undefined where there is none.
   */
  param(name: string): string | undefined {
    const index = this.#indexed;
    return index === null ? this.request.param(name) : index.get(name);
  }

  /** Every parameter, as of {@linkcode ServiceRequest.env}. */
  get env(): Readonly<Record<string, string>> {
    const index = this.#indexed;
    return index === null
      ? this.request.env
      : this.#env ??= lazyEnv(this.exchange, index);
  }

  /** The method. */
  get method(): string {
    return this.param("REQUEST_METHOD")!;
  }

  /** The URL. */
  get url(): string {
    const index = this.#indexed;
    return index === null
      ? this.request.url.href
      : this.#reader.url(index, this.request);
  }

  /**
   * One header, repeated ones joined.
   *
   * @param name Its name, in any case.
   * @returns The value, null where there is none.
   */
  header(name: string): string | null {
    const wanted = name.toLowerCase();
    if (wanted === "content-length") {
      const { contentLength } = this.exchange;
      return contentLength < 0 ? null : String(contentLength);
    }
    const index = this.#indexed;
    if (index !== null) {
      const variable = this.#reader.variable(wanted);
      const values = variable === "" ? [] : index.getAll(variable);
      if (values.length === 0) return null;
      const [value] = values;
      // The rare rest goes the way of all headers.
      if (values.length === 1 && value !== "" && !SUSPECT.test(value!)) {
        return value!;
      }
    }
    return this.headers.find(([name]) => name === wanted)?.[1] ?? null;
  }

  /** All headers, repeated ones joined. */
  get headers(): HeaderList {
    const headers: HeaderList = [];
    const add = (variable: string, value: string) => {
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
    };
    const index = this.#indexed;
    if (index === null) this.exchange.params(true, add);
    else index.each(add);
    const { contentLength } = this.exchange;
    if (contentLength >= 0) {
      headers.push(["content-length", String(contentLength)]);
    }
    return headers.some(([, value]) => SUSPECT.test(value))
      ? cleanHeaders(headers)
      : headers;
  }
}

/** What no value may hold. */
const NO_VALUE = /[\0\r\n]/;
/** That, and what does not belong to one. */
const SUSPECT = /[\0\r\n]|^[\t ]|[\t ]$/;

function cleanHeaders(headers: HeaderList): HeaderList {
  return headers
    // A NUL or a line end in it is a web server's fault: it is no value.
    .filter(([, value]) => !NO_VALUE.test(value))
    .map(([name, value]) => [name, value.replace(/^[\t ]+|[\t ]+$/g, "")]);
}
