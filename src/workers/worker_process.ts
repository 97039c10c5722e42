// WorkerProcess: one worker, as its supervisor has it: a process that is sent
// the listening sockets, and messages.

import type { ChildProcess, SendHandle } from "node:child_process";
import type { GroupStats, WorkerStats } from "../server/group_stats.ts";
import type { ServerStats } from "../server/stats.ts";
import { addStats } from "../server/stats.ts";
import { WORKER_VARIABLE } from "./messages.ts";
import type { FromWorker, Told, ToWorker } from "./messages.ts";
import type { Origin } from "./origin.ts";
import type { SharedSocket } from "./shared_socket.ts";

/** Milliseconds a worker has to load the program. */
const LOAD_TIMEOUT_MS = 60_000;

/** Milliseconds a worker has beyond its shutdownTimeoutMs to end by itself. */
const LEAVE_GRACE_MS = 5_000;

/** Milliseconds one has that was told to stop before it served anybody. */
const UNREADY_GRACE_MS = 2_000;

/** Milliseconds one has that is to end at once. */
const ABORT_GRACE_MS = 1_000;

/** Milliseconds for which something else may hold its end of the pipe. */
const LAST_WORDS_MS = 100;

/** What a worker tells its supervisor. */
export interface WorkerHandler {
  /** It has served as many requests as it should. */
  tired(worker: WorkerProcess): void;
  /** It wants to know about all workers. */
  group(): GroupStats;
  /** It accepts no connections any more, though nobody told it to stop. */
  left(worker: WorkerProcess): void;
  /** It has ended. */
  ended(worker: WorkerProcess): void;
}

type ChildProcessModule = typeof import("node:child_process");

/** A running worker. */
export class WorkerProcess {
  readonly #handler: WorkerHandler;
  readonly #child: ChildProcess;
  readonly #ready = Promise.withResolvers<boolean>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #startedAt = performance.now();
  #seenAt = this.#startedAt;
  #state: WorkerStats["state"] = "starting";
  #stats: ServerStats = addStats([]);
  #rssBytes = 0;
  #silenceMs = LOAD_TIMEOUT_MS;
  /** When it is too late to be ready. */
  #readyBy = this.#startedAt + LOAD_TIMEOUT_MS;
  #startTimeoutMs = LOAD_TIMEOUT_MS;
  #shutdownTimeoutMs = 0;
  #killAt = Infinity;
  /** Whether it was told so, and nothing else yet. */
  #isReplaced = false;
  /** Its number. */
  readonly number: number;
  /** How it ended, empty while it runs. */
  end = "";

  /**
   * Starts a worker.
   *
   * @param module `node:child_process`.
   * @param origin How it is started.
   * @param number Its number.
   * @param sockets What it is to listen on.
   * @param handler What is told of it.
   */
  constructor(
    module: ChildProcessModule,
    origin: Origin,
    number: number,
    sockets: readonly SharedSocket[],
    handler: WorkerHandler,
  ) {
    this.number = number;
    this.#handler = handler;
    const child = module.spawn(otherSpelling(Deno.execPath()), origin.args, {
      cwd: origin.cwd,
      env: { ...origin.env, [WORKER_VARIABLE]: String(sockets.length) },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child = child;
    child.on("message", (message) => {
      const told = (message as Partial<Told> | null)?.smisk;
      if (told !== undefined) this.#hear(told);
    });
    child.on("exit", (code, signal) => {
      this.#leave(signal === null ? `with status ${code}` : `by ${signal}`);
    });
    child.on("error", (error) => {
      // Of a message that came too late, "exit" tells.
      if (child.pid !== undefined) return;
      const isGone = (error as { code?: string }).code === "ENOENT";
      const why = isGone
        ? `${Deno.execPath()} or the directory ${origin.cwd} is gone`
        : error.message;
      this.#leave(`before it began (${why})`);
    });
    for (const { handle } of sockets) this.#send({ type: "socket" }, handle);
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Settles when it accepts connections, or never will: tells which. */
  get ready(): Promise<boolean> {
    return this.#ready.promise;
  }

  /** Settles when it accepts no connections any more. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Settles when it has ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Milliseconds since it was started. */
  get ageMs(): number {
    return performance.now() - this.#startedAt;
  }

  #hear(message: FromWorker): void {
    this.#seenAt = performance.now();
    switch (message.type) {
      case "starting":
        this.#startTimeoutMs = message.startTimeoutMs ?? Infinity;
        this.#readyBy = this.#seenAt + this.#startTimeoutMs;
        break;
      case "ready":
        this.#silenceMs = message.stuckTimeoutMs ?? Infinity;
        this.#shutdownTimeoutMs = message.shutdownTimeoutMs;
        if (this.#state === "starting") this.#state = "ready";
        else this.#leaveWithin(this.#shutdownTimeoutMs + LEAVE_GRACE_MS);
        this.#ready.resolve(true);
        break;
      case "beat":
        this.#stats = message.figures.stats;
        this.#rssBytes = message.figures.rssBytes;
        break;
      case "closed":
        this.#closed.resolve();
        if (this.#state === "ready") {
          this.#state = "leaving";
          this.#leaveWithin(this.#shutdownTimeoutMs + LEAVE_GRACE_MS);
          this.#handler.left(this);
        }
        break;
      case "tired":
        if (this.#state === "ready") this.#handler.tired(this);
        break;
      case "ask":
        this.#send({ type: "group", group: this.#handler.group() });
    }
  }

  #leave(how: string): void {
    if (this.end !== "") return;
    this.end = how;
    this.#ready.resolve(false);
    this.#closed.resolve();
    // What it said last may still be in the pipe.
    const over = () => {
      clearTimeout(timer);
      this.#child.off("disconnect", over);
      this.#ended.resolve();
      this.#handler.ended(this);
    };
    const timer = setTimeout(over, LAST_WORDS_MS);
    if (this.#child.connected) this.#child.on("disconnect", over);
    else over();
  }

  #send(message: ToWorker, handle?: unknown): void {
    if (this.end !== "" || !this.#child.connected) return;
    this.#child.send(message, handle as SendHandle, () => {});
  }

  #leaveWithin(ms: number): void {
    this.#killAt = performance.now() + ms;
  }

  /** Tells it to stop gracefully: another has taken its place. */
  leave(): void {
    if (this.#state === "leaving") return;
    this.#isReplaced = true;
    this.#goAway("leave");
  }

  /** Tells it to stop gracefully. */
  stop(): void {
    if (this.#state === "leaving" && !this.#isReplaced) return;
    this.#isReplaced = false;
    this.#goAway("stop");
  }

  #goAway(type: "leave" | "stop"): void {
    this.#leaveWithin(
      this.#state === "starting"
        ? UNREADY_GRACE_MS
        : this.#shutdownTimeoutMs + LEAVE_GRACE_MS,
    );
    this.#state = "leaving";
    this.#send({ type });
  }

  /** Tells it to stop at once. */
  abort(): void {
    this.#state = "leaving";
    this.#leaveWithin(ABORT_GRACE_MS);
    this.#send({ type: "abort" });
  }

  /**
   * Ends it by force where it is overdue: it stands still, or does not end.
   *
   * @returns Why, empty where it is not.
   */
  check(): string {
    const now = performance.now();
    const silence = now - this.#seenAt;
    if (now > this.#killAt) {
      this.#kill();
      return "did not end when it was to";
    }
    if (this.#state === "starting" && now > this.#readyBy) {
      this.#kill();
      return `was not ready after ${secondsOf(this.#startTimeoutMs)}`;
    }
    if (silence <= this.#silenceMs) return "";
    this.#kill();
    return `gave no sign of life for ${secondsOf(silence)}`;
  }

  /** Once: it may take a moment. */
  #kill(): void {
    this.#child.kill("SIGKILL");
    this.#killAt = this.#silenceMs = this.#readyBy = Infinity;
  }

  /** It could not show that it lives: what it said was not read. */
  excuse(): void {
    this.#seenAt = performance.now();
  }

  /** What it counts; once it has ended, what it counted. */
  get stats(): ServerStats {
    if (this.end === "") return this.#stats;
    return { ...this.#stats, active: 0, idle: 0, inFlight: 0 };
  }

  /** All there is to tell of it. */
  tell(): WorkerStats {
    return {
      worker: this.number,
      pid: this.pid,
      state: this.#state,
      ageMs: this.ageMs,
      stats: this.#stats,
      rssBytes: this.#rssBytes,
    };
  }
}

function secondsOf(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}

/**
 * The same path, written in another way. Of the runtime's own path
 * `node:child_process` takes the arguments for those of Node, and adds `-A`
 * where it finds no permission among them.
 */
function otherSpelling(path: string): string {
  return path.replace(/\/([^/]+)$/, "/./$1");
}
