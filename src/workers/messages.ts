// What a supervisor and its workers tell each other, over the pipe that
// `node:child_process` makes: it carries JSON, and listening sockets.

import type { GroupStats, WorkerFigures } from "../server/group_stats.ts";

/**
 * The environment variable that makes a process a worker: the number of its
 * listening sockets.
 */
export const WORKER_VARIABLE = "SMISK_WORKER";

/** How often a worker shows that it lives. */
export const BEAT_MS = 500;

/** What a worker says. */
export type FromWorker =
  /** Its application starts. The time is null for none. */
  | { type: "starting"; startTimeoutMs: number | null }
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

/**
 * How it says so: the program that it runs may send messages of its own, which
 * are nobody's here.
 */
export interface Told {
  readonly smisk: FromWorker;
}

/** What a supervisor says. */
export type ToWorker =
  /** Listen on the socket that comes along. */
  | { type: "socket" }
  /** Stop gracefully: another worker has taken its place. */
  | { type: "leave" }
  /** Stop gracefully. */
  | { type: "stop" }
  /** Stop at once. */
  | { type: "abort" }
  /** The answer to `ask`. */
  | { type: "group"; group: GroupStats };
