// What is known of the workers of a program, where it has any.

import type { ServerStats } from "./stats.ts";

/** What a worker tells of itself. */
export interface WorkerFigures {
  /** What its servers count, added up. */
  stats: ServerStats;
  /** Resident memory of the process, in bytes. */
  rssBytes: number;
}

/** One worker, as its supervisor sees it. */
export interface WorkerStats extends WorkerFigures {
  /** Its number, 1 and up; that of the one whose place it took. */
  worker: number;
  /** Its process id. */
  pid: number;
  /**
   * Whether it starts, serves, or finishes what is in flight because another
   * has taken its place or all stop.
   */
  state: "starting" | "ready" | "leaving";
  /** Milliseconds since it was started. */
  ageMs: number;
}

/** All workers of a program. */
export interface GroupStats {
  /** The process id of the supervisor. */
  pid: number;
  /** Milliseconds since the supervisor started. */
  ageMs: number;
  /** How often a worker ended that was not told to. */
  crashes: number;
  /** How often all workers were replaced because of SIGHUP. */
  reloads: number;
  /** How many workers were replaced because of `maxRequests`. */
  recycled: number;
  /** The workers there are, those included that are about to end. */
  workers: WorkerStats[];
  /** What all of them count, and those that have ended counted. */
  total: ServerStats;
}
