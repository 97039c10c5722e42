// Gateway: an Application that hands its requests to an application of another
// kind, WSGI-style or web-standard; and validator(), to be put between.
//
// What serves the one or the other is loaded once it is known which, before
// the first connection is accepted: together they are as much as all the rest,
// and would make every program start later.

import { Application } from "../application.ts";
import type { ApplicationOptions } from "../options.ts";
import type { ServiceRequest } from "../request.ts";
import type { ServiceResponse } from "../response.ts";
import { prepare } from "../server/server.ts";
import type { FetchApplication, FetchService } from "./fetch.ts";
import type { WsgiApplication } from "./wsgi_types.ts";

/**
 * Puts an application of another kind behind a web server.
 *
 * A function is taken for a WSGI-style application (PEP 3333), an object with
 * a method `fetch` for a web-standard one.
 *
 * @example Say hello, WSGI-style
 * ```ts
 * import { Gateway } from "@smisk/smisk";
 * import type { StartResponse, WsgiEnvironment } from "@smisk/smisk";
 *
 * function helloApp(_env: WsgiEnvironment, startResponse: StartResponse) {
 *   startResponse("200 OK", [["Content-type", "text/plain"]]);
 *   return ["Hello, World!"];
 * }
 * new Gateway(helloApp);
 * ```
 *
 * @example Put a web-standard application behind a web server
 * ```ts
 * import { Gateway } from "@smisk/smisk";
 *
 * new Gateway({ fetch: () => new Response("Hello, World!") });
 * ```
 */
export class Gateway extends Application {
  readonly #load: () => Promise<FetchService>;
  /** What serves; there is none before it listens. */
  #serve: FetchService | null = null;
  /**
   * What a WSGI-style application is told in `wsgi.multiprocess`: whether
   * another process may be running the same application. Nothing here can know
   * that none does, for web servers and supervisors start as many as they like
   * of one program; say so where it is known.
   *
   * @default {true}
   */
  wsgiMultiprocess = true;

  /**
   * Creates the gateway.
   *
   * @param app The application.
   * @param options As of {@linkcode Application}.
   * @throws {TypeError} Where the application is of neither kind.
   */
  constructor(
    app: WsgiApplication | FetchApplication,
    options: ApplicationOptions = {},
  ) {
    checkKind(app);
    super(options);
    this.#load = () =>
      typeof app === "function" ? loadWsgi(app, this) : loadFetch(app);
  }

  /** Hands a request to the application. */
  override service(
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void> {
    return this.#serve!(request, response);
  }

  /** @ignore */
  override async [prepare](): Promise<void> {
    this.#serve ??= await this.#load();
  }
}

async function loadWsgi(
  app: WsgiApplication,
  gateway: Gateway,
): Promise<FetchService> {
  const { serveWsgi } = await import("./wsgi.ts");
  return (request, response) => serveWsgi(app, request, response, gateway);
}

async function loadFetch(app: FetchApplication): Promise<FetchService> {
  const { serveFetch } = await import("./fetch.ts");
  return serveFetch(app);
}

function checkKind(app: unknown): void {
  if (typeof app === "function") return;
  if (typeof (app as Partial<FetchApplication> | null)?.fetch === "function") {
    return;
  }
  throw new TypeError(
    `Cannot put ${
      app === null ? "null" : `a value of type ${typeof app}`
    } behind a gateway: it takes a WSGI-style function, or an object with a method fetch`,
  );
}

/**
 * Wraps an application so that whatever it or the server does against PEP 3333
 * throws a `TypeError` whose message begins with `WSGI violation:` and says
 * what. It finds what Python's `wsgiref.validate` finds, and is as strict: a
 * body is no plain string, and `read()` of `wsgi.input` takes a size. What is
 * only doubtful is written to `wsgi.errors`, and so is that a body was never
 * closed.
 *
 * It is for development: it costs time, the application it gives is `async`,
 * and its bodies are sent chunk by chunk.
 *
 * @example Find a missing Content-Type
 * ```ts
 * import { Gateway, validator } from "@smisk/smisk";
 *
 * const app = validator((_env, startResponse) => {
 *   startResponse("200 OK", []);
 *   return ["Hello, World!"];
 * });
 * new Gateway(app);
 * ```
 *
 * @param app The application.
 * @returns An application to be served in its place.
 * @throws {TypeError} Where it is no function.
 */
export function validator(app: WsgiApplication): WsgiApplication {
  if (typeof app !== "function") {
    throw new TypeError(
      `Cannot validate a value of type ${typeof app}: a WSGI-style application is a function`,
    );
  }
  return async (...args: unknown[]) => {
    const { validate } = await import("./validation.ts");
    return await validate(app, args);
  };
}
