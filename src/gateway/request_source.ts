// RequestSource: what a request brings, as handlers of Requests want it: read
// when it is asked for, and also when the request is over.

import {
  normalValue,
  normalVariable,
  requestHeaders,
} from "../cgi/variables.ts";
import type { HeaderList, ReadVariable } from "../cgi/variables.ts";
import { lazyEnv } from "../lazy_env.ts";
import type { PairIndex } from "../protocol/pair_index.ts";
import { exchangeOf } from "../request.ts";
import type { ServiceRequest } from "../request.ts";
import type { Exchange } from "../server/exchange.ts";
import type { RequestReader } from "./request_reader.ts";

/** What one request brings. */
export class RequestSource {
  /** The request. */
  readonly request: ServiceRequest;
  /** Its exchange. */
  readonly exchange: Exchange;
  /** What the response broke off with, null where it did not. */
  failure: { readonly error: unknown } | null = null;
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
    const index = this.#indexed;
    return index === null
      ? this.request.method
      : this.#reader.method(index, this.exchange);
  }

  /** The URL. */
  get url(): string {
    const index = this.#indexed;
    return index === null
      ? this.request.url.href
      : this.#reader.url(index, this.request);
  }

  /** The client's address, empty where it is not told. */
  get remoteAddr(): string {
    return normalVariable("REMOTE_ADDR", this.#read) ?? "";
  }

  /** Reads a parameter, a character per byte. */
  get #read(): ReadVariable {
    const index = this.#indexed;
    return index === null
      ? (name) => this.exchange.latin1Param(name)
      : (name) => index.get(name) ?? null;
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
      return contentLength < 0
        ? null
        : normalValue(wanted, String(contentLength), this.#read);
    }
    const index = this.#indexed;
    if (index !== null) {
      const variable = this.#reader.variable(wanted);
      const values = variable === "" ? [] : index.getAll(variable);
      if (values.length === 0) return null;
      const [value] = values;
      // The rare rest goes the way of all headers.
      if (values.length === 1 && !SUSPECT.test(value!)) {
        return normalValue(wanted, value!, this.#read);
      }
    }
    return this.headers.find(([name]) => name === wanted)?.[1] ?? null;
  }

  /** All headers, repeated ones joined. */
  get headers(): HeaderList {
    const index = this.#indexed;
    return requestHeaders(
      (pair) =>
        index === null ? this.exchange.params(true, pair) : index.each(pair),
      this.exchange.contentLength,
      this.#read,
    );
  }
}

/** What no value may hold, or what does not belong to one. */
const SUSPECT = /[\0\r\n]|^[\t ]|[\t ]$/;
