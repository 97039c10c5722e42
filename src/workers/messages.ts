// What a supervisor and its workers tell each other, over the pipe that
// `node:child_process` makes: it carries JSON, and listening sockets.

import type { ServerStats } from "../server/stats.ts";

/**
 * The environment variable that makes a process a worker: the number of its
 * listening sockets.
 */
export const WORKER_VARIABLE = "SMISK_WORKER";

/** How often a worker shows that it lives. */
export const BEAT_MS = 500;

/** What a worker tells of itself. */
export interface WorkerFigures {
  /** What its servers count, added up. */
  stats: ServerStats;
  /** Resident memory of the process, in bytes. */
  rssBytes: number;
  /** JavaScript objects, in bytes. */
  heapUsedBytes: number;
}

/** What a worker says. */
export type FromWorker =
  /** It accepts connections. Times are null for none. */
  | {
    type: "ready";
    shutdownTimeoutMs: number;
    stuckTimeoutMs: number | null;
  }
  /** It lives. */
  | { type: "beat"; figures: WorkerFigures }
  /** It accepts no connections any more. */
  | { type: "closed" }
  /** It has served `maxRequests`. */
  | { type: "tired" }
  /** It wants to know about all workers. */
  | { type: "ask" };

/** What a supervisor says. */
export type ToWorker =
  /** Listen on the socket that comes along. */
  | { type: "socket" }
  /** Stop gracefully. */
  | { type: "stop" }
  /** Stop at once. */
  | { type: "abort" }
  /** The answer to `ask`. */
  | { type: "group"; group: GroupStats };

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
  /** Milliseconds since it last showed that it lives. */
  silentMs: number;
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
