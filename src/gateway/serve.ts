// serve(): a web-standard handler as a server, with the overloads and options
// of `Deno.serve`.
//
// It is loaded with the package, before anything listens: hence its types are
// in a file of their own, and what answers is loaded when it is called.

import { Application } from "../application.ts";
import type { ServiceRequest } from "../request.ts";
import type { ServiceResponse } from "../response.ts";
import {
  DEFAULT_ADDRESS,
  formatAddress,
  listen,
  parseAddress,
} from "../server/address.ts";
import {
  InheritedListener,
  isInheritedSocket,
  isInheritedSocketAtOnce,
  listenInherited,
} from "../server/inherited.ts";
import type { ListenOptions } from "../server/listen_options.ts";
import { prepare, serveOn } from "../server/server.ts";
import type { FastCGIServer } from "../server/server.ts";
import type { Accepted, TransportListener } from "../server/transport.ts";
import type { FetchApplication, FetchService } from "./fetch.ts";
import type {
  ServeHandler,
  ServeInit,
  ServeOptions,
  ServerAt,
  ServeTcpOptions,
  ServeUnixOptions,
} from "./serve_types.ts";

/** The environment variable that tells where to listen. */
const BIND_VARIABLE = "SMISK_BIND";

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
  readonly #app: FetchApplication;
  readonly #options: ServeOptions;
  #serve: FetchService | null = null;

  constructor(app: FetchApplication, options: ServeOptions) {
    super(options);
    this.#app = app;
    this.#options = options;
  }

  override service(
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void> {
    return this.#serve!(request, response);
  }

  override async [prepare](): Promise<void> {
    const { serveFetch } = await import("./fetch.ts");
    const { onError } = this.#options;
    this.#serve ??= serveFetch(this.#app, { onError });
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
  const isInherited = address === null &&
    (isInheritedSocketAtOnce() ?? isInheritedSocket());
  const where = address ?? (isInherited ? { fd: 0 } : addressOfEnvironment());
  const listener = isInherited ? new InheritedOrDefault() : listen(where);
  const server = app[serveOn](listener);
  if (listener instanceof InheritedOrDefault) {
    // Where it cannot listen, `finished` says so.
    listener.ready.then(() => tell(server, listener.address), () => {});
  } else if (listener instanceof InheritedListener) {
    listener.ready.then(() => tell(server, where), () => {});
  } else tell(server, where);
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

/** The address of the environment, or the default one. */
function addressOfEnvironment(): ListenOptions {
  const { state } = Deno.permissions.querySync({
    name: "env",
    variable: BIND_VARIABLE,
  });
  const text = state === "granted" ? Deno.env.get(BIND_VARIABLE) : undefined;
  return text ? parseAddress(text) : DEFAULT_ADDRESS;
}

/**
 * A listening socket: descriptor 0 where that listens, which is known only a
 * moment later, for a connection may be there in its place; then another.
 */
class InheritedOrDefault implements TransportListener {
  #chosen: TransportListener;
  #isClosed = false;
  #isRef = true;
  /** Where it listens, as far as it was told. */
  address: ListenOptions = { fd: 0 };
  /** Settles once it listens. */
  readonly ready: Promise<void>;

  constructor() {
    const inherited = listenInherited(0);
    this.#chosen = inherited;
    this.ready = inherited.ready.catch(() => this.#change());
    // Who accepts is told.
    this.ready.catch(() => {});
  }

  #change(): void {
    this.#chosen.close();
    if (this.#isClosed) return;
    this.address = addressOfEnvironment();
    this.#chosen = listen(this.address);
    if (!this.#isRef) this.#chosen.unref();
  }

  get addr(): Deno.Addr | null {
    return this.#chosen.addr;
  }

  async accept(): Promise<Accepted> {
    await this.ready;
    return await this.#chosen.accept();
  }

  refuse(): void {
    this.#chosen.refuse?.();
  }

  close(): void {
    this.#isClosed = true;
    this.#chosen.close();
  }

  ref(): void {
    this.#isRef = true;
    this.#chosen.ref();
  }

  unref(): void {
    this.#isRef = false;
    this.#chosen.unref();
  }
}
