// request(): an application served in-process, for tests. Every request goes
// through FastCGI, byte for byte as a web server would send it, over a
// connection that is no socket: nothing listens, no permission is needed, and
// nothing is left.

import type { Application } from "../application.ts";
import { FastCGIClient } from "../client/client.ts";
import type {
  FastCGIEnd,
  FastCGIParams,
  FastCGIRole,
} from "../client/client.ts";
import { PipeListener } from "../client/pipe.ts";
import { serveOn } from "../server/server.ts";
import type { FastCGIServer } from "../server/server.ts";

export type {
  FastCGIEnd,
  FastCGIParams,
  FastCGIRole,
} from "../client/client.ts";

/** What the web server says of the client, where a test says nothing. */
const CLIENT = { REMOTE_ADDR: "127.0.0.1", REMOTE_PORT: "49152" };

/** How {@linkcode request} sends a request. */
export interface TestRequestInit extends RequestInit {
  /**
   * Parameters beyond those made of the request, or in their place; null
   * leaves one out. REMOTE_ADDR is 127.0.0.1.
   */
  params?: FastCGIParams;
  /**
   * The role the application is asked for.
   *
   * @default {"responder"}
   */
  role?: FastCGIRole;
  /** FCGI_DATA, the file of a Filter. */
  data?: Uint8Array;
  /**
   * Takes each line that the application writes to its error stream, such as
   * by `request.log()`.
   *
   * @default {console.error}
   */
  onStderr?: (line: string) => void;
  /** Takes the application and protocol status, once the request has ended. */
  onEnd?: (end: FastCGIEnd) => void;
}

/**
 * Sends a request to an application, and gives its answer: through the real
 * protocol, without a socket and without permissions.
 *
 * The application starts before the request and stops after it:
 * `applicationWillStart()` and `applicationDidStop()` are called, unless it is
 * being served elsewhere meanwhile. Nothing is left open once the response's
 * body was read or cancelled; one of less than 64 KiB needs neither.
 *
 * @param app The application, or a gateway around one.
 * @param input A path, such as `/a?b`, or a URL or a `Request`; a path is one
 * of `http://localhost`.
 * @param init As of `new Request()`, and what it has no words for.
 * @returns The response, as soon as its header has come; its body streams.
 * @throws {FastCgiError} Where there is no response, as a web server would
 * have it; or what `applicationWillStart()` throws.
 *
 * @example Test an application
 * ```ts
 * import { Application } from "@smisk/smisk";
 * import { request } from "@smisk/smisk/testing";
 * import { assertEquals } from "@std/assert";
 *
 * class Greeter extends Application {
 *   override service() {
 *     this.response.write(`Hello ${this.request.query.get("name")}!`);
 *   }
 * }
 *
 * Deno.test("Greeter greets by name", async () => {
 *   const response = await request(new Greeter(), "/?name=Ada");
 *   assertEquals(response.status, 200);
 *   assertEquals(await response.text(), "Hello Ada!");
 * });
 * ```
 */
export async function request(
  app: Application,
  input: string | URL | Request,
  init: TestRequestInit = {},
): Promise<Response> {
  const { params, role, data, onStderr, onEnd, ...rest } = init;
  const asked = new Request(urlOf(input), rest);
  const stage = new Stage(app);
  try {
    const response = await stage.client.fetch(
      asked,
      { ...CLIENT, ...params },
      {
        ...(role === undefined ? {} : { role }),
        ...(data === undefined ? {} : { data }),
        ...(onStderr === undefined ? {} : { onStderr }),
        onEnd(end) {
          stage.isOver = true;
          onEnd?.(end);
        },
      },
    );
    return await stage.watch(response);
  } catch (error) {
    await stage.abort();
    throw error;
  }
}

function urlOf(input: string | URL | Request): URL | Request | string {
  return typeof input === "string" && input.startsWith("/")
    ? `http://localhost${input}`
    : input;
}

/** An application that is served for one request. */
class Stage {
  readonly client: FastCGIClient;
  readonly #server: FastCGIServer;
  /** Whether the request has ended. */
  isOver = false;

  constructor(app: Application) {
    const pipe = new PipeListener();
    this.#server = app[serveOn](pipe);
    this.client = new FastCGIClient(pipe, {
      // How long it may take, test and application know.
      readTimeoutMs: Infinity,
      writeTimeoutMs: Infinity,
    });
  }

  /** Gives the response on, and stops once it has ended. */
  async watch(response: Response): Promise<Response> {
    const { body, status, statusText, headers } = response;
    if (body === null || this.isOver) await this.#stop();
    if (body === null || this.isOver) return response;
    const reader = body.getReader();
    const watched = new ReadableStream<Uint8Array<ArrayBuffer>>({
      type: "bytes",
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          await this.#stop();
          controller.close();
          (controller as ReadableByteStreamController).byobRequest
            ?.respond(0);
        } catch (error) {
          await this.abort();
          throw error;
        }
      },
      cancel: async (reason) => {
        await reader.cancel(reason);
        await this.abort();
      },
    });
    return new Response(watched, { status, statusText, headers });
  }

  #stop(): Promise<void> {
    this.client.close();
    return this.#server.shutdown();
  }

  /** Stops at once. */
  abort(): Promise<void> {
    this.client.close();
    return this.#server.abort();
  }
}
