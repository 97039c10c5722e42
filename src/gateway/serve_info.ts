// ServeHandlerInfo: what a handler is told beside the Request.

import type { ServiceRequest } from "../request.ts";
import type { Exchange } from "../server/exchange.ts";

/** What a handler is told beside the Request, as of `Deno.serve` and more. */
export interface ServeHandlerInfo {
  /**
   * The address of the client, as the web server tells it: `hostname` is empty
   * and `port` 0 where it does not.
   */
  readonly remoteAddr: Deno.NetAddr;
  /**
   * Settles when the response has been sent whole; fails where the request was
   * given up or the response broke off, with the reason. Nobody need wait for
   * it.
   */
  readonly completed: Promise<void>;
  /**
   * Every parameter of the web server (RFC 3875, section 4.1), as of
   * {@linkcode ServiceRequest.env}.
   */
  readonly env: Readonly<Record<string, string>>;
  /** The role that is asked for (FastCGI 1.0, section 6). */
  readonly role: "responder" | "authorizer" | "filter";
  /** The file of the Filter role (FastCGI 1.0, section 6.4); empty otherwise. */
  readonly data: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** What is told of one request; looked up when it is asked for. */
export class RequestInfo implements ServeHandlerInfo {
  readonly #request: ServiceRequest;
  readonly #exchange: Exchange;
  #completed: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;

  /**
   * Creates it.
   *
   * @param request The request.
   * @param exchange Its exchange.
   */
  constructor(request: ServiceRequest, exchange: Exchange) {
    this.#request = request;
    this.#exchange = exchange;
  }

  get remoteAddr(): Deno.NetAddr {
    const port = Number(this.#request.param("REMOTE_PORT"));
    return {
      transport: "tcp",
      hostname: this.#request.remoteAddr,
      port: Number.isInteger(port) ? port : 0,
    };
  }

  get completed(): Promise<void> {
    if (this.#completed === null) {
      this.#completed = this.#exchange.completed.then(() => {
        if (this.#failure !== null) throw this.#failure.error;
        // A time-out is answered, and a failure all the same.
        const { abortReason } = this.#exchange;
        if (abortReason !== null) throw abortReason;
      });
      // Who does not wait for it must not crash the process with it.
      this.#completed.catch(() => {});
    }
    return this.#completed;
  }

  get env(): Readonly<Record<string, string>> {
    return this.#request.env;
  }

  get role(): "responder" | "authorizer" | "filter" {
    return this.#request.role;
  }

  get data(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#request.data;
  }

  /** The response breaks off. */
  static fail(info: RequestInfo, error: unknown): void {
    info.#failure = { error };
  }
}
