// Observer: what stands between a server and an application where anything is
// to be seen of it from outside. It is loaded only where something is asked
// for; without it requests go to the application as if it did not exist.

import { addStats } from "../server/stats.ts";
import type { Exchange } from "../server/exchange.ts";
import type { GroupStats } from "../server/group_stats.ts";
import type { ServerStats } from "../server/stats.ts";
import type { AccessLog } from "./access_log.ts";
import type { ObserveOptions } from "./options.ts";
import type { Pages } from "./pages.ts";
import type { SlowLog } from "./slow_log.ts";
import type { Status } from "./status.ts";
import type { Telemetry } from "./telemetry.ts";

/** What an observer is made of. */
export interface ObserverParts {
  /** The name of the application's class. */
  readonly application: string;
  /** The version of this package. */
  readonly version: string;
  /** Whether OpenTelemetry's API is registered. */
  readonly hasTelemetry: boolean;
  /** What each server of the application has counted. */
  stats(): Iterable<ServerStats>;
  /** Asks about all workers, null where this process is none. */
  readonly group: (() => Promise<GroupStats>) | null;
  /** Writes a line to the server's own log. */
  report(message: string): void;
}

/** Serves one request. Never throws. */
export type Serve = (exchange: Exchange) => void;

/** Sees every request before the application does. */
export class Observer {
  #pages: Pages | null = null;
  #log: AccessLog | null = null;
  #slow: SlowLog | null = null;
  #telemetry: Telemetry | null = null;

  private constructor() {}

  /**
   * Gets ready to observe.
   *
   * @param options What is asked for.
   * @param parts Of whom.
   * @returns The observer.
   * @throws {RangeError} Where an option is out of its bounds.
   * @throws {TypeError} Where one is of the wrong type.
   * @throws {StartError} Where that cannot be, and why.
   */
  static async open(
    options: ObserveOptions,
    parts: ObserverParts,
  ): Promise<Observer> {
    const observing = resolveObserving(options);
    const { report, version } = parts;
    const observer = new Observer();
    if (observing !== null) {
      const { accessLog, pingPath, slowLogMs, statusPath } = observing;
      if (pingPath !== "" || statusPath !== "") {
        const { Pages } = await import("./pages.ts");
        observer.#pages = new Pages(observing, statusOf(parts), report);
      }
      if (accessLog !== "") {
        const { AccessLog } = await import("./access_log.ts");
        observer.#log = await AccessLog.open(observing, parts);
      }
      if (slowLogMs !== Infinity) {
        const { SlowLog } = await import("./slow_log.ts");
        observer.#slow = await SlowLog.open(slowLogMs, report);
      }
    }
    if (parts.hasTelemetry) {
      const { Telemetry } = await import("./telemetry.ts");
      observer.#telemetry = Telemetry.find(version);
    }
    return observer;
  }

  /**
   * Puts itself before an application.
   *
   * @param serve Serves a request.
   * @returns The same, observed.
   */
  observe(serve: Serve): Serve {
    const pages = this.#pages;
    const log = this.#log;
    const slow = this.#slow;
    const telemetry = this.#telemetry;
    const watched: Serve = slow === null
      ? serve
      : (exchange) => slow.run(exchange, serve);
    const traced: Serve = telemetry === null
      ? watched
      : (exchange) => telemetry.run(exchange, watched);
    return (exchange) => {
      if (pages !== null && pages.answer(exchange)) return;
      log?.watch(exchange);
      traced(exchange);
    };
  }

  /**
   * A request was answered in the application's place.
   *
   * @param exchange The request.
   */
  refused(exchange: Exchange): void {
    this.#log?.watch(exchange);
  }

  /** Nothing more comes: what waits is written, for a bounded time. */
  async flush(): Promise<void> {
    await this.#log?.flush();
  }
}

function statusOf(parts: ObserverParts): () => Promise<Status> {
  const { application, group, stats, version } = parts;
  const startedAt = Date.now();
  let groupStartedAt = 0;
  return async () => {
    const all = group === null ? null : await group();
    const now = Date.now();
    const shared = { application, version, now, group: all };
    if (all === null) {
      return {
        ...shared,
        pid: Deno.pid,
        startedAt,
        memoryBytes: Deno.memoryUsage().rss,
        stats: addStats(stats()),
      };
    }
    // An age is told, and each time it takes another while to come.
    groupStartedAt ||= Math.floor((now - all.ageMs) / 1000) * 1000;
    return {
      ...shared,
      pid: all.pid,
      startedAt: groupStartedAt,
      memoryBytes: all.workers.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
      stats: all.total,
    };
  };
}

/** {@linkcode ObserveOptions}, with every default filled in. */
export type Observing = Readonly<Required<ObserveOptions>>;

/** The longest a timer takes. */
const MOST_MS = 0x7fffffff;

/**
 * Fills in the defaults of what can be seen from outside.
 *
 * @param options What the user set.
 * @returns Every option; null where all is off.
 * @throws {TypeError} Where a value is of the wrong type.
 * @throws {RangeError} Where it is no path, or out of bounds.
 */
export function resolveObserving(options: ObserveOptions): Observing | null {
  const { accessLog = "", accessFormat = "", pingPath = "", statusPath = "" } =
    options;
  const { slowLogMs = Infinity } = options;
  const isWhole = Number.isInteger(slowLogMs) && slowLogMs <= MOST_MS;
  if (slowLogMs < 1 || !isWhole && slowLogMs !== Infinity) {
    throw new RangeError(
      `Cannot set slowLogMs to ${slowLogMs}: it takes a whole number of 1 to ${MOST_MS}, or Infinity`,
    );
  }
  const texts = { accessLog, accessFormat, pingPath, statusPath };
  const fail = (name: keyof typeof texts, why: string): never => {
    throw new RangeError(`Cannot set ${name} to "${texts[name]}": ${why}`);
  };
  for (const [name, value] of Object.entries(texts)) {
    if (typeof value === "string") continue;
    throw new TypeError(
      `Cannot set ${name} to a ${typeof value}: it takes a string`,
    );
  }
  for (const name of ["pingPath", "statusPath"] as const) {
    if (!/^(?:\/[!-"$->@-~]*)?$/.test(texts[name])) {
      fail(name, "it takes a path as it stands in a URL, such as /ping");
    }
  }
  if (pingPath !== "" && pingPath === statusPath) {
    fail("statusPath", "that is the pingPath");
  }
  if (accessLog === "" && accessFormat !== "") {
    fail("accessFormat", "there is no accessLog, which tells where to");
  }
  if (accessLog.includes("\0")) fail("accessLog", "it has a NUL in it");
  const isOn = Object.values(texts).join("") !== "" || slowLogMs < Infinity;
  return isOn
    ? { ...texts, accessFormat: accessFormat || "combined", slowLogMs }
    : null;
}
