// What is answered before the application: `pong` on the ping path, and on the
// status path what the server has done and does, as text, JSON, HTML or
// OpenMetrics. Nothing of a request is echoed.

import { chooseForm } from "../accept.ts";
import { HeaderBlock } from "../cgi/header_block.ts";
import { Role } from "../protocol/constants.ts";
import type { Exchange } from "../server/exchange.ts";
import type { ServerStats } from "../server/stats.ts";

/** What is answered where; empty for nothing. */
export interface Paths {
  /** Answered with `pong`. */
  readonly pingPath: string;
  /** Answered with the status. */
  readonly statusPath: string;
}

/** The forms of the status, the first where nothing is asked for. */
const FORMS = ["text", "json", "html", "openmetrics"] as const;

/** Their media types, as clients ask for them. */
const TYPES: readonly (readonly string[])[] = [
  ["text/plain"],
  ["application/json"],
  ["text/html", "application/xhtml+xml"],
  ["application/openmetrics-text"],
];

const CONTENT_TYPES: readonly string[] = [
  "text/plain; charset=utf-8",
  "application/json",
  "text/html; charset=utf-8",
  "application/openmetrics-text; version=1.0.0; charset=utf-8",
];

/** Answers in the application's place. */
export class Pages {
  readonly #paths: Paths;
  readonly #status: () => Status | Promise<Status>;
  readonly #report: (message: string) => void;

  /**
   * Creates what answers.
   *
   * @param paths What is answered where.
   * @param status Tells the status.
   * @param report Tells what goes wrong.
   */
  constructor(
    paths: Paths,
    status: () => Status | Promise<Status>,
    report: (message: string) => void,
  ) {
    this.#paths = paths;
    this.#status = status;
    this.#report = report;
  }

  /**
   * Answers a request, if it is for one of the paths.
   *
   * @param exchange The request.
   * @returns Whether it is.
   */
  answer(exchange: Exchange): boolean {
    // To an Authorizer's web server a 200 is leave to go on.
    if (exchange.role !== Role.RESPONDER) return false;
    const [path, query] = targetOf(exchange);
    const { pingPath, statusPath } = this.#paths;
    if (path === "" || path !== pingPath && path !== statusPath) return false;
    const method = exchange.latin1Param("REQUEST_METHOD");
    if (method !== "GET" && method !== "HEAD") {
      send(exchange, 405, CONTENT_TYPES[0]!, "405 Method Not Allowed\n", [
        ["allow", "GET, HEAD"],
      ]);
    } else if (path === pingPath) {
      send(exchange, 200, CONTENT_TYPES[0]!, "pong\n");
    } else this.#tell(exchange, query);
    return true;
  }

  async #tell(exchange: Exchange, query: string): Promise<void> {
    const asked = query.split("&").map((part) => part.split("=", 1)[0]);
    const named = FORMS.findIndex((form) => asked.includes(form));
    const accept = exchange.latin1Param("HTTP_ACCEPT") ?? "";
    const form = named >= 0 ? named : Math.max(0, chooseForm(accept, TYPES));
    try {
      const status = await this.#status();
      send(
        exchange,
        200,
        CONTENT_TYPES[form]!,
        writeStatus(status, FORMS[form]!),
        [
          ["vary", "Accept"],
          ["content-security-policy", "default-src 'none'"],
        ],
      );
    } catch (error) {
      this.#report(
        `Cannot tell the status: ${
          error instanceof Error ? error.message : error
        }`,
      );
      exchange.refuse(500);
    }
  }
}

/** The path and the query that were asked for. */
function targetOf(exchange: Exchange): [path: string, query: string] {
  const read = (name: string) => exchange.latin1Param(name) ?? "";
  const uri = read("REQUEST_URI").replace(
    /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i,
    "",
  );
  if (uri === "") {
    return [read("SCRIPT_NAME") + read("PATH_INFO"), read("QUERY_STRING")];
  }
  const at = uri.indexOf("?");
  return at < 0 ? [uri, ""] : [uri.slice(0, at), uri.slice(at + 1)];
}

function send(
  exchange: Exchange,
  status: number,
  type: string,
  body: string,
  headers: readonly (readonly [string, string])[] = [],
): void {
  const head = new HeaderBlock(status, "", [
    ["content-type", type],
    ["cache-control", "no-store"],
    ["x-content-type-options", "nosniff"],
    ...headers,
  ]);
  exchange.begin(head, false);
  exchange.write(body);
  exchange.finish();
}

// The status. Names in JSON and OpenMetrics stay: dashboards are made of them

/** What is told of a server. */
export interface Status {
  /** The name of the application's class. */
  readonly application: string;
  /** The version of this package. */
  readonly version: string;
  /** The process id. */
  readonly pid: number;
  /** When it started, in milliseconds since 1970. */
  readonly startedAt: number;
  /** When this was asked for. */
  readonly now: number;
  /** Bytes of memory that the process holds (resident). */
  readonly memoryBytes: number;
  /** What was counted. */
  readonly stats: ServerStats;
}

/**
 * Writes the status.
 *
 * @param status The status.
 * @param form Its form.
 * @returns The text.
 */
export function writeStatus(
  status: Status,
  form: "text" | "json" | "html" | "openmetrics",
): string {
  switch (form) {
    case "json":
      return JSON.stringify(objectOf(status)) + "\n";
    case "html":
      return htmlOf(status);
    case "openmetrics":
      return metricsOf(status);
    default:
      return linesOf(status).map(([name, value]) =>
        `${name}:`.padEnd(24) + value + "\n"
      ).join("");
  }
}

const RUNTIME = `Deno ${Deno.version.deno}`;

function uptimeOf({ now, startedAt }: Status): number {
  return Math.max(0, Math.floor((now - startedAt) / 1000));
}

function linesOf(status: Status): [name: string, value: string][] {
  const { application, pid, startedAt, memoryBytes, stats } = status;
  const { latency } = stats;
  const timed = latency.counts.reduce((sum, count) => sum + count, 0);
  const mean = timed === 0 ? "-" : `${(latency.sumMs / timed).toFixed(3)} ms`;
  return [
    ["application", application],
    ["version", `Smisk ${status.version}, ${RUNTIME}`],
    ["process", String(pid)],
    ["started", new Date(startedAt).toISOString()],
    ["uptime", `${uptimeOf(status)} s`],
    ["memory", `${memoryBytes} bytes`],
    ["connections accepted", String(stats.accepted)],
    ["connections active", String(stats.active)],
    ["connections idle", String(stats.idle)],
    ["requests in flight", String(stats.inFlight)],
    ["requests served", String(stats.served)],
    ["requests aborted", String(stats.aborted)],
    ["requests refused", String(stats.refused)],
    ["bytes in", String(stats.bytesIn)],
    ["bytes out", String(stats.bytesOut)],
    ["latency, mean", mean],
    ...[50, 95, 99].map((percent): [string, string] => [
      `latency, ${percent} %`,
      quantileOf(stats, timed, percent / 100),
    ]),
  ];
}

/** The bound of the bucket that a part of the requests is below. */
function quantileOf(
  { latency: { boundsMs, counts } }: ServerStats,
  timed: number,
  part: number,
): string {
  if (timed === 0) return "-";
  let sum = 0;
  const bucket = counts.findIndex((count) => (sum += count) >= part * timed);
  return bucket < boundsMs.length
    ? `up to ${boundsMs[bucket]} ms`
    : `more than ${boundsMs.at(-1)} ms`;
}

function objectOf(status: Status): Record<string, unknown> {
  const { application, pid, startedAt, memoryBytes, stats } = status;
  return {
    application,
    version: status.version,
    runtime: RUNTIME,
    pid,
    startedAt: new Date(startedAt).toISOString(),
    uptimeSeconds: uptimeOf(status),
    memoryBytes,
    ...stats,
  };
}

function htmlOf(status: Status): string {
  const rows = linesOf(status).map(([name, value]) =>
    `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>\n`
  ).join("");
  return `<!DOCTYPE html>
<html lang="en">
<head><title>Status of ${escapeHtml(status.application)}</title></head>
<body>
<h1>Status of ${escapeHtml(status.application)}</h1>
<table>
${rows}</table>
<p><a href="?text">Text</a>, <a href="?json">JSON</a>, <a href="?openmetrics">OpenMetrics</a></p>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}

/** One family of metrics. */
type Family = readonly [
  name: string,
  type: "counter" | "gauge" | "histogram" | "info",
  help: string,
  samples: readonly (readonly [suffix: string, value: number])[],
];

function metricsOf(status: Status): string {
  const { application, memoryBytes, startedAt, stats } = status;
  const { latency } = stats;
  let sum = 0;
  const buckets = latency.counts.map((count, i): [string, number] => {
    const bound = latency.boundsMs[i];
    const le = bound === undefined ? "+Inf" : floatOf(bound / 1000);
    return [`_bucket{le="${le}"}`, sum += count];
  });
  const families: Family[] = [
    ["smisk", "info", "What runs.", [[
      `_info${
        labels({ application, version: status.version, runtime: RUNTIME })
      }`,
      1,
    ]]],
    ["smisk_start_time_seconds", "gauge", "When it started, since 1970.", [
      ["", startedAt / 1000],
    ]],
    ["smisk_memory_bytes", "gauge", "Memory that the process holds.", [
      ["", memoryBytes],
    ]],
    ["smisk_connections_accepted", "counter", "Connections accepted.", [
      ["_total", stats.accepted],
    ]],
    ["smisk_connections", "gauge", "Connections that are open.", [
      ['{state="active"}', stats.active],
      ['{state="idle"}', stats.idle],
    ]],
    ["smisk_requests_in_flight", "gauge", "Requests in flight.", [
      ["", stats.inFlight],
    ]],
    ["smisk_requests", "counter", "Requests that are over.", [
      ['_total{outcome="served"}', stats.served],
      ['_total{outcome="aborted"}', stats.aborted],
      ['_total{outcome="refused"}', stats.refused],
    ]],
    ["smisk_received_bytes", "counter", "Bytes read from connections.", [
      ["_total", stats.bytesIn],
    ]],
    ["smisk_sent_bytes", "counter", "Bytes written to connections.", [
      ["_total", stats.bytesOut],
    ]],
    ["smisk_request_duration_seconds", "histogram", "How long requests took.", [
      ...buckets,
      ["_count", sum],
      ["_sum", latency.sumMs / 1000],
    ]],
  ];
  return families.map(([name, type, help, samples]) =>
    `# TYPE ${name} ${type}\n${unitOf(name)}# HELP ${name} ${help}\n` +
    samples.map(([suffix, value]) => `${name}${suffix} ${value}\n`).join("")
  ).join("") + "# EOF\n";
}

function unitOf(name: string): string {
  const unit = /_(seconds|bytes)$/.exec(name)?.[1];
  return unit === undefined ? "" : `# UNIT ${name} ${unit}\n`;
}

/** A bound is a float (OpenMetrics 1.0, "Considerations: Canonical Numbers"). */
function floatOf(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function labels(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([name, value]) =>
    `${name}="${value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`
  );
  return `{${pairs.join(",")}}`;
}
