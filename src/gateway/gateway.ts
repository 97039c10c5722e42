// Gateway: an Application that hands its requests to an application of another
// kind, WSGI-style or web-standard.

import { Application } from "../application.ts";
import type { ApplicationOptions } from "../options.ts";
import type { ServiceRequest } from "../request.ts";
import type { ServiceResponse } from "../response.ts";
import { serveFetch } from "./fetch.ts";
import type { FetchApplication, FetchService } from "./fetch.ts";
import { serveWsgi } from "./wsgi.ts";
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
  readonly #serve: FetchService;
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
    super(options);
    this.#serve = typeof app === "function"
      ? (request, response) => serveWsgi(app, request, response, this)
      : serveFetch(checkFetch(app));
  }

  /** Hands a request to the application. */
  override service(
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void> {
    return this.#serve(request, response);
  }
}

function checkFetch(app: unknown): FetchApplication {
  if (typeof (app as Partial<FetchApplication> | null)?.fetch === "function") {
    return app as FetchApplication;
  }
  throw new TypeError(
    `Cannot put ${
      app === null ? "null" : `a value of type ${typeof app}`
    } behind a gateway: it takes a WSGI-style function, or an object with a method fetch`,
  );
}
