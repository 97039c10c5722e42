// Telemetry: a server span of OpenTelemetry for each request, where the runtime
// (OTEL_DENO=true) or a package has registered its API. The registration is a
// global of a fixed name, so that no package is needed to find it, and nothing
// is asked of the environment.
//
// What a span says follows the semantic conventions for HTTP, version 1.23 and
// later; its parent is the incoming `traceparent` (W3C Trace Context).

import { requestScheme, requestTarget } from "../cgi/url.ts";
import type { Exchange } from "../server/exchange.ts";
import { statusOf } from "./log_format.ts";

// What is used of the API, as `@opentelemetry/api` 1 declares it.

interface Context {
  setValue(key: symbol, value: unknown): Context;
}

interface Span {
  setAttribute(name: string, value: string | number): unknown;
  setStatus(status: { code: number }): unknown;
  end(): void;
}

interface Api {
  readonly trace: {
    getTracer(name: string, version: string): {
      startSpan(
        name: string,
        options: {
          kind: number;
          attributes: Record<string, string | number>;
        },
        context: Context,
      ): Span;
    };
  };
  readonly context: {
    active(): Context;
    with<A>(
      context: Context,
      call: (argument: A) => void,
      self: undefined,
      argument: A,
    ): void;
  };
}

const API = Symbol.for("opentelemetry.js.api.1");
/** Where a context has its span: the key's description in every version 1. */
const SPAN_KEY = Symbol.for("OpenTelemetry Context Key SPAN");
const SERVER = 1;
const ERROR = 2;

/** The methods that have names of their own (the conventions' default). */
const METHODS: ReadonlySet<string> = new Set([
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "TRACE",
]);

/** Makes spans. */
export class Telemetry {
  readonly #api: Api;
  readonly #tracer: ReturnType<Api["trace"]["getTracer"]>;

  private constructor(api: Api, version: string) {
    this.#api = api;
    this.#tracer = api.trace.getTracer("@smisk/smisk", version);
  }

  /**
   * Finds what is registered.
   *
   * @param version The version of this package.
   * @returns What makes spans, null where nothing would take them.
   */
  static find(version: string): Telemetry | null {
    const api = (globalThis as unknown as Record<symbol, Partial<Api>>)[API];
    return api?.trace === undefined || api.context === undefined
      ? null
      : new Telemetry(api as Api, version);
  }

  /**
   * Serves a request within a span.
   *
   * @param exchange The request.
   * @param serve Serves it.
   */
  run(exchange: Exchange, serve: (exchange: Exchange) => void): void {
    const read = (name: string) => exchange.latin1Param(name) || null;
    const { context } = this.#api;
    const active = context.active();
    const parent = parentOf(read("HTTP_TRACEPARENT"));
    const method = read("REQUEST_METHOD")!;
    const isKnown = METHODS.has(method);
    const span = this.#tracer.startSpan(
      isKnown ? method : "HTTP",
      { kind: SERVER, attributes: attributesOf(read, isKnown, exchange) },
      parent === null ? active : active.setValue(SPAN_KEY, parent),
    );
    const end = () => endSpan(span, exchange);
    exchange.completed.then(end, end);
    const own = active.setValue(SPAN_KEY, span);
    context.with(own, serve, undefined, exchange);
  }
}

function attributesOf(
  read: (name: string) => string | null,
  isKnown: boolean,
  exchange: Exchange,
): Record<string, string | number> {
  const method = read("REQUEST_METHOD")!;
  const [path, ...query] = requestTarget(read).split("?");
  const attributes: Record<string, string | number> = {
    "http.request.method": isKnown ? method : "_OTHER",
    "url.path": path!,
    "url.scheme": requestScheme(read),
  };
  const set = (name: string, value: string | number | null) => {
    if (value !== null) attributes[name] = value;
  };
  if (!isKnown) set("http.request.method_original", method);
  if (query.length > 0) set("url.query", query.join("?"));
  const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(
    read("HTTP_HOST") ?? read("SERVER_NAME") ?? "",
  ) ?? [];
  set("server.address", host || null);
  const number = Number(port ?? read("SERVER_PORT") ?? 0);
  set("server.port", host && number > 0 ? number : null);
  set("client.address", read("REMOTE_ADDR"));
  set("user_agent.original", read("HTTP_USER_AGENT"));
  set(
    "network.protocol.version",
    /^HTTP\/(\d(?:\.\d)?)$/.exec(read("SERVER_PROTOCOL") ?? "")?.[1] ?? null,
  );
  if (exchange.contentLength >= 0) {
    set("http.request.body.size", exchange.contentLength);
  }
  return attributes;
}

function endSpan(span: Span, exchange: Exchange): void {
  const { output } = exchange;
  if (output.isHeadSent) {
    const status = statusOf(exchange);
    span.setAttribute("http.response.status_code", status);
    span.setAttribute("http.response.body.size", output.bodyBytes);
    if (status >= 500) {
      span.setAttribute("error.type", String(status));
      span.setStatus({ code: ERROR });
    }
  }
  if (exchange.isAborted) {
    const { abortReason } = exchange;
    span.setAttribute(
      "error.type",
      abortReason instanceof Error ? abortReason.name : "broken off",
    );
    span.setStatus({ code: ERROR });
  }
  span.end();
}

/** A span context that stands for a span of somebody else. */
class RemoteSpan {
  readonly #context: Readonly<Record<string, unknown>>;

  constructor(context: Readonly<Record<string, unknown>>) {
    this.#context = context;
  }

  spanContext(): Readonly<Record<string, unknown>> {
    return this.#context;
  }

  isRecording(): boolean {
    return false;
  }
}

/** The span that the request comes from, null where it names none. */
function parentOf(traceparent: string | null): RemoteSpan | null {
  // A later version has more behind a further hyphen (section 3.2.4).
  const [, version, traceId, spanId, flags, rest] =
    /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(
      traceparent ?? "",
    ) ?? [];
  if (
    version === undefined || version === "ff" ||
    version === "00" && rest !== undefined ||
    /^0+$/.test(traceId!) || /^0+$/.test(spanId!)
  ) return null;
  return new RemoteSpan({
    traceId,
    spanId,
    traceFlags: parseInt(flags!, 16) & 1,
    isRemote: true,
  });
}
