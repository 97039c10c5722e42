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
import { ClientWatch } from "./client_watch.ts";
import {
  frontParams,
  notImplemented,
  stripServerHeaders,
} from "./front_request.ts";

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
  readonly #watch = new ClientWatch();
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
    // Inside the process a connection costs little, and holds nothing of the
    // server's; how long an answer may take, the application knows.
    this.#client = new FastCGIClient(pipe, {
      maxIdleConnections: 64,
      multiplex: false,
      readTimeoutMs: Infinity,
      writeTimeoutMs: Infinity,
    });
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
        (request, info) => this.#answer(request, info),
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

  async #answer(
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Promise<Response> {
    const refusal = notImplemented(request);
    if (refusal !== null) return faultPage(501, refusal);
    const gone = new AbortController();
    const unwatch = this.#watch.watch(request, info, gone);
    try {
      const params = frontParams(request, info.remoteAddr, this.#http.addr);
      const { signal } = gone;
      const response = await this.#client.fetch(request, params, { signal });
      const handOver = stripServerHeaders(response);
      if (handOver !== null) {
        console.error(
          `smisk: ${request.method} ${request.url} was answered with ${handOver}, which hands a file to a web server: --http sends none`,
        );
      }
      return response;
    } catch (error) {
      // Nobody is left to be answered.
      if (gone.signal.aborted) return new Response(null, { status: 502 });
      const isKnown = error instanceof FastCgiError;
      // Also where its body does not come as announced, or not to its end.
      const isItsFault = isKnown
        ? error.code === "BAD_REQUEST"
        : request.body !== null;
      if (isItsFault) {
        return faultPage(400, "The request could not be understood.");
      }
      console.error(
        `smisk: Cannot answer ${request.method} ${request.url}: ${
          messageOf(error)
        }`,
      );
      return faultPage(
        isKnown && error.status > 502 ? error.status : 502,
        "The application did not answer. Its log says more.",
      );
    } finally {
      unwatch();
    }
  }
}

function faultPage(status: number, message: string): Response {
  const page = htmlPage({
    status,
    title: reasonPhrase(status),
    message,
    reference: "",
    time: new Date(),
    traceback: [],
  });
  return new Response(page, {
    status,
    headers: {
      "cache-control": "no-store",
      "content-type": "text/html; charset=utf-8",
      "x-content-type-options": "nosniff",
    },
  });
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
