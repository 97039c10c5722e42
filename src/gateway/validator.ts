// validator(): middleware for development, loaded when it is used.

import type { WsgiApplication } from "./wsgi_types.ts";

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
