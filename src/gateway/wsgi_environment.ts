// The environment of a WSGI-style application, put together when it is read.
//
// Measured: to decode every parameter takes as long as the rest of a short
// request, and most applications read three of them. So what they are given is
// a proxy, which looks single names up and becomes a plain object at the first
// thing that needs more: an assignment, a listing, a header (which may have
// come more than once, and is joined then).

import { requestScheme } from "../cgi/url.ts";
import { joinValues } from "../cgi/variables.ts";
import { exchangeOf } from "../request.ts";
import type { ServiceRequest } from "../request.ts";
import type { Exchange } from "../server/exchange.ts";
import type { Application } from "../application.ts";
import { WsgiErrors } from "./wsgi_errors.ts";
import { WsgiInput } from "./wsgi_input.ts";
import type { WsgiEnvironment } from "./wsgi_types.ts";

/** The gateway, as an environment sees it. */
export interface EnvironmentGateway extends Application {
  /** Whether another process may run the same application. */
  readonly wsgiMultiprocess: boolean;
}

type Inspect = (value: unknown, options: unknown) => string;

const OWN_NAMES = [
  "wsgi.version",
  "wsgi.url_scheme",
  "wsgi.input",
  "wsgi.errors",
  "wsgi.multithread",
  "wsgi.multiprocess",
  "wsgi.run_once",
  "smisk.app",
] as const;

/** What PEP 3333 wants to be there, whether the web server tells or not. */
const ALWAYS_THERE = [
  "SCRIPT_NAME",
  "PATH_INFO",
  "QUERY_STRING",
  "SERVER_NAME",
  "SERVER_PORT",
  "SERVER_PROTOCOL",
] as const;

const VERSION = Object.freeze([1, 0] as const);

/** The target of the proxy: once it is whole, an object like any other. */
export class Environment {
  static {
    // Like the plain object it stands for it inherits nothing.
    Reflect.deleteProperty(Environment.prototype, "constructor");
    Object.setPrototypeOf(Environment.prototype, null);
  }

  readonly #exchange: Exchange;
  readonly #request: ServiceRequest;
  readonly #gateway: EnvironmentGateway;
  #input: WsgiInput | null = null;
  #errors: WsgiErrors | null = null;
  #isWhole = false;

  /**
   * Creates the environment of a request.
   *
   * @param request The request.
   * @param gateway The gateway.
   */
  constructor(request: ServiceRequest, gateway: EnvironmentGateway) {
    this.#exchange = exchangeOf(request);
    this.#request = request;
    this.#gateway = gateway;
  }

  /**
   * What the application is given.
   *
   * @param environment The environment.
   * @returns The proxy.
   */
  static toObject(environment: Environment): WsgiEnvironment {
    return new Proxy(environment, TRAPS) as unknown as WsgiEnvironment;
  }

  /**
   * The response is about to end.
   *
   * @param environment The environment.
   */
  static end(environment: Environment): void {
    environment.#errors?.end();
  }

  /** One value, looked up where it is not whole. */
  static get(
    environment: Environment,
    name: string | symbol,
    receiver: unknown,
  ): unknown {
    if (typeof name === "string" && !environment.#isWhole) {
      if (!name.startsWith("HTTP_")) return environment.#read(name);
      environment.#complete();
    }
    return Reflect.get(environment, name, receiver);
  }

  /** It, made whole. */
  static whole(environment: Environment): Environment {
    if (!environment.#isWhole) environment.#complete();
    return environment;
  }

  #read(name: string): unknown {
    switch (name) {
      case "wsgi.version":
        return VERSION;
      case "wsgi.url_scheme":
        return requestScheme((variable) => this.#exchange.param(variable));
      case "wsgi.input":
        return this.#input ??= new WsgiInput(this.#exchange);
      case "wsgi.errors":
        return this.#errors ??= new WsgiErrors(this.#request);
      case "wsgi.multithread":
      case "wsgi.run_once":
        return false;
      case "wsgi.multiprocess":
        return this.#gateway.wsgiMultiprocess;
      case "smisk.app":
        return this.#gateway;
    }
    return variableValue(name, (variable) => this.#exchange.param(variable));
  }

  #complete(): void {
    const params: Record<string, string> = Object.create(null);
    this.#exchange.params(false, (name, value) => {
      const before = params[name];
      params[name] = before !== undefined && name.startsWith("HTTP_")
        ? joinValues(name === "HTTP_COOKIE" ? "cookie" : "", before, value)
        : value;
    });
    for (const name of ALWAYS_THERE) params[name] ??= "";
    const values = this as unknown as Record<string, unknown>;
    for (const name in params) {
      values[name] = variableValue(name, (variable) => params[variable]);
    }
    for (const name of OWN_NAMES) values[name] = this.#read(name);
    this.#isWhole = true;
  }

  /** For `console.log`, which looks behind proxies. */
  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: unknown,
    inspect: Inspect,
  ): string {
    if (#isWhole in this) Environment.whole(this);
    return inspect({ __proto__: null, ...this }, options);
  }
}

const TRAPS: ProxyHandler<Environment> = {
  get: Environment.get,
  has: (target, name) =>
    typeof name === "string" &&
    Environment.get(target, name, undefined) !== undefined,
  set: (target, name, value, receiver) =>
    Reflect.set(Environment.whole(target), name, value, receiver),
  deleteProperty: (target, name) =>
    Reflect.deleteProperty(Environment.whole(target), name),
  ownKeys: (target) => Reflect.ownKeys(Environment.whole(target)),
  getOwnPropertyDescriptor: (target, name) =>
    Reflect.getOwnPropertyDescriptor(Environment.whole(target), name),
  defineProperty: (target, name, property) =>
    Reflect.defineProperty(Environment.whole(target), name, property),
  getPrototypeOf: () => null,
  setPrototypeOf: (_, prototype) => prototype === null,
  preventExtensions: (target) => {
    Object.setPrototypeOf(Environment.whole(target), null);
    return Reflect.preventExtensions(target);
  },
};

/** A variable as PEP 3333 wants it. */
function variableValue(
  name: string,
  read: (name: string) => string | null | undefined,
): string | undefined {
  const value = read(name) ?? undefined;
  switch (name) {
    case "SCRIPT_NAME":
    case "PATH_INFO":
    case "QUERY_STRING":
      return value ?? "";
    case "SERVER_NAME":
      return value || read("HTTP_HOST")?.replace(/:\d*$/, "") || "localhost";
    case "SERVER_PORT":
      return value || portOf(read);
    case "SERVER_PROTOCOL":
      return value || "HTTP/1.0";
    case "CONTENT_LENGTH":
      // Some web servers say -1 where the length is unknown.
      return value === undefined || /^\d+$/.test(value) ? value : "";
    default:
      return value;
  }
}

function portOf(read: (name: string) => string | null | undefined): string {
  const port = /:(\d+)$/.exec(read("HTTP_HOST") ?? "")?.[1];
  if (port !== undefined) return port;
  const scheme = requestScheme((name) => read(name) ?? null);
  return scheme === "https" ? "443" : "80";
}
