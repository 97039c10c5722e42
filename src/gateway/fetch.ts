// Web-standard applications: a handler that is given a Request and returns a
// Response, served over FastCGI as `Deno.serve` serves it over HTTP.

import { describeError } from "../describe_error.ts";
import { exchangeOf } from "../request.ts";
import type { ServiceRequest } from "../request.ts";
import type { ServiceResponse } from "../response.ts";
import { isPromise } from "../scope.ts";
import type { Exchange } from "../server/exchange.ts";
import { requestMaker } from "./lazy_request.ts";
import type { MakeRequest } from "./lazy_request.ts";
import { RequestReader } from "./request_reader.ts";
import { RequestSource } from "./request_source.ts";
import { ResponseSender } from "./response_sender.ts";
import { findRequestInternals } from "./runtime_request.ts";
import type { RequestInternals } from "./runtime_request.ts";
import { findResponseReader } from "./runtime_response.ts";
import type { ReadResponse } from "./runtime_response.ts";
import { RequestInfo } from "./serve_info.ts";
import type { ServeHandlerInfo } from "./serve_info.ts";

/** A web-standard application, such as those of Hono, h3, Oak or itty-router. */
export interface FetchApplication {
  /**
   * Answers a request.
   *
   * @param request The request.
   * @param info What else is known of it.
   * @returns The response.
   */
  fetch(
    request: Request,
    info: ServeHandlerInfo,
  ): Response | Promise<Response>;
}

/** What serves the requests of an application: a `service()`. */
export type FetchService = (
  request: ServiceRequest,
  response: ServiceResponse,
) => void | Promise<void>;

/** What of the runtime's internals is used; each null where it is not. */
export interface Internals {
  /** How lazy Requests are made. */
  readonly request: RequestInternals | null;
  /** How Responses are read at once. */
  readonly response: ReadResponse | null;
}

/** How an application is served. */
export interface FetchServiceOptions {
  /** Answers for what the application threw; by default the caller does. */
  onError?: ((error: unknown) => Response | Promise<Response>) | undefined;
  /**
   * What is used of the runtime's internals; by default all that is as
   * expected, which is looked into at the first request.
   */
  internals?: Internals | undefined;
}

/**
 * Makes the service of a web-standard application. A Request is made of what is
 * read of it, and a Response that is there whole is sent at once.
 *
 * @param app The application.
 * @param options How it is served.
 * @returns The service.
 */
export function serveFetch(
  app: FetchApplication,
  options: FetchServiceOptions = {},
): FetchService {
  let serving: FetchServing | null = null;
  return (request, response) => {
    serving ??= new FetchServing(app, options);
    return serving.serve(request, response);
  };
}

class FetchServing {
  readonly #app: FetchApplication;
  /** Its handler, where that cannot see what it is called with. */
  readonly #blind: (() => unknown) | null;
  readonly #onError: FetchServiceOptions["onError"];
  readonly #makeRequest: MakeRequest;
  readonly #sender: ResponseSender;
  readonly #reader = new RequestReader();

  constructor(app: FetchApplication, options: FetchServiceOptions) {
    const internals = options.internals ?? {
      request: findRequestInternals(),
      response: findResponseReader(),
    };
    this.#app = app;
    this.#blind = isBlind(app.fetch) ? app.fetch as () => unknown : null;
    this.#onError = options.onError;
    this.#makeRequest = requestMaker(internals.request);
    this.#sender = new ResponseSender(internals.response);
  }

  serve(
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void> {
    const source = this.#blind !== null && this.#app.fetch === this.#blind
      ? null
      : new RequestSource(request, this.#reader);
    if (this.#onError !== undefined) {
      return this.#serveGuarded(source, request, response);
    }
    const answer = this.#ask(source);
    const exchange = exchangeOf(request);
    return isPromise(answer)
      ? answer.then(
        (value) => this.#send(value, exchange, response, source),
        (error) => failWith(error, exchange),
      )
      : this.#send(answer, exchange, response, source);
  }

  #ask(source: RequestSource | null): unknown {
    if (source === null) return this.#blind!();
    try {
      return this.#app.fetch(
        this.#makeRequest(source),
        new RequestInfo(source),
      );
    } finally {
      // Whoever has kept the request may read it later.
      source.keep();
    }
  }

  #send(
    answer: unknown,
    exchange: Exchange,
    response: ServiceResponse,
    source: RequestSource | null,
  ): void | Promise<void> {
    const sent = this.#sender.send(answer, exchange, response);
    if (sent === undefined || source === null) return sent;
    return sent.catch((error) => {
      source.failure = { error };
      throw error;
    });
  }

  /** Serves where there is an onError. */
  #serveGuarded(
    source: RequestSource | null,
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void> {
    const exchange = exchangeOf(request);
    const send = (value: unknown) =>
      this.#send(value, exchange, response, source);
    const fail = (error: unknown): void | Promise<void> => {
      // A stream broke off, or nobody is left: nothing can be said any more.
      if (response.hasBegun || error === exchange.abortReason) throw error;
      const giveUp = (second: unknown): never => {
        for (const line of describeError(error).split("\n")) request.log(line);
        throw second;
      };
      try {
        const answer: unknown = this.#onError!(error);
        return isPromise(answer)
          ? answer.then(send).catch(giveUp)
          : send(answer);
      } catch (second) {
        return giveUp(second);
      }
    };
    try {
      const answer = this.#ask(source);
      const sent = isPromise(answer)
        ? answer.then(send, (error) => failWith(error, exchange))
        : send(answer);
      return sent === undefined ? undefined : sent.catch(fail);
    } catch (error) {
      return fail(error);
    }
  }
}

/**
 * Throws what a handler was refused with. What the signal of its Request has
 * caused is told by the error that fired it: it is no news.
 */
function failWith(error: unknown, exchange: Exchange): never {
  const isAbort = error instanceof DOMException && error.name === "AbortError";
  throw isAbort && exchange.signal.aborted ? exchange.signal.reason : error;
}

/**
 * Whether a function cannot see what it is called with, as nothing but an arrow
 * function without parameters: any other has `arguments`. No Request is made
 * for it then. (`Deno.serve` makes none for any function whose `length` is 0.)
 */
function isBlind(handler: FetchApplication["fetch"]): boolean {
  return /^(?:async\s*)?\(\s*\)\s*=>/.test(
    Function.prototype.toString.call(handler),
  );
}
