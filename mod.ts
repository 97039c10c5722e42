/**
 * Smisk: FastCGI applications, behind nginx, lighttpd, Apache, Caddy, H2O or
 * HAProxy, over TCP and Unix sockets.
 *
 * A program is a class with a `service()`; `await new MyApp().run()` makes it a
 * complete command. FastCGI 1.0 is spoken whole: all three roles, kept
 * connections, multiplexing, aborts.
 *
 * @example Serve a page, and stop
 * ```ts
 * import { Application } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * class MyApp extends Application {
 *   override service() {
 *     this.response.write("Hello World!");
 *   }
 * }
 *
 * const server = new MyApp().listen({ hostname: "127.0.0.1", port: 0 });
 * assertEquals(server.addr?.transport, "tcp");
 * await server.shutdown();
 * ```
 *
 * @module
 */

export { Application } from "./src/application.ts";
export type { RunOptions } from "./src/application.ts";
export type { CookieOptions } from "./src/cookies.ts";
export * from "./src/errors.ts";
export type {
  Form,
  FormOptions,
  UploadedFile,
  UploadedFiles,
} from "./src/forms/form.ts";
export type { FetchApplication } from "./src/gateway/fetch.ts";
export { Gateway, validator } from "./src/gateway/gateway.ts";
export type { ObserveOptions } from "./src/observe/options.ts";
export { serve } from "./src/gateway/serve.ts";
export type {
  ServeBaseOptions,
  ServeHandler,
  ServeInit,
  ServeOptions,
  ServerAt,
  ServeTcpOptions,
  ServeUnixOptions,
} from "./src/gateway/serve_types.ts";
export type { ServeHandlerInfo } from "./src/gateway/serve_info.ts";
export type {
  StartResponse,
  WsgiApplication,
  WsgiBody,
  WsgiChunk,
  WsgiEnvironment,
  WsgiErrorStream,
  WsgiHeaders,
  WsgiInputStream,
  WsgiWrite,
} from "./src/gateway/wsgi_types.ts";
export type { HandOverOptions, SendFileOptions } from "./src/files/options.ts";
export type { ApplicationOptions, LimitOptions } from "./src/options.ts";
export type { ServiceRequest } from "./src/request.ts";
export type { ServiceResponse } from "./src/response.ts";
export type {
  InheritedListenOptions,
  ListenOptions,
  TcpListenOptions,
  UnixListenOptions,
} from "./src/server/listen_options.ts";
export type { Session } from "./src/sessions/session.ts";
export type {
  SessionChange,
  SessionData,
  SessionStore,
  SessionWrite,
  SessionWriteResult,
} from "./src/sessions/store.ts";
export { FastCGIServer } from "./src/server/server.ts";
export type { LatencyStats, ServerStats } from "./src/server/stats.ts";
