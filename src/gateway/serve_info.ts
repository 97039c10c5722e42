// ServeHandlerInfo: what a handler is told beside the Request.

import { AbortedError } from "../errors.ts";
import type { RequestSource } from "./request_source.ts";

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
   * `ServiceRequest.env`.
   */
  readonly env: Readonly<Record<string, string>>;
  /** The role that is asked for (FastCGI 1.0, section 6). */
  readonly role: "responder" | "authorizer" | "filter";
  /** The file of the Filter role (FastCGI 1.0, section 6.4); empty otherwise. */
  readonly data: ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** What is told of one request; looked up when it is asked for. */
export class RequestInfo implements ServeHandlerInfo {
  readonly #source: RequestSource;
  #completed: Promise<void> | null = null;

  /**
   * Creates it.
   *
   * @param source The request.
   */
  constructor(source: RequestSource) {
    this.#source = source;
  }

  get remoteAddr(): Deno.NetAddr {
    const port = Number(this.#source.param("REMOTE_PORT"));
    return {
      transport: "tcp",
      hostname: this.#source.remoteAddr,
      port: Number.isInteger(port) ? port : 0,
    };
  }

  get completed(): Promise<void> {
    if (this.#completed === null) {
      const source = this.#source;
      const { exchange } = source;
      this.#completed = exchange.completed.then(() => {
        if (source.failure !== null) throw source.failure.error;
        // A time-out is answered, and a failure all the same.
        const { abortReason, output } = exchange;
        if (abortReason !== null) throw abortReason;
        // Set where it was shorter than its Content-Length: the log tells.
        if (output.appStatus !== 0) {
          throw new AbortedError("The response broke off");
        }
      });
      // Who does not wait for it must not crash the process with it.
      this.#completed.catch(() => {});
    }
    return this.#completed;
  }

  get env(): Readonly<Record<string, string>> {
    return this.#source.env;
  }

  get role(): "responder" | "authorizer" | "filter" {
    return this.#source.request.role;
  }

  get data(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#source.request.data;
  }
}
