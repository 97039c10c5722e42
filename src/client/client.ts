// FastCGIClient: plays the web server. What connections are kept and shared is
// in pool.ts, what one request sends and receives in exchange.ts.

import { Role } from "../protocol/constants.ts";
import { encodePairs } from "../protocol/pairs.ts";
import {
  formatAddress,
  parseAddress,
  permissionsToConnect,
  requirePermissions,
} from "../server/address.ts";
import type { TcpListenOptions } from "../server/listen_options.ts";
import type { Transport } from "../server/transport.ts";
import { resolveClientLimits } from "./client_options.ts";
import type {
  ClientAddress,
  ClientLimits,
  FastCGIClientOptions,
} from "./client_options.ts";
import { ErrorBytes, ErrorLines, printLine } from "./error_lines.ts";
import { Conversations, isIdempotent } from "./conversations.ts";
import { tooLong } from "./faults.ts";
import { ConnectionPool } from "./pool.ts";
import type { PoolStats } from "./pool.ts";
import { RawReply, ResponseReply } from "./reply.ts";
import type { FastCGIReply } from "./reply.ts";
import { RequestBody } from "./request_body.ts";
import type {
  FastCGIFetchOptions,
  FastCGISendOptions,
} from "./send_options.ts";
import { requestVariables } from "./variables.ts";
import type { FastCGIParams } from "./variables.ts";

export {
  ClosedError,
  ConnectError,
  FastCgiError,
  LimitError,
  ProtocolError,
  RefusedError,
  StartError,
} from "../errors.ts";
export type { FastCgiErrorOptions } from "../errors.ts";
export type { Transport } from "../server/transport.ts";
export type {
  ClientAddress,
  ClientLimitOptions,
  FastCGIClientOptions,
} from "./client_options.ts";
export type { PoolStats } from "./pool.ts";
export type { FastCGIEnd, FastCGIReply } from "./reply.ts";
export type {
  FastCGIFetchOptions,
  FastCGIRole,
  FastCGISendOptions,
} from "./send_options.ts";
export type { FastCGIParams } from "./variables.ts";

const ROLES = {
  responder: Role.RESPONDER,
  authorizer: Role.AUTHORIZER,
  filter: Role.FILTER,
} as const;

/**
 * Sends web requests to a FastCGI server: an application of this package, of
 * another library, or PHP-FPM.
 *
 * A response's body is to be read to its end, or cancelled: it holds a
 * connection until then. One of less than 64 KiB is fetched in any case.
 *
 * Where a kept connection turns out to be closed, a request that may be sent
 * twice (its method is idempotent, and its body was at hand as a whole) is sent
 * again on another.
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
  readonly #pool: ConnectionPool;
  readonly #conversations: Conversations;
  readonly #limits: ClientLimits;
  readonly #onStderr: (line: string, request: Request) => void;

  /**
   * Creates a client. It connects with the first request.
   *
   * @param address Where the server listens: `{ hostname, port }`, `{ path }`,
   * a text such as `127.0.0.1:9000` or `/run/php.sock`, or a function that
   * connects.
   * @param options How it behaves.
   * @throws {StartError} `BAD_ADDRESS` where the text is no address.
   * @throws {RangeError} Where an option is out of its bounds.
   * @throws {TypeError} Where one is of the wrong type.
   */
  constructor(address: ClientAddress, options: FastCGIClientOptions = {}) {
    const isOwn = typeof address === "object" && "connect" in address;
    const target = isOwn ? null : targetOf(address);
    this.#limits = resolveClientLimits(options);
    this.#onStderr = options.onStderr ?? printLine;
    this.#pool = new ConnectionPool({
      limits: this.#limits,
      multiplex: options.multiplex ?? true,
      where: target === null ? "the FastCGI server" : formatAddress(target),
      connect: (signal) =>
        isOwn ? address.connect() : connectTo(target!, signal),
    });
    this.#conversations = new Conversations(this.#pool, this.#limits);
  }

  /**
   * Sends a request, and gives its answer as a `Response`.
   *
   * What HTTP says is made parameters as a web server does (RFC 3875, section
   * 4.1), with an empty SCRIPT_NAME and the path as PATH_INFO. Not so made are
   * headers of one connection, `Proxy`, and names that could pass for another.
   *
   * @param request The request. Its body streams; one without a
   * Content-Length that is not at hand as a whole is sent without
   * CONTENT_LENGTH, unless `bufferBytes` allows to wait for it. Its signal
   * gives the request up, at any time until the end of the response: with
   * FCGI_ABORT_REQUEST on a connection that is shared, by closing it
   * otherwise.
   * @param params Parameters beyond those made of the request, or in their
   * place: `REMOTE_ADDR`, `SCRIPT_FILENAME` and the like; null leaves one out.
   * @param options Another signal, another role, and what is not to be seen in
   * a `Response`.
   * @returns The response, as soon as its header has come. Its body streams,
   * and fails where the server does not end it.
   * @throws {ConnectError} `CONNECT_FAILED` where the server cannot be reached.
   * @throws {StartError} `PERMISSION_MISSING` where a permission is.
   * @throws {ClosedError} `CLOSED` where it closes before the header of its
   * response, or the client is closed.
   * @throws {ProtocolError} `BAD_RESPONSE` where it breaks the protocol.
   * @throws {RefusedError} `OVERLOADED` or `UNKNOWN_ROLE` where it refuses.
   * @throws {LimitError} `HEADER_TOO_LARGE`, `BODY_TOO_LARGE`,
   * `CONNECT_TIMEOUT`, `QUEUE_TIMEOUT`, `READ_TIMEOUT`, `WRITE_TIMEOUT`.
   * @throws {FastCgiError} `BAD_REQUEST` where the request's Host is no host.
   * What an abort gave as its reason, and what reading the request's body
   * throws, are passed on.
   */
  async fetch(
    request: Request,
    params: FastCGIParams = {},
    options: FastCGIFetchOptions = {},
  ): Promise<Response> {
    const signal = options.signal === undefined
      ? request.signal
      : options.signal;
    this.#conversations.check(signal);
    const { bufferBytes = 0, needsLength = false } = options;
    const body = await RequestBody.of(request, bufferBytes, signal);
    if (needsLength && body !== null && body.length < 0) {
      const error = tooLong(bufferBytes);
      body.cancel(error);
      throw error;
    }
    const onStderr = options.onStderr ??
      ((line: string) => this.#onStderr(line, request));
    const { maxHeaderBytes, maxResponseBytes, maxStderrBytes } = this.#limits;
    const reply = await this.#conversations.hold(body, () => ({
      signal,
      outgoing: {
        role: ROLES[options.role ?? "responder"],
        variables: encodePairs(
          requestVariables(request, body === null ? null : body.length, params),
        ),
        body,
        data: options.data ?? null,
      },
      isIdempotent: isIdempotent(request.method),
      reply: (handler) =>
        new ResponseReply({
          ...handler,
          isHead: request.method === "HEAD",
          maxHeaderBytes,
          maxResponseBytes,
        }),
      stderr: () => new ErrorLines(onStderr, maxStderrBytes),
      onEnd: options.onEnd,
    }));
    return await reply.begun;
  }

  /**
   * Sends a request of these parameters and no others, and gives what comes
   * back as it is: for tools, tests and roles of one's own.
   *
   * @param params The parameters; not even CONTENT_LENGTH is added.
   * @param options Body, role and signal.
   * @returns The answer, as soon as something of it has come.
   * @throws {FastCgiError} As {@linkcode FastCGIClient.fetch} does, but for
   * what concerns the header of a response, which is not looked at.
   *
   * @example Look at an answer byte by byte
   * ```ts
   * import { Application } from "@smisk/smisk";
   * import { FastCGIClient } from "@smisk/smisk/client";
   * import { assertEquals, assertMatch } from "@std/assert";
   *
   * const app = new Application();
   * const server = app.listen({ hostname: "127.0.0.1", port: 0 });
   * const { port } = server.addr as Deno.NetAddr;
   *
   * const client = new FastCGIClient({ port });
   * const { stdout, end } = await client.send({ REQUEST_METHOD: "GET" });
   * assertMatch(await new Response(stdout).text(), /\r\nStatus: 200 OK\r\n\r\n/);
   * assertEquals(await end, { appStatus: 0, protocolStatus: 0 });
   *
   * client.close();
   * await app.exit();
   * ```
   */
  async send(
    params: FastCGIParams,
    options: FastCGISendOptions = {},
  ): Promise<FastCGIReply> {
    const signal = options.signal ?? null;
    this.#conversations.check(signal);
    const { onStderr = () => {} } = options;
    const body = options.body === undefined || options.body === null
      ? null
      : RequestBody.raw(new Response(options.body).body!);
    const variables = Object.entries(params)
      .filter((pair): pair is [string, string | Uint8Array] =>
        pair[1] !== null
      );
    const reply = await this.#conversations.hold(body, () => ({
      signal,
      outgoing: {
        role: typeof options.role === "number"
          ? options.role
          : ROLES[options.role ?? "responder"],
        variables: encodePairs(variables),
        body,
        data: options.data ?? null,
      },
      isIdempotent: isIdempotent(params.REQUEST_METHOD),
      reply: (handler) => new RawReply(handler),
      stderr: () => new ErrorBytes(onStderr, this.#limits.maxStderrBytes),
    }));
    return await reply.begun;
  }

  /**
   * Asks the server what it says of itself (FCGI_GET_VALUES, FastCGI 1.0,
   * section 4.1). Where it says that it multiplexes, further requests share
   * connections.
   *
   * @param names The variables: `FCGI_MAX_CONNS`, `FCGI_MAX_REQS` and
   * `FCGI_MPXS_CONNS` by default, which are asked for in any case.
   * @param options A signal that gives the question up.
   * @returns What the server has of them; nothing where it knows no such
   * question.
   * @throws {FastCgiError} `READ_TIMEOUT` where it does not answer, and as
   * {@linkcode FastCGIClient.fetch} does.
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
   * const client = new FastCGIClient({ port });
   * assertEquals((await client.values()).FCGI_MPXS_CONNS, "1");
   *
   * client.close();
   * await app.exit();
   * ```
   */
  async values(
    names: readonly string[] = [],
    options: { signal?: AbortSignal } = {},
  ): Promise<Readonly<Record<string, string>>> {
    const signal = options.signal ?? null;
    this.#conversations.check(signal);
    return await this.#pool.ask(names, signal);
  }

  /** What the client is at. */
  stats(): PoolStats & {
    /** Requests that have a connection. */
    readonly requests: number;
  } {
    return { ...this.#pool.stats, requests: this.#conversations.count };
  }

  /**
   * Closes all connections. Requests in flight fail with a
   * {@linkcode ClosedError}. May be called again.
   */
  close(): void {
    this.#conversations.close();
  }

  /** As {@linkcode FastCGIClient.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

/** An address with all that connecting takes. */
type Target = Required<TcpListenOptions> | { path: string };

function targetOf(
  address: string | { hostname?: string; port: number } | { path: string },
): Target {
  const target = typeof address === "string" ? parseAddress(address) : address;
  if ("path" in target) return { path: target.path };
  // What means any host to a server is this one to a client.
  const { hostname = "127.0.0.1", port } = target;
  return { hostname: hostname === "0.0.0.0" ? "127.0.0.1" : hostname, port };
}

function connectTo(target: Target, signal: AbortSignal): Promise<Transport> {
  // Before the runtime asks somebody.
  requirePermissions(permissionsToConnect(target));
  return "path" in target
    ? Deno.connect({ transport: "unix", path: target.path })
    : Deno.connect({ ...target, signal });
}
