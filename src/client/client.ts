// FastCGIClient: plays the web server. It keeps connections, and sends a
// request again where a kept one turns out to be closed.

import { ClosedError, FastCgiError } from "../errors.ts";
import { encodePairs } from "../protocol/pairs.ts";
import { formatAddress, parseAddress } from "../server/address.ts";
import type { Transport } from "../server/transport.ts";
import { ClientConnection } from "./connection.ts";
import { ClientExchange } from "./exchange.ts";
import { RequestBody } from "./request_body.ts";
import { requestVariables } from "./variables.ts";

export type { Transport } from "../server/transport.ts";

/** Where a FastCGI server listens: an address, or a function that connects. */
export type ClientAddress =
  | string
  | { hostname?: string; port: number }
  | { path: string }
  | { connect(): Promise<Transport> };

/** The options of {@linkcode FastCGIClient}. */
export interface FastCGIClientOptions {
  /**
   * Takes each line that the server writes to its error stream
   * (FCGI_STDERR), and the request it belongs to.
   *
   * @default {console.error}
   */
  onStderr?: (line: string, request: Request) => void;
  /**
   * Bytes of the header of a response. Beyond it the request fails with
   * `HEADER_TOO_LARGE`.
   *
   * @default {65536}
   */
  maxHeaderBytes?: number;
  /**
   * Connections without a request that are kept for the next one; 0 makes a
   * new one for each. A kept one holds a process of PHP-FPM.
   *
   * @default {8}
   */
  maxIdleConnections?: number;
}

/** The options of {@linkcode FastCGIClient.fetch}. */
export interface FastCGIFetchOptions {
  /**
   * Gives the request up. Null for nothing that does: behind `Deno.serve`,
   * whose `request.signal` prints a warning once it is used.
   *
   * @default {request.signal}
   */
  signal?: AbortSignal | null;
}

/** Methods that may be sent twice (RFC 9110, section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "TRACE",
]);

/**
 * Sends web requests to a FastCGI server, in the Responder role.
 *
 * A response's body is to be read to its end, or cancelled: it holds a
 * connection until then.
 *
 * @example Ask an application
 * ```ts
 * import { Application } from "@smisk/smisk";
 * import { FastCGIClient } from "@smisk/smisk/client";
 * import { assertEquals } from "@std/assert";
 *
 * const app = new Application();
 * const server = app.listen({ hostname: "127.0.0.1", port: 0 });
 * const { port } = server.addr as Deno.NetAddr;
 *
 * const client = new FastCGIClient({ hostname: "127.0.0.1", port });
 * const response = await client.fetch(new Request("http://localhost/"));
 * assertEquals(response.status, 200);
 * await response.body?.cancel();
 *
 * client.close();
 * await app.exit();
 * ```
 */
export class FastCGIClient implements AsyncDisposable {
  readonly #connect: () => Promise<Transport>;
  readonly #where: string;
  readonly #onStderr: (line: string, request: Request) => void;
  readonly #maxHeaderBytes: number;
  readonly #maxIdle: number;
  /** The one used last at the end: the others may grow old and be closed. */
  readonly #idle: ClientConnection[] = [];
  readonly #exchanges = new Set<ClientExchange>();
  #isClosed = false;

  /**
   * Creates a client. It connects with the first request.
   *
   * @param address Where the server listens: `{ hostname, port }`, `{ path }`,
   * a text such as `127.0.0.1:9000` or `/run/php.sock`, or a function that
   * connects.
   * @param options How it behaves.
   * @throws {StartError} `BAD_ADDRESS` where the text is no address.
   * @throws {RangeError} Where an option is out of its bounds.
   */
  constructor(address: ClientAddress, options: FastCGIClientOptions = {}) {
    const target = typeof address === "string"
      ? parseAddress(address)
      : address;
    if ("connect" in target) {
      this.#where = "the FastCGI server";
      this.#connect = () => target.connect();
    } else {
      this.#where = formatAddress(target);
      this.#connect = () => connectTo(target);
    }
    this.#onStderr = options.onStderr ?? ((line) => console.error(line));
    this.#maxHeaderBytes = checked(options, "maxHeaderBytes", 64 * 1024, 64);
    this.#maxIdle = checked(options, "maxIdleConnections", 8, 0);
  }

  /**
   * Sends a request.
   *
   * @param request The request. Its body streams; one without a
   * Content-Length that is not at hand as a whole is sent without
   * CONTENT_LENGTH. Its signal gives the request up, at any time until the
   * end of the response (FCGI_ABORT_REQUEST).
   * @param params Parameters beyond those made of the request, or in their
   * place: `REMOTE_ADDR`, `SCRIPT_FILENAME` and the like.
   * @param options Another signal.
   * @returns The response, as soon as its header has come. Its body streams,
   * and fails where the server does not end it.
   * @throws {FastCgiError} `CONNECT_FAILED` where the server cannot be
   * reached, `CLOSED` where it closes before the header of its response,
   * `BAD_RESPONSE` where it breaks the protocol, `OVERLOADED` where it refuses,
   * `HEADER_TOO_LARGE`. What an abort gave as its reason, and what reading
   * the request's body throws, are passed on.
   */
  async fetch(
    request: Request,
    params: Readonly<Record<string, string>> = {},
    options: FastCGIFetchOptions = {},
  ): Promise<Response> {
    const signal = options.signal === undefined
      ? request.signal
      : options.signal;
    signal?.throwIfAborted();
    this.#checkOpen();
    const body = await RequestBody.of(request);
    try {
      const variables = encodePairs(
        requestVariables(request, body === null ? null : body.length, params),
      );
      for (;;) {
        const connection = this.#idle.pop() ?? await this.#open(signal);
        const exchange = this.#exchange(
          request,
          signal,
          connection,
          variables,
          body,
        );
        try {
          return await exchange.run();
        } catch (error) {
          const isStale = connection.isReused && !connection.hasAnswered &&
            error instanceof FastCgiError && error.code === "CLOSED";
          const isRepeatable = IDEMPOTENT.has(request.method) &&
            (body === null || body.isReplayable);
          if (!isStale || !isRepeatable || this.#isClosed) throw error;
        }
      }
    } catch (error) {
      body?.cancel(error);
      throw error;
    }
  }

  #exchange(
    request: Request,
    signal: AbortSignal | null,
    connection: ClientConnection,
    variables: Uint8Array,
    body: RequestBody | null,
  ): ClientExchange {
    const onAbort = () => {
      if (!exchange.isAnswered) exchange.abort(signal!.reason);
    };
    const exchange: ClientExchange = new ClientExchange({
      connection,
      variables,
      body,
      isHead: request.method === "HEAD",
      keepsConnection: this.#maxIdle > 0,
      maxHeaderBytes: this.#maxHeaderBytes,
      onStderr: (line) => this.#onStderr(line, request),
      finished: () => {
        signal?.removeEventListener("abort", onAbort);
        this.#exchanges.delete(exchange);
        if (exchange.isComplete) this.#keep(connection);
        else connection.close();
        // After an answer no more of the body is wanted; before one it may
        // be sent again.
        if (exchange.hasHeader) body?.cancel();
      },
    });
    signal?.addEventListener("abort", onAbort);
    this.#exchanges.add(exchange);
    return exchange;
  }

  #keep(connection: ClientConnection): void {
    const isKept = !this.#isClosed && this.#idle.length < this.#maxIdle &&
      connection.idle(() => {
        const at = this.#idle.indexOf(connection);
        if (at >= 0) this.#idle.splice(at, 1);
      });
    if (isKept) this.#idle.push(connection);
    else connection.close();
  }

  async #open(signal: AbortSignal | null): Promise<ClientConnection> {
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal!.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", onAbort);
    const connecting = this.#connect();
    let transport: Transport;
    try {
      transport = await Promise.race([connecting, aborted.promise]);
    } catch (error) {
      // Given up is not refused: what is connected after all is closed.
      connecting.then((late) => late.close(), () => {});
      signal?.throwIfAborted();
      throw new FastCgiError(
        "CONNECT_FAILED",
        `Cannot connect to ${this.#where}: ${
          error instanceof Error ? error.message : error
        }`,
        { status: 502, cause: error },
      );
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    if (this.#isClosed) transport.close();
    this.#checkOpen();
    return new ClientConnection(transport);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ClosedError("The FastCGI client was closed");
  }

  /**
   * Closes all connections. Requests in flight fail with a
   * {@linkcode ClosedError}. May be called again.
   */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.close();
    for (const exchange of [...this.#exchanges]) {
      exchange.abort(new ClosedError("The FastCGI client was closed"));
    }
  }

  /** As {@linkcode FastCGIClient.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

function connectTo(
  target: { hostname?: string; port: number } | { path: string },
): Promise<Transport> {
  return "path" in target
    ? Deno.connect({ transport: "unix", path: target.path })
    : Deno.connect(target);
}

function checked(
  options: FastCGIClientOptions,
  name: "maxHeaderBytes" | "maxIdleConnections",
  standard: number,
  least: number,
): number {
  const value = options[name] ?? standard;
  if (Number.isInteger(value) && value >= least) return value;
  throw new RangeError(
    `Cannot set ${name} to ${value}: it takes a whole number of at least ${least}`,
  );
}
