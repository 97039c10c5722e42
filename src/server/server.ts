// FastCGIServer: what a user sees of a running server.

import { ServerCore } from "./server_core.ts";
import type { ServerParts } from "./server_core.ts";

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
  readonly #core: ServerCore;

  /** @ignore */
  constructor(parts: ServerParts) {
    this.#core = new ServerCore(parts);
  }

  /**
   * Where it listens; null on an inherited Unix socket, of which the system
   * tells nothing.
   */
  get addr(): Deno.Addr | null {
    return this.#core.addr;
  }

  /**
   * Settles when the server has stopped and its last connection is closed.
   * Fails with what `applicationWillStart` or `applicationDidStop` threw, or
   * with a {@linkcode StartError} where an inherited descriptor is no
   * listening socket.
   */
  get finished(): Promise<void> {
    return this.#core.finished;
  }

  /**
   * Stops gracefully: nothing more is accepted, requests in flight finish
   * within `shutdownTimeoutMs`, idle connections close. May be called again.
   *
   * @returns {@linkcode FastCGIServer.finished}.
   */
  shutdown(): Promise<void> {
    return this.#core.shutdown();
  }

  /**
   * Stops at once: requests in flight are aborted, and their connections
   * closed.
   *
   * @returns {@linkcode FastCGIServer.finished}.
   */
  abort(): Promise<void> {
    return this.#core.abort("The server was forced to stop");
  }

  /** Lets the server keep the process running, as it does by default. */
  ref(): void {
    this.#core.setRef(true);
  }

  /** Lets the process end while the server runs. */
  unref(): void {
    this.#core.setRef(false);
  }

  /** As {@linkcode FastCGIServer.shutdown}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}
