// HttpFront: a web server for development, so that an application can be seen
// with none installed. Every request goes through FastCGI all the same, over a
// connection inside the process: what is tried here is what runs later.

import type { Application } from "../application.ts";
import { reasonPhrase } from "../cgi/status.ts";
import { FastCGIClient } from "../client/client.ts";
import { PipeListener } from "../client/pipe.ts";
import { htmlPage } from "../error_page.ts";
import { FastCgiError } from "../errors.ts";
import {
  formatAddress,
  permissionsToListen,
  requirePermissions,
  startError,
} from "../server/address.ts";
import type { TcpListenOptions } from "../server/listen_options.ts";
import type { FastCGIServer } from "../server/server.ts";
import { serveOn } from "../server/server.ts";

/**
 * How long requests in flight keep the application listening once a stop has
 * begun: for those that HTTP has and FastCGI has not yet.
 */
const STRAGGLER_MS = 1_000;

/** How long the readers of responses have once the application has stopped. */
const DRAIN_MS = 5_000;

/** How long they have where the stop was forced. */
const FORCED_DRAIN_MS = 500;

/** An HTTP server in front of an application. */
export class HttpFront {
  readonly #client: FastCGIClient;
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  #shutdown: Promise<void> | null = null;
  /** The application's end. It stops with the application. */
  readonly server: FastCGIServer;

  /**
   * Starts to serve.
   *
   * @param app The application.
   * @param address Where to.
   * @throws {StartError} Where that cannot be.
   */
  constructor(app: Application, address: Required<TcpListenOptions>) {
    const where = formatAddress(address);
    requirePermissions(permissionsToListen(address));
    const pipe = new PipeListener();
    this.#client = new FastCGIClient(pipe);
    try {
      this.#http = Deno.serve(
        {
          ...address,
          onListen() {},
          onError(error) {
            // Of the body of a response that is under way: the client sees
            // that it is not whole, and nothing of the one made here.
            console.error(`smisk: Broke off a response: ${messageOf(error)}`);
            return new Response(null, { status: 502 });
          },
        },
        (request, info) => this.#answer(request, info.remoteAddr),
      );
    } catch (error) {
      throw startError(error, where);
    }
    this.server = app[serveOn](pipe);
  }

  /** The URL to open. */
  get url(): string {
    return `http://${formatAddress(this.#http.addr)}/`;
  }

  /**
   * Takes no more connections.
   *
   * @returns Settles when the application may stop: what was asked before has
   * reached it.
   */
  async stop(): Promise<void> {
    await within(STRAGGLER_MS, this.#shut());
  }

  #shut(): Promise<void> {
    return this.#shutdown ??= this.#http.shutdown();
  }

  /**
   * Stops, once the application has.
   *
   * @param isForced Whether the readers of responses are hardly waited for.
   * @returns Settles when nothing is left that keeps the process running.
   */
  async close(isForced: boolean): Promise<void> {
    await within(isForced ? FORCED_DRAIN_MS : DRAIN_MS, this.#shut());
    this.#client.close();
    // What is left waits for a browser that takes nothing.
    this.#http.unref();
  }

  async #answer(request: Request, remote: Deno.NetAddr): Promise<Response> {
    try {
      // Without the request's signal: to touch it makes the runtime print a
      // warning, for it fires after success too. A client that goes away is
      // seen once its response has begun, for that is cancelled.
      return await this.#client.fetch(request, {
        REMOTE_ADDR: remote.hostname,
        REMOTE_PORT: String(remote.port),
      }, { signal: null });
    } catch (error) {
      console.error(
        `smisk: Cannot answer ${request.method} ${request.url}: ${
          messageOf(error)
        }`,
      );
      const isOverloaded = error instanceof FastCgiError &&
        error.code === "OVERLOADED";
      const status = isOverloaded ? 503 : 502;
      return new Response(
        htmlPage({
          status,
          title: reasonPhrase(status),
          message: "The application did not answer. Its log says more.",
          reference: "",
          time: new Date(),
          traceback: [],
        }),
        { status, headers: { "content-type": "text/html; charset=utf-8" } },
      );
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits for a promise, so long and no longer. */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
