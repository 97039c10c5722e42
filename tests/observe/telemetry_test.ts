// OpenTelemetry: the spans that a collector gets of a program.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { deno, listening } from "../command/programs.ts";
import { askOn } from "../support/ask.ts";
import { Peer, within } from "../support/peer.ts";
import { ABORT, record, request, STDOUT } from "../support/wire.ts";

/** A span, as OTLP has it in JSON. */
interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: {
    key: string;
    value: { stringValue?: string; doubleValue?: number };
  }[];
  status: { code: number };
}

/** SPAN_KIND_SERVER of OTLP. */
const SERVER = 2;
/** STATUS_CODE_ERROR of OTLP. */
const ERROR = 2;

/** Takes what a program tells of itself over OTLP. */
class Collector implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #waiting = new Set<() => void>();
  readonly spans: Span[] = [];

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        const told = await request.json();
        for (const { scopeSpans } of told.resourceSpans ?? []) {
          for (const { spans } of scopeSpans) this.spans.push(...spans);
        }
        for (const look of [...this.#waiting]) look();
        return Response.json({});
      },
    );
  }

  /** What makes the runtime tell this one. */
  get env(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_BSP_SCHEDULE_DELAY: "20",
    };
  }

  /** Waits for a span. */
  async until(fits: (span: Span) => boolean): Promise<Span> {
    let look = () => {};
    const found = new Promise<Span>((resolve) => {
      look = () => {
        const span = this.spans.find(fits);
        if (span !== undefined) resolve(span);
      };
      this.#waiting.add(look);
      look();
    });
    try {
      return await within(found, "a span");
    } finally {
      this.#waiting.delete(look);
    }
  }

  /** Waits for the server span of a path. */
  ofPath(path: string): Promise<Span> {
    return this.until((span) =>
      span.kind === SERVER && attributesOf(span)["url.path"] === path
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function attributesOf({ attributes }: Span): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.doubleValue,
    ]),
  );
}

function start(env: Record<string, string>) {
  const file = new URL("telemetry_app.ts", import.meta.url).pathname;
  return deno(["--allow-net", file, "--bind=127.0.0.1:0"], { env });
}

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

Deno.test("a program under OTEL_DENO=true tells a server span of each request, below its traceparent", async () => {
  await using collector = new Collector();
  await using app = start(collector.env);
  using peer = await Peer.connect(await listening(app));
  const answer = await askOn(peer, {
    params: {
      REQUEST_METHOD: "GET",
      REQUEST_URI: "/a/b?c=d&e?f",
      HTTP_HOST: "to.test:81",
      HTTPS: "on",
      HTTP_USER_AGENT: "Mozilla/5.0",
      HTTP_TRACEPARENT: `00-${TRACE}-${PARENT}-01`,
    },
  });
  assertEquals(answer.text, "hello");
  const span = await collector.ofPath("/a/b");
  assertEquals(
    [span.name, span.kind, span.traceId, span.parentSpanId],
    ["GET", SERVER, TRACE, PARENT],
  );
  assertEquals(attributesOf(span), {
    "http.request.method": "GET",
    "url.path": "/a/b",
    "url.query": "c=d&e?f",
    "url.scheme": "https",
    "server.address": "to.test",
    "server.port": 81,
    "client.address": "192.0.2.1",
    "user_agent.original": "Mozilla/5.0",
    "network.protocol.version": "1.1",
    "http.response.status_code": 200,
    "http.response.body.size": 5,
  });
  assert(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
  assertEquals(span.status.code, 0);
  assertEquals((await app.stop()).code, 0);
  assertEquals(app.errors, []);
});

Deno.test("a span is the parent of what the service tells, and has none where nothing fit comes", async () => {
  await using collector = new Collector();
  await using app = start(collector.env);
  using peer = await Peer.connect(await listening(app));
  await askOn(peer, { params: { REQUEST_URI: "/child" } });
  const own = await collector.ofPath("/child");
  const child = await collector.until(({ name }) => name === "child");
  assertEquals(
    [child.traceId, child.parentSpanId],
    [own.traceId, own.spanId],
  );
  assertMatch(own.parentSpanId ?? "", /^0*$/);

  const malformed = [
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-01-more`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    "nonsense",
  ];
  for (const [i, HTTP_TRACEPARENT] of malformed.entries()) {
    await askOn(peer, {
      params: { REQUEST_URI: `/${i}`, HTTP_TRACEPARENT },
    });
    const span = await collector.ofPath(`/${i}`);
    assertEquals([i, span.traceId === TRACE], [i, false]);
  }
  // A later version may have more.
  await askOn(peer, {
    params: {
      REQUEST_URI: "/later",
      HTTP_TRACEPARENT: `01-${TRACE}-${PARENT}-01-more`,
    },
  });
  assertEquals((await collector.ofPath("/later")).parentSpanId, PARENT);
});

Deno.test("a span tells of an error, of one that broke off, and of a method that is none", async () => {
  await using collector = new Collector();
  await using app = start(collector.env);
  using peer = await Peer.connect(await listening(app));
  await askOn(peer, {
    params: { REQUEST_URI: "/throw", REQUEST_METHOD: "BREW" },
  });
  const failed = await collector.ofPath("/throw");
  assertEquals([failed.name, failed.status.code], ["HTTP", ERROR]);
  const told = attributesOf(failed);
  assertEquals(
    [
      told["http.request.method"],
      told["http.request.method_original"],
      told["http.response.status_code"],
      told["error.type"],
    ],
    ["_OTHER", "BREW", 500, "500"],
  );

  await peer.send(request({ params: { REQUEST_URI: "/wait" } }));
  await peer.until(({ type }) => type === STDOUT);
  await peer.send(record(ABORT, 1));
  const lost = await collector.ofPath("/wait");
  assertEquals(
    [lost.status.code, attributesOf(lost)["error.type"]],
    [ERROR, "AbortedError"],
  );
});

Deno.test("a program without OTEL_DENO tells nothing", async () => {
  await using collector = new Collector();
  const { OTEL_DENO: _, ...env } = collector.env;
  await using app = start(env);
  using peer = await Peer.connect(await listening(app));
  assertEquals((await askOn(peer)).text, "hello");
  assertEquals((await app.stop()).code, 0);
  assertEquals(collector.spans, []);
});
