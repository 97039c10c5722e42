// Application: what a user's class extends. It holds what a program says of
// itself and starts servers; how requests are served is in serving.ts.
//
// What is imported here is loaded before anything listens, a third of a
// millisecond a file, where the runtime itself takes 20: hence the imports of
// types, and the dynamic ones.

import type { CookieOptions } from "./cookies.ts";
import type { Observer, Serve } from "./observe/observer.ts";
import type { ObserveOptions } from "./observe/options.ts";
import {
  checkCharset,
  resolveHandOver,
  resolveLimits,
  resolveMount,
  resolveSessionStore,
} from "./options.ts";
import type { ApplicationOptions, HandOver, Limits } from "./options.ts";
import type { ServiceRequest } from "./request.ts";
import type { ServiceResponse } from "./response.ts";
import type { RequestScope } from "./scope.ts";
import { listen } from "./server/address.ts";
import { AllowedClients, webServerAddrs } from "./server/allowed_clients.ts";
import type { GroupStats } from "./server/group_stats.ts";
import type { ListenOptions } from "./server/listen_options.ts";
import { FastCGIServer, limitsOf, prepare, serveOn } from "./server/server.ts";
import type { TransportListener } from "./server/transport.ts";
import type { Serving, Transaction } from "./serving.ts";
import type { SessionStore } from "./sessions/store.ts";

/** The options of {@linkcode Application.run}. */
export interface RunOptions {
  /** Where to listen; as many addresses as wanted. */
  bind?: ListenOptions | readonly ListenOptions[];
  /**
   * An address to serve HTTP on as well, for development: a port of
   * 127.0.0.1, or a host and a port.
   */
  http?: { hostname?: string; port: number };
  /**
   * A command line, to be taken as that of a program is; what it does not say
   * the other options do.
   */
  args?: readonly string[];
  /**
   * How many processes serve, each of which runs the whole program; this one
   * keeps them running then. Without it, this one serves.
   */
  workers?: number;
}

/** The version of this package, as `--version` tells it. */
export const VERSION = "0.1.0";

/** The method of an application that is told what else is to be seen of it. */
export const observeWith: unique symbol = Symbol("observeWith");

/** Where OpenTelemetry's API is registered, by the runtime or a package. */
const TELEMETRY = Symbol.for("opentelemetry.js.api.1");

/**
 * A FastCGI application: override {@linkcode Application.service}.
 *
 * @example Say hello
 * ```ts
 * import { Application } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * class MyApp extends Application {
 *   override service() {
 *     this.response.write("Hello World!");
 *   }
 * }
 * const app = new MyApp();
 * assertEquals(Application.current, app);
 * ```
 */
export class Application {
  static #current: Application | null = null;

  /** The application created last, null before the first. */
  static get current(): Application | null {
    return Application.#current;
  }

  /** @ignore */
  readonly [limitsOf]: Limits;
  readonly #mount: string;
  readonly #handOver: HandOver | null;
  readonly #allowedClients: AllowedClients | null;
  #scope: RequestScope<Transaction> | null = null;
  readonly #servers = new Set<FastCGIServer>();
  /** What serves requests: there is none before it. */
  #serving: Serving | null = null;
  #serve: Serve | null = null;
  readonly #options: ObserveOptions;
  #group: (() => Promise<GroupStats>) | null = null;
  #opening: Promise<Observer> | null = null;
  #observer: Observer | null = null;
  /** The start that all servers wait for, null before the first. */
  #start: Promise<void> | null = null;
  #charset: string;
  #sessions: SessionStore | null = null;

  /**
   * The attributes of the cookie that carries a session's id, over `HttpOnly`,
   * `SameSite=Lax`, `Path=/`, and `Secure` where the client came over HTTPS.
   *
   * @default {{}}
   */
  sessionCookie: CookieOptions;

  /**
   * Whether answers for errors show message, stack and source lines. They are
   * for the developer alone; the web server's log has the stack in any case.
   *
   * @default {false}
   */
  showTraceback: boolean;
  /**
   * Whether text that is not of the charset is taken for ISO-8859-1, rather
   * than refused with 400.
   *
   * @default {true}
   */
  tolerant: boolean;

  /**
   * Creates an application.
   *
   * @param options Its properties and limits.
   * @throws {RangeError} Where an option is out of its bounds.
   * @throws {TypeError} Where one is of the wrong type.
   */
  constructor(options: ApplicationOptions = {}) {
    this.#options = { ...options };
    this[limitsOf] = resolveLimits(options);
    this.#mount = resolveMount(options.mount ?? "");
    this.#handOver = options.handOver
      ? resolveHandOver(options.handOver)
      : null;
    this.#allowedClients = options.allowedClients?.length
      ? new AllowedClients(options.allowedClients)
      : null;
    this.showTraceback = options.showTraceback ?? false;
    this.tolerant = options.tolerant ?? true;
    this.#charset = options.charset ?? "utf-8";
    checkCharset(this.#charset);
    if (options.sessions !== undefined) this.sessions = options.sessions;
    this.sessionCookie = options.sessionCookie ?? {};
    Application.#current = this;
  }

  /**
   * The encoding of written strings and of form text.
   *
   * @throws {RangeError} When set to one that cannot be written.
   * @default {"utf-8"}
   */
  get charset(): string {
    return this.#charset;
  }
  set charset(charset: string) {
    checkCharset(charset);
    this.#charset = charset;
  }

  /**
   * What keeps the sessions of {@linkcode ServiceRequest.session}. A change
   * holds for sessions that are opened after it.
   *
   * @throws {TypeError} When set to what is no store.
   * @default {MemorySessionStore} (a new one, loaded when it is first used)
   */
  get sessions(): SessionStore {
    return this.#sessions ??= memorySessions();
  }
  set sessions(sessions: SessionStore) {
    for (const method of ["read", "write", "refresh", "destroy"] as const) {
      if (typeof sessions?.[method] === "function") continue;
      throw new TypeError(
        `Cannot keep sessions in what has no method ${method}(): it takes a SessionStore`,
      );
    }
    this.#sessions = sessions;
  }

  /**
   * The request being served in this asynchronous context.
   *
   * @throws {TypeError} Outside of a request.
   */
  get request(): ServiceRequest {
    return this.#transaction("request").request;
  }

  /**
   * The response to the request being served in this asynchronous context.
   *
   * @throws {TypeError} Outside of a request.
   */
  get response(): ServiceResponse {
    return this.#transaction("response").response;
  }

  #transaction(name: string): Transaction {
    const transaction = this.#scope?.current ?? null;
    if (transaction !== null && !transaction.isOver) return transaction;
    throw new TypeError(
      `Cannot use this.${name} outside of a request: it is there while service() runs`,
    );
  }

  /**
   * Serves one request. Override it, with or without its parameters: they are
   * `this.request` and `this.response`.
   *
   * @param request The request.
   * @param response The response; it ends when the method has.
   */
  service(
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void>;
  service(request: ServiceRequest, response: ServiceResponse): void {
    this.#serving!.answerNothing(request, response);
  }

  /**
   * Answers for an error that left {@linkcode Application.service}. The
   * response's status is that of the error, 500 where it has none, and what
   * was written and has not left is forgotten. The default writes the error to
   * the error stream, and has the response end with a page, problem details
   * (RFC 9457) or plain text, whichever the client asks for. A response of
   * which something has left is broken off when the method has ended.
   *
   * @param error What was thrown.
   * @param request The request.
   * @param response The response.
   */
  error(
    error: unknown,
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void>;
  error(
    error: unknown,
    request: ServiceRequest,
    response: ServiceResponse,
  ): void {
    this.#serving!.answerError(error, request, response);
  }

  /** Called once before the first server of this application listens. */
  applicationWillStart(): void | Promise<void> {}

  /** Called when the last server of this application has stopped. */
  applicationDidStop(): void | Promise<void> {}

  /**
   * Starts to listen, and returns at once.
   *
   * @param options Where.
   * @returns The server.
   * @throws {StartError} Where that cannot be, and why.
   */
  listen(options: ListenOptions): FastCGIServer {
    return this[serveOn](listen(options));
  }

  /** @ignore Serves on a socket of any kind those who are in all lists. */
  [serveOn](
    listener: TransportListener,
    allowed: readonly AllowedClients[] = [],
  ): FastCGIServer {
    const lists = [this.#allowedClients, webServerAddrs(), ...allowed];
    const server: FastCGIServer = new FastCGIServer({
      listener,
      limits: this[limitsOf],
      allowedClients: lists.filter((list) => list !== null),
      serve: (exchange) => this.#serve!(exchange),
      refused: (exchange) => this.#observer?.refused(exchange),
      report,
      start: () => this.#start ??= this.#begin(),
      stopped: async () => {
        await this.#serving?.clean();
        await this.#observer?.flush();
        this.#servers.delete(server);
        if (this.#servers.size > 0) return;
        this.#start = null;
        await this.applicationDidStop();
      },
    });
    this.#servers.add(server);
    return server;
  }

  /** @ignore Loads what it serves with, before anything is accepted. */
  [prepare](): void | Promise<void> {}

  async #begin(): Promise<void> {
    const [{ RequestScope }, { Serving }] = await Promise.all([
      import("./scope.ts"),
      import("./serving.ts"),
      this[prepare](),
    ]);
    this.#scope ??= new RequestScope(isAsync(this.service));
    this.#serving ??= new Serving(this, {
      scope: this.#scope,
      mount: this.#mount,
      limits: this[limitsOf],
      handOver: this.#handOver,
      report,
    });
    const observing = this.#observe();
    if (observing !== null) this.#observer = await observing;
    const { serve } = this.#serving;
    this.#serve = this.#observer?.observe(serve) ?? serve;
    await this.applicationWillStart();
  }

  /** @ignore Has more to be seen; null where that takes no time. */
  [observeWith](
    more: ObserveOptions,
    group: (() => Promise<GroupStats>) | null,
  ): Promise<unknown> | null {
    Object.assign(this.#options, more);
    this.#group = group;
    return this.#observe();
  }

  #observe(): Promise<Observer> | null {
    const { accessLog, accessFormat, slowLogMs } = this.#options;
    const { pingPath, statusPath } = this.#options;
    const asked = [accessLog, accessFormat, slowLogMs, pingPath, statusPath];
    const hasTelemetry = TELEMETRY in globalThis;
    if (!hasTelemetry && asked.every((option) => !option)) return null;
    return this.#opening ??= import("./observe/observer.ts").then(
      ({ Observer }) =>
        Observer.open(this.#options, {
          application: this.constructor.name,
          version: VERSION,
          hasTelemetry,
          group: this.#group,
          stats: () => [...this.#servers].map((server) => server.stats()),
          report,
        }),
    );
  }

  /**
   * Listens and serves until stopped: by SIGTERM, SIGINT or SIGUSR1, gracefully;
   * by a second of them, at once.
   *
   * @param options Where to listen; without them, the command line tells.
   * @returns Settles when it has stopped.
   */
  async run(options?: RunOptions): Promise<void> {
    const { run } = await import("./command/run.ts");
    await run(this, options);
  }

  /**
   * Stops gracefully, as SIGTERM does.
   *
   * @returns Settles when all servers of the application have stopped.
   */
  async exit(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.shutdown()));
  }
}

function isAsync(method: unknown): boolean {
  return Object.prototype.toString.call(method) === "[object AsyncFunction]";
}

/** A MemorySessionStore, which is loaded when it is first used. */
function memorySessions(): SessionStore {
  let loading: Promise<SessionStore> | null = null;
  const load = () =>
    loading ??= import("./sessions/memory.ts")
      .then(({ MemorySessionStore }) => new MemorySessionStore());
  return {
    ...resolveSessionStore(),
    read: async (id) => (await load()).read(id),
    write: async (id, write) => (await load()).write(id, write),
    refresh: async (id) => (await load()).refresh(id),
    destroy: async (id) => (await load()).destroy(id),
  };
}

/** The server's own log: the error output, a line each. */
function report(message: string): void {
  console.error(`smisk: ${message}`);
}
