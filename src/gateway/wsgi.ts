// One call of a WSGI-style application (PEP 3333): what startResponse() and its
// write() do, and how the body leaves.
//
// A body that is there as a whole (an array, a string, bytes) leaves as one
// response, with its length. Of any other iterable each chunk is handed to the
// system before the next is asked for.

import { describeError } from "../describe_error.ts";
import { exchangeOf } from "../request.ts";
import type { ServiceRequest } from "../request.ts";
import type { ServiceResponse } from "../response.ts";
import type { Exchange } from "../server/exchange.ts";
import { isIterable, isPromiseLike, WsgiBodyReader } from "./wsgi_body.ts";
import { Environment } from "./wsgi_environment.ts";
import type { EnvironmentGateway } from "./wsgi_environment.ts";
import { wsgiHead } from "./wsgi_head.ts";
import type { WsgiHead } from "./wsgi_head.ts";
import type { WsgiApplication, WsgiChunk, WsgiWrite } from "./wsgi_types.ts";

const RESOLVED = Promise.resolve();
const END: IteratorResult<unknown> = { done: true, value: undefined };

/**
 * Serves one request with a WSGI-style application.
 *
 * @param app The application.
 * @param request The request.
 * @param response The response.
 * @param gateway Whose the application is.
 * @returns Settles when all is written; fails where the application does.
 */
export function serveWsgi(
  app: WsgiApplication,
  request: ServiceRequest,
  response: ServiceResponse,
  gateway: EnvironmentGateway,
): void | Promise<void> {
  return new WsgiCall(request, response, gateway).run(app);
}

class WsgiCall {
  readonly #request: ServiceRequest;
  readonly #response: ServiceResponse;
  readonly #exchange: Exchange;
  readonly #environment: Environment;
  #head: WsgiHead | null = null;
  #isOver = false;
  /** Ends the waiting for a chunk that nobody is there for any more. */
  #giveUp: ((end: IteratorResult<unknown>) => void) | null = null;

  constructor(
    request: ServiceRequest,
    response: ServiceResponse,
    gateway: EnvironmentGateway,
  ) {
    this.#request = request;
    this.#response = response;
    this.#exchange = exchangeOf(request);
    this.#environment = new Environment(request, gateway);
  }

  run(app: WsgiApplication): void | Promise<void> {
    let body: unknown;
    try {
      body = app(this.#environment.toObject(), this.#start);
    } catch (error) {
      this.#end();
      throw error;
    }
    return isPromiseLike(body) ? this.#runLater(body) : this.#send(body);
  }

  async #runLater(promise: PromiseLike<unknown>): Promise<void> {
    let body: unknown;
    try {
      body = await promise;
    } catch (error) {
      this.#end();
      throw error;
    }
    await this.#send(body);
  }

  /** Nothing of the application runs any more. */
  #end(): void {
    this.#isOver = true;
    Environment.end(this.#environment);
  }

  // What the application calls

  readonly #start = (
    status: string,
    headers: unknown,
    error?: unknown,
  ): WsgiWrite => {
    const { hasBegun } = this.#response;
    const hasError = error !== undefined && error !== null;
    if (hasError && hasBegun) throw error;
    if (this.#isOver) {
      throw new TypeError("Cannot start a response that is over");
    }
    if (!hasError && (this.#head !== null || hasBegun)) {
      throw new TypeError(
        "Cannot start the response again without an error as the third argument: it was started already",
      );
    }
    this.#head = wsgiHead(status, headers);
    return (chunk) => this.#write(chunk);
  };

  #write(chunk: WsgiChunk): Promise<void> {
    checkChunk(chunk);
    if (this.#isOver) {
      throw new TypeError("Cannot write to a response that is over");
    }
    if (chunk.length === 0) return RESOLVED;
    this.#begin();
    this.#response.write(chunk);
    return this.#response.flush();
  }

  #checkStarted(): void {
    if (this.#head !== null || this.#response.hasBegun) return;
    throw new TypeError(
      "Cannot send a response that was not started: call startResponse before the first chunk",
    );
  }

  /** The headers are to leave. */
  #begin(): void {
    this.#checkStarted();
    if (this.#response.hasBegun) return;
    const { block, status } = this.#head!;
    this.#response.beginWith(block, status);
  }

  // The body

  #send(body: unknown): void | Promise<void> {
    const chunks = isChunk(body) ? [body] : body;
    if (!isIterable(chunks)) {
      this.#end();
      throw new TypeError(
        `Cannot send ${
          describeType(body)
        }: a WSGI-style application returns an iterable of strings and bytes`,
      );
    }
    const reader = new WsgiBodyReader(chunks, this.#report);
    if (!Array.isArray(chunks)) return this.#stream(reader);
    let failure: unknown;
    try {
      this.#sendAll(chunks);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      reader.close(failure);
      this.#end();
    }
  }

  #sendAll(chunks: readonly unknown[]): void {
    for (let i = 0; i < chunks.length; i++) checkChunk(chunks[i]);
    this.#begin();
    // A long chunk is still being sent when close() may have its memory reused.
    const mustCopy = "close" in chunks;
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i] as WsgiChunk;
      const isLent = mustCopy && typeof chunk !== "string";
      this.#response.write(isLent ? chunk.slice() : chunk);
    }
  }

  async #stream(reader: WsgiBodyReader): Promise<void> {
    const exchange = this.#exchange;
    const leave = () => {
      reader.close();
      this.#giveUp?.(END);
    };
    // Also while the application has nothing to say, and writes nothing.
    exchange.completed.then(leave, leave);
    let failure: unknown;
    try {
      while (exchange.isOpen) {
        let next = reader.next();
        if (isPromiseLike(next)) {
          next = await this.#unlessGone(next);
          if (!exchange.isOpen) break;
        }
        if (next.done) {
          reader.done();
          break;
        }
        const sent = this.#sendChunk(next.value);
        if (sent === null) break;
        await sent;
      }
      if (exchange.isOpen) this.#begin();
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      reader.close(failure);
      this.#end();
    }
  }

  #unlessGone(
    next: PromiseLike<IteratorResult<unknown>>,
  ): Promise<IteratorResult<unknown>> {
    return new Promise((resolve, reject) => {
      this.#giveUp = resolve;
      next.then(resolve, reject);
    });
  }

  /** Sends a chunk; null where no further one is wanted. */
  #sendChunk(chunk: unknown): Promise<void> | null {
    checkChunk(chunk);
    if (chunk.length === 0) {
      this.#checkStarted();
      return RESOLVED;
    }
    this.#begin();
    const { output } = this.#exchange;
    if (output.hasNoBody) {
      // How long it would have become is not known.
      output.tellsLength = false;
      return null;
    }
    const isFull = output.head!.contentLength >= 0 && output.missing === 0;
    this.#response.write(chunk);
    return isFull ? null : this.#response.flush();
  }

  readonly #report = (error: unknown): void => {
    const lines = `Closing a body failed: ${describeError(error)}`.split("\n");
    for (const line of lines) this.#request.log(line);
  };
}

function isChunk(value: unknown): value is WsgiChunk {
  return typeof value === "string" || value instanceof Uint8Array;
}

function checkChunk(chunk: unknown): asserts chunk is WsgiChunk {
  if (isChunk(chunk)) return;
  throw new TypeError(
    `Cannot send ${
      describeType(chunk)
    } as a chunk of a body: it is a string or a Uint8Array`,
  );
}

function describeType(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "function") return "a function";
  if (typeof value !== "object") return `a value of type ${typeof value}`;
  const name = (value as { constructor?: { name?: unknown } }).constructor
    ?.name;
  return typeof name === "string" && name !== ""
    ? `a value of class ${name}`
    : "an object";
}
