// The environment of a WSGI-style application, put together when it is read.
//
// Measured: to decode every parameter takes as long as the rest of a short
// request, and most applications read three of them. So what they are given is
// a proxy, which looks single names up and becomes a plain object at the first
// thing that needs more: an assignment, a listing, a header (which may have
// come more than once, and is joined then).

import { requestScheme } from "../cgi/url.ts";
import {
  headerName,
  joinValues,
  normalValue,
  normalVariable,
} from "../cgi/variables.ts";
import type { ReadVariable } from "../cgi/variables.ts";
import { exchangeOf, mountOf } from "../request.ts";
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

/** Those of the web server that are not always taken as they come. */
const CHANGED_NAMES: ReadonlySet<string> = new Set([
  "CONTENT_LENGTH",
  "CONTENT_TYPE",
  "PATH_INFO",
  "SCRIPT_NAME",
  "QUERY_STRING",
  "REMOTE_ADDR",
  "SERVER_NAME",
  "SERVER_PORT",
  "SERVER_PROTOCOL",
]);

const VERSION = Object.freeze([1, 0] as const);

type Values = Record<string | symbol, unknown>;

/** What `console.log` asks for, looking behind the proxy. */
const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** The environment of one request: the handler of a proxy. */
export class Environment implements ProxyHandler<Values> {
  readonly #exchange: Exchange;
  readonly #request: ServiceRequest;
  readonly #gateway: EnvironmentGateway;
  readonly #values: Values = Object.create(null);
  #input: WsgiInput | null = null;
  #errors: WsgiErrors | null = null;

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
    this.#values[INSPECT] = inspectWhole;
  }

  /** What the application is given. */
  toObject(): WsgiEnvironment {
    return new Proxy(this.#values, this) as unknown as WsgiEnvironment;
  }

  /**
   * The response is about to end.
   *
   * @param environment The environment.
   */
  static end(environment: Environment): void {
    environment.#errors?.end();
  }

  #read(name: string): unknown {
    switch (name) {
      case "wsgi.version":
        return VERSION;
      case "wsgi.url_scheme":
        return requestScheme((name) => this.#exchange.param(name));
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
    const value = this.#exchange.param(name) ?? undefined;
    return CHANGED_NAMES.has(name)
      ? variableValue(
        name,
        value,
        (name) => this.#exchange.param(name),
        mountOf(this.#request),
      )
      : value;
  }

  /** Makes it an object like any other: from now on nothing is trapped. */
  #complete(): Values {
    const values = this.#values;
    delete values[INSPECT];
    const headers = new Map<string, string>();
    this.#exchange.params(false, (name, value) => {
      if (!name.startsWith("HTTP_")) values[name] = value;
      else {
        const header = headerName(name);
        if (header === null) return;
        const before = values[name] as string | undefined;
        headers.set(name, header);
        values[name] = before === undefined
          ? value
          : joinValues(header, before, value);
      }
    });
    const read = (name: string) => this.#exchange.param(name);
    const keep = (name: string, value: string | undefined) => {
      if (value === undefined) delete values[name];
      else values[name] = value;
    };
    for (const [name, header] of headers) {
      const value = normalValue(header, values[name] as string, read);
      keep(name, value ?? undefined);
    }
    const mount = mountOf(this.#request);
    for (const name of CHANGED_NAMES) {
      const value = values[name] as string | undefined;
      keep(name, variableValue(name, value, read, mount));
    }
    for (const name of OWN_NAMES) values[name] = this.#read(name);
    Object.setPrototypeOf(this, null);
    return values;
  }

  // The traps

  get(_: Values, name: string | symbol): unknown {
    if (typeof name !== "string") return undefined;
    return name.startsWith("HTTP_") ? this.#complete()[name] : this.#read(name);
  }

  has(_: Values, name: string | symbol): boolean {
    return Reflect.has(this.#complete(), name);
  }

  set(_: Values, name: string | symbol, value: unknown, on: unknown): boolean {
    return Reflect.set(this.#complete(), name, value, on);
  }

  deleteProperty(_: Values, name: string | symbol): boolean {
    return Reflect.deleteProperty(this.#complete(), name);
  }

  ownKeys(): (string | symbol)[] {
    return Reflect.ownKeys(this.#complete());
  }

  getOwnPropertyDescriptor(
    _: Values,
    name: string | symbol,
  ): PropertyDescriptor | undefined {
    return Reflect.getOwnPropertyDescriptor(this.#complete(), name);
  }

  defineProperty(
    _: Values,
    name: string | symbol,
    property: PropertyDescriptor,
  ): boolean {
    return Reflect.defineProperty(this.#complete(), name, property);
  }

  setPrototypeOf(_: Values, prototype: object | null): boolean {
    return Reflect.setPrototypeOf(this.#complete(), prototype);
  }

  preventExtensions(): boolean {
    return Reflect.preventExtensions(this.#complete());
  }
}

function inspectWhole(
  this: object,
  _depth: number,
  options: unknown,
  inspect: (value: unknown, options: unknown) => string,
): string {
  return inspect({ __proto__: null, ...this }, options);
}

/** A variable as PEP 3333 wants it. */
function variableValue(
  name: string,
  sent: string | undefined,
  read: ReadVariable,
  mount: string,
): string | undefined {
  const value = sent === undefined
    ? undefined
    : normalValue(headerName(name) ?? name, sent, read) ?? undefined;
  switch (name) {
    case "SCRIPT_NAME":
      return splitPath(read, mount)[0];
    case "PATH_INFO":
      return splitPath(read, mount)[1];
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

/**
 * Where the path of the application ends: after the mount, where that is told
 * and fits, and otherwise where the web server says, if it does.
 */
function splitPath(
  read: ReadVariable,
  mount: string,
): [script: string, info: string] {
  const script = read("SCRIPT_NAME") ?? "";
  const info = read("PATH_INFO");
  const path = script + (info ?? "") || targetPath(read);
  if (mount !== "" && path.startsWith(mount)) {
    const rest = path.slice(mount.length);
    if (rest === "" || rest.startsWith("/")) return [mount, rest];
  }
  if (script === "/") {
    return ["", info?.startsWith("/") ? info : `/${info ?? ""}`];
  }
  return normalVariable("SCRIPT_NAME", read)
    ? [script, info ?? ""]
    : ["", path];
}

/** The path of REQUEST_URI, decoded as web servers do it. */
function targetPath(read: ReadVariable): string {
  const [path = ""] = (read("REQUEST_URI") ?? "").split("?");
  if (!path.startsWith("/")) return "";
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // Not UTF-8, or no escape.
  }
}

function portOf(read: ReadVariable): string {
  const port = /:(\d+)$/.exec(read("HTTP_HOST") ?? "")?.[1];
  if (port !== undefined) return port;
  return requestScheme(read) === "https" ? "443" : "80";
}
