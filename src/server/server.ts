// FastCGIServer: what a user sees of a running server. What the server is made
// of is loaded while it listens already.

import type { ServerCore, ServerParts } from "./server_core.ts";
import type { ServerStats } from "./stats.ts";
import type { TransportListener } from "./transport.ts";

/** The method of an application that serves on a TransportListener. */
export const serveOn: unique symbol = Symbol("serveOn");

/** The method of an application that loads what it serves with. */
export const prepare: unique symbol = Symbol("prepare");

/** The method of a server that another one takes the place of. */
export const retire: unique symbol = Symbol("retire");

/** The limits of an application. */
export const limitsOf: unique symbol = Symbol("limitsOf");

/**
 * A running FastCGI server, as `Deno.HttpServer` is a running HTTP server. It
 * is made by `Application.listen`.
 *
 * @example Listen, and stop again
 * ```ts
 * import { Application } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * const server = new Application().listen({ hostname: "127.0.0.1", port: 0 });
 * assertEquals(server.addr?.transport, "tcp");
 * await server.shutdown();
 * ```
 */
export class FastCGIServer implements AsyncDisposable {
  readonly #listener: TransportListener;
  readonly #loading: Promise<ServerCore>;
  readonly #finished: Promise<void>;
  #core: ServerCore | null = null;

  /** @ignore */
  constructor(parts: ServerParts) {
    this.#listener = parts.listener;
    this.#loading = import("./server_core.ts").then(({ ServerCore }) =>
      this.#core = new ServerCore(parts)
    );
    this.#finished = this.#loading.then((core) => core.finished);
  }

  /** Now, or once there is what it is to be done with. */
  #do(action: (core: ServerCore) => void): void {
    if (this.#core !== null) action(this.#core);
    else this.#loading.then(action);
  }

  /**
   * Where it listens; null on an inherited Unix socket, of which the system
   * tells nothing.
   */
  get addr(): Deno.Addr | null {
    return this.#listener.addr;
  }

  /**
   * Settles when the server has stopped and its last connection is closed.
   * Fails with what `applicationWillStart` or `applicationDidStop` threw, or
   * with a {@linkcode StartError} where an inherited descriptor is no
   * listening socket.
   */
  get finished(): Promise<void> {
    return this.#finished;
  }

  /**
   * Stops gracefully: nothing more is accepted, requests in flight finish
   * within `shutdownTimeoutMs`, idle connections close. May be called again.
   *
   * @returns {@linkcode FastCGIServer.finished}.
   */
  shutdown(): Promise<void> {
    this.#do((core) => core.shutdown());
    return this.#finished;
  }

  /** @ignore */
  [retire](): Promise<void> {
    this.#do((core) => core.retire());
    return this.#finished;
  }

  /**
   * Stops at once: requests in flight are aborted, and their connections
   * closed.
   *
   * @returns {@linkcode FastCGIServer.finished}.
   */
  abort(): Promise<void> {
    this.#do((core) => core.abort("The server was forced to stop"));
    return this.#finished;
  }

  /**
   * What the server has done since it started, and what it does now.
   *
   * @returns The figures of this moment; they do not change later.
   * @example Count requests
   * ```ts
   * import { Application } from "@smisk/smisk";
   * import { assertEquals } from "@std/assert";
   *
   * const server = new Application().listen({ hostname: "127.0.0.1", port: 0 });
   * assertEquals(server.stats().served, 0);
   * await server.shutdown();
   * ```
   */
  stats(): ServerStats {
    return this.#core?.stats() ?? {
      accepted: 0,
      active: 0,
      idle: 0,
      inFlight: 0,
      served: 0,
      aborted: 0,
      refused: 0,
      bytesIn: 0,
      bytesOut: 0,
      latency: { boundsMs: [], counts: [0], sumMs: 0 },
    };
  }

  /** Lets the server keep the process running, as it does by default. */
  ref(): void {
    this.#listener.ref();
    this.#do((core) => core.setRef(true));
  }

  /** Lets the process end while the server runs. */
  unref(): void {
    this.#listener.unref();
    this.#do((core) => core.setRef(false));
  }

  /** As {@linkcode FastCGIServer.shutdown}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}
