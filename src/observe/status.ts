// The status of a server in each of its forms. Names in JSON and OpenMetrics
// stay: dashboards are made of them.

import type { GroupStats, WorkerStats } from "../server/group_stats.ts";
import type { ServerStats } from "../server/stats.ts";

/** What is told of a server. */
export interface Status {
  /** The name of the application's class. */
  readonly application: string;
  /** The version of this package. */
  readonly version: string;
  /** The process id: of workers, that of what keeps them running. */
  readonly pid: number;
  /** When it started, in milliseconds since 1970. */
  readonly startedAt: number;
  /** When this was asked for. */
  readonly now: number;
  /** Bytes of memory held (resident): of workers, by all of them. */
  readonly memoryBytes: number;
  /** What was counted. */
  readonly stats: ServerStats;
  /** The workers, null where this process serves by itself. */
  readonly group: GroupStats | null;
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
    ...status.group === null ? [] : groupLines(status.group),
  ];
}

function groupLines(group: GroupStats): [name: string, value: string][] {
  return [
    ["workers", String(group.workers.length)],
    ["workers that crashed", String(group.crashes)],
    ["workers recycled", String(group.recycled)],
    ["reloads", String(group.reloads)],
    ...group.workers.map((worker): [string, string] => [
      `worker ${worker.worker}`,
      `process ${worker.pid}, ${worker.state}, up ${
        Math.floor(worker.ageMs / 1000)
      } s, ${worker.rssBytes} bytes, ${worker.stats.inFlight} in flight, ${worker.stats.served} served`,
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
    ...status.group === null ? {} : groupObject(status.group),
  };
}

function groupObject(group: GroupStats): Record<string, unknown> {
  const { crashes, recycled, reloads } = group;
  return {
    crashes,
    recycled,
    reloads,
    workers: group.workers.map((worker) => ({
      worker: worker.worker,
      pid: worker.pid,
      state: worker.state,
      uptimeSeconds: Math.floor(worker.ageMs / 1000),
      memoryBytes: worker.rssBytes,
      ...worker.stats,
    })),
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
    ...status.group === null ? [] : groupFamilies(status.group),
  ];
  return families.map(([name, type, help, samples]) =>
    `# TYPE ${name} ${type}\n${unitOf(name)}# HELP ${name} ${help}\n` +
    samples.map(([suffix, value]) => `${name}${suffix} ${value}\n`).join("")
  ).join("") + "# EOF\n";
}

function groupFamilies(group: GroupStats): Family[] {
  const each = (
    suffix: string,
    value: (worker: WorkerStats) => number,
  ): Family[3] =>
    group.workers.map((worker) => [
      suffix + labels({
        worker: String(worker.worker),
        pid: String(worker.pid),
      }),
      value(worker),
    ]);
  return [
    ["smisk_worker_crashes", "counter", "Workers that ended untold.", [
      ["_total", group.crashes],
    ]],
    ["smisk_worker_recycled", "counter", "Workers that served enough.", [
      ["_total", group.recycled],
    ]],
    ["smisk_reloads", "counter", "How often all workers were replaced.", [
      ["_total", group.reloads],
    ]],
    [
      "smisk_worker_age_seconds",
      "gauge",
      "How long each worker runs.",
      each("", ({ ageMs }) => ageMs / 1000),
    ],
    [
      "smisk_worker_memory_bytes",
      "gauge",
      "Memory that each worker holds.",
      each("", ({ rssBytes }) => rssBytes),
    ],
    [
      "smisk_worker_requests_in_flight",
      "gauge",
      "Requests in flight of each worker.",
      each("", ({ stats }) => stats.inFlight),
    ],
    [
      "smisk_worker_requests_served",
      "counter",
      "Requests that each worker has served.",
      each("_total", ({ stats }) => stats.served),
    ],
  ];
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
