// serve(): a web-standard handler as a server, with the overloads and options
// of `Deno.serve`.

import { Application } from "../application.ts";
import type { ApplicationOptions } from "../options.ts";
import type { ServiceRequest } from "../request.ts";
import type { ServiceResponse } from "../response.ts";
import { DEFAULT_ADDRESS, formatAddress, listen } from "../server/address.ts";
import type { AllowedClients } from "../server/allowed_clients.ts";
import type { ListenOptions } from "../server/listen_options.ts";
import { serveOn } from "../server/server.ts";
import type { FastCGIServer } from "../server/server.ts";
import type { TransportListener } from "../server/transport.ts";
import { listenByDefault } from "./default_listener.ts";
import type { FetchApplication } from "./fetch.ts";
import { LoadedService } from "./gateway.ts";
import type { ServeHandlerInfo } from "./serve_info.ts";

/**
 * Answers requests.
 *
 * @param request The request.
 * @param info What else is known of it.
 * @returns The response.
 */
export type ServeHandler = (
  request: Request,
  info: ServeHandlerInfo,
) => Response | Promise<Response>;

/** What {@linkcode serve} may be told beside where to listen. */
export interface ServeBaseOptions extends ApplicationOptions {
  /** Stops the server, gracefully, when it fires. */
  signal?: AbortSignal;
  /**
   * Answers for what the handler threw, or for what it returned that is no
   * Response to send. The default writes it to the error stream, and answers
   * as an {@linkcode Application} does.
   */
  onError?: (error: unknown) => Response | Promise<Response>;
}

/** The options of {@linkcode serve} on TCP. */
export interface ServeTcpOptions extends ServeBaseOptions {
  /** The port; 0 takes a free one. */
  port: number;
  /**
   * The host, as of {@linkcode TcpListenOptions}.
   *
   * @default {"127.0.0.1"}
   */
  hostname?: string;
  /**
   * Called once it listens, with the address. The default writes one line that
   * says so.
   */
  onListen?: (addr: Deno.NetAddr) => void;
}

/** The options of {@linkcode serve} on a Unix socket. */
export interface ServeUnixOptions extends ServeBaseOptions {
  /** The path of the socket. */
  path: string;
  /** Its permissions, as of {@linkcode UnixListenOptions}. */
  mode?: number;
  /** Its owner, as of {@linkcode UnixListenOptions}. */
  owner?: string | number;
  /** Its group, as of {@linkcode UnixListenOptions}. */
  group?: string | number;
  /** As of {@linkcode ServeTcpOptions}. */
  onListen?: (addr: Deno.UnixAddr) => void;
}

/**
 * The options of {@linkcode serve}, wherever it listens. Without an address
 * that is the socket inherited as descriptor 0; where that is none, the address
 * in the environment variable `SMISK_BIND`, if it may be read; otherwise
 * 127.0.0.1:9000.
 */
export interface ServeOptions extends ServeBaseOptions {
  /** The host, as of {@linkcode TcpListenOptions}. */
  hostname?: string;
  /**
   * The port; 0 takes a free one.
   *
   * @default {9000}
   */
  port?: number;
  /** The path of a Unix socket to listen on, in place of TCP. */
  path?: string;
  /** Its permissions, as of {@linkcode UnixListenOptions}. */
  mode?: number;
  /** Its owner, as of {@linkcode UnixListenOptions}. */
  owner?: string | number;
  /** Its group, as of {@linkcode UnixListenOptions}. */
  group?: string | number;
  /** An inherited listening socket, as of {@linkcode ListenOptions}. */
  fd?: number;
  /**
   * As of {@linkcode ServeTcpOptions}; the address is null on an inherited Unix
   * socket, of which the system tells nothing.
   */
  onListen?: (addr: Deno.Addr | null) => void;
}

/** The handler of {@linkcode serve}, among its options. */
export type ServeInit = {
  /** Answers requests. */
  handler: ServeHandler;
} | FetchApplication;

/** A server whose address is of a kind that is known. */
export type ServerAt<Addr extends Deno.Addr> = FastCGIServer & {
  readonly addr: Addr;
};

/**
 * Serves a web-standard handler over FastCGI, as `Deno.serve` does over HTTP.
 *
 * @example Say hello, and stop
 * ```ts
 * import { serve } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * const server = serve(
 *   { port: 0, onListen() {} },
 *   (request) => new Response(`You asked for ${request.url}`),
 * );
 * assertEquals(server.addr.hostname, "127.0.0.1");
 * await server.shutdown();
 * ```
 *
 * @param handler Answers requests.
 * @returns The server.
 * @throws {StartError} Where it cannot listen, and why.
 */
export function serve(handler: ServeHandler): FastCGIServer;
/**
 * Serves a web-standard handler over FastCGI on TCP.
 *
 * @param options Where to listen, and more.
 * @param handler Answers requests.
 * @returns The server.
 */
export function serve(
  options: ServeTcpOptions,
  handler: ServeHandler,
): ServerAt<Deno.NetAddr>;
/**
 * Serves a web-standard handler over FastCGI on a Unix socket.
 *
 * @param options Where to listen, and more.
 * @param handler Answers requests.
 * @returns The server.
 */
export function serve(
  options: ServeUnixOptions,
  handler: ServeHandler,
): ServerAt<Deno.UnixAddr>;
/**
 * Serves a web-standard handler over FastCGI.
 *
 * @param options Where to listen, and more.
 * @param handler Answers requests.
 * @returns The server.
 */
export function serve(
  options: ServeOptions,
  handler: ServeHandler,
): FastCGIServer;
/**
 * Serves a web-standard application over FastCGI on TCP: options with a
 * `handler` or a `fetch` among them.
 *
 * @param init Where to listen, and more.
 * @returns The server.
 */
export function serve(
  init: ServeTcpOptions & ServeInit,
): ServerAt<Deno.NetAddr>;
/**
 * Serves a web-standard application over FastCGI on a Unix socket: options with
 * a `handler` or a `fetch` among them.
 *
 * @param init Where to listen, and more.
 * @returns The server.
 */
export function serve(
  init: ServeUnixOptions & ServeInit,
): ServerAt<Deno.UnixAddr>;
/**
 * Serves a web-standard application over FastCGI: options with a `handler` or
 * a `fetch` among them, or the object of a class that has a `fetch`.
 *
 * @param init Options and handler, or an application by itself.
 * @returns The server.
 */
export function serve(
  init: ServeOptions & ServeInit | FetchApplication,
): FastCGIServer;
export function serve(
  first: ServeHandler | AnyOptions | ServeInit,
  second?: ServeHandler,
): FastCGIServer {
  const app = applicationOf(first, second);
  // Which of them it is, the address alone tells.
  const options = (isOptions(first) ? first : {}) as ServeOptions;
  const { signal } = options;
  const served = new ServedApplication(app, options);
  const server = start(served, options);
  if (signal !== undefined) stopWith(server, signal);
  return server;
}

type AnyOptions = ServeTcpOptions | ServeUnixOptions | ServeOptions;

/** A handler as an application. */
class ServedApplication extends Application {
  readonly #service: LoadedService;

  constructor(app: FetchApplication, options: ServeOptions) {
    super(options);
    const { onError } = options;
    this.#service = new LoadedService(async () => {
      const { serveFetch } = await import("./fetch.ts");
      return serveFetch(app, { onError });
    });
  }

  override service(
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void> {
    return this.#service.serve(request, response);
  }

  override [serveOn](
    listener: TransportListener,
    allowed?: readonly AllowedClients[],
  ): FastCGIServer {
    return super[serveOn](this.#service.listener(listener), allowed);
  }
}

/**
 * Whether an argument holds options, rather than being an application alone:
 * the properties of such an object are its own affair, whatever their names.
 */
function isOptions(
  first: ServeHandler | AnyOptions | ServeInit,
): first is AnyOptions {
  if (typeof first === "function") return false;
  const prototype = Object.getPrototypeOf(first);
  return prototype === Object.prototype || prototype === null;
}

function applicationOf(
  first: ServeHandler | AnyOptions | ServeInit,
  second: ServeHandler | undefined,
): FetchApplication {
  const given = typeof first === "function" ? { handler: first } : first ?? {};
  const { handler, fetch } = given as {
    handler?: ServeHandler;
    fetch?: ServeHandler;
  };
  const own = second ?? handler;
  if (typeof own === "function") return { fetch: own };
  if (typeof fetch === "function") return first as FetchApplication;
  throw new TypeError(
    "Cannot serve without a handler: give a function, or an object with a method fetch",
  );
}

/** Listens, and says so. */
function start(app: Application, options: ServeOptions): FastCGIServer {
  const { onListen } = options;
  const tell = (server: FastCGIServer, address: ListenOptions) => {
    const { addr } = server;
    if (onListen !== undefined) onListen(addr);
    else {
      console.log(`Listening for FastCGI on ${formatAddress(addr ?? address)}`);
    }
  };
  const address = addressOf(options);
  if (address !== null) {
    const server = app[serveOn](listen(address));
    tell(server, address);
    return server;
  }
  const listener = listenByDefault();
  const server = app[serveOn](listener);
  if (listener.ready === null) tell(server, listener.address);
  else {
    // Where it cannot listen, `finished` says so.
    listener.ready.then(() => tell(server, listener.address), () => {});
  }
  return server;
}

/** Where to listen, null where nothing tells. */
function addressOf(options: ServeOptions): ListenOptions | null {
  const { hostname, port, path, mode, owner, group, fd } = options;
  if (fd !== undefined) return { fd };
  if (path !== undefined) {
    return {
      path,
      ...mode === undefined ? {} : { mode },
      ...owner === undefined ? {} : { owner },
      ...group === undefined ? {} : { group },
    };
  }
  if (hostname === undefined && port === undefined) return null;
  return {
    hostname: hostname ?? DEFAULT_ADDRESS.hostname!,
    port: port ?? DEFAULT_ADDRESS.port,
  };
}

/** Stops a server when a signal fires. */
function stopWith(server: FastCGIServer, signal: AbortSignal): void {
  // Failing to stop is told by `finished`.
  const stop = () => void server.shutdown().catch(() => {});
  if (signal.aborted) {
    stop();
    return;
  }
  signal.addEventListener("abort", stop, { once: true });
  const forget = () => signal.removeEventListener("abort", stop);
  server.finished.then(forget, forget);
}
