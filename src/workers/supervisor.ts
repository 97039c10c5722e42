// Supervisor: keeps so many workers running. It serves nobody itself, so that
// whatever happens to a request, it goes on.
//
// One worker is replaced at a time, be it because of SIGHUP or of maxRequests:
// another is started, and only when it accepts connections the old one is told
// to finish. A worker that ends untold is replaced at once, and one that does
// so again and again after longer and longer pauses.

import { StartError } from "../errors.ts";
import type { GroupStats } from "../server/group_stats.ts";
import { addStats } from "../server/stats.ts";
import type { ServerStats } from "../server/stats.ts";
import type { Origin } from "./origin.ts";
import type { SharedSocket } from "./shared_socket.ts";
import { WorkerProcess } from "./worker_process.ts";
import type { WorkerHandler } from "./worker_process.ts";

/** How often workers are looked at. */
const WATCH_MS = 500;

/** A worker that ends sooner is not replaced at once the next time. */
const STEADY_MS = 10_000;

/** The first pause before a worker is replaced; each is twice the last. */
const FIRST_PAUSE_MS = 100;
/** The longest. */
const LAST_PAUSE_MS = 10_000;

/**
 * A signal that ends a worker may be for all processes, and has not come to
 * this one yet: then no other is to start.
 */
const SIGNAL_MS = 50;

/** The pause after which a worker that is tired may be replaced again. */
const RETRY_MS = 10_000;

/** What a supervisor needs. */
export interface SupervisorParts {
  /** How workers are started. */
  readonly origin: Origin;
  /** What each worker is to listen on. */
  readonly sockets: readonly (readonly SharedSocket[])[];
  /** Writes a line to the log. */
  report(line: string): void;
}

/** The place of one worker. */
interface Slot {
  readonly number: number;
  readonly sockets: readonly SharedSocket[];
  current: WorkerProcess | null;
  /** What is to take its place once it is ready. */
  next: WorkerProcess | null;
  /** Whether one has ever been ready. */
  isStarted: boolean;
  /** How often in a row it ended soon. */
  failures: number;
  pause: ReturnType<typeof setTimeout> | undefined;
}

/** Keeps workers running. */
export class Supervisor implements WorkerHandler {
  readonly #parts: SupervisorParts;
  readonly #module: typeof import("node:child_process");
  readonly #slots: readonly Slot[];
  /** Every worker that runs. */
  readonly #workers = new Set<WorkerProcess>();
  /** Those that wait to be replaced because of maxRequests. */
  readonly #tired = new Set<WorkerProcess>();
  readonly #finished = Promise.withResolvers<void>();
  readonly #startedAt = performance.now();
  /** Replacements, one after another. */
  #rolling: Promise<void> = Promise.resolve();
  /** Those because of maxRequests, each with the end of the one replaced. */
  #recycling: Promise<void> = Promise.resolve();
  #willReload = false;
  #isStopping = false;
  #watch: ReturnType<typeof setInterval> | undefined;
  #watchedAt = 0;
  #crashes = 0;
  #reloads = 0;
  #recycled = 0;
  #past: ServerStats = addStats([]);

  private constructor(
    parts: SupervisorParts,
    module: typeof import("node:child_process"),
  ) {
    this.#parts = parts;
    this.#module = module;
    this.#slots = parts.sockets.map((sockets, i) => ({
      number: i + 1,
      sockets,
      current: null,
      next: null,
      isStarted: false,
      failures: 0,
      pause: undefined,
    }));
  }

  /**
   * Makes a supervisor.
   *
   * @param parts What it needs.
   * @returns It, without a worker.
   */
  static async create(parts: SupervisorParts): Promise<Supervisor> {
    return new Supervisor(parts, await import("node:child_process"));
  }

  /** Settles when all workers have ended after a stop. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  /**
   * Starts all workers.
   *
   * @returns Settles when all accept connections, or a stop came before.
   * @throws {StartError} `CANNOT_START` where one ended instead; all others
   * have then been stopped.
   */
  async start(): Promise<void> {
    this.#watchedAt = performance.now();
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
    const starting = Promise.all(this.#slots.map((slot) => this.#fill(slot)));
    // What is to be replaced meanwhile is replaced then.
    this.#rolling = starting.then(() => {}, () => {});
    try {
      await starting;
    } catch (error) {
      this.abort();
      await this.#finished.promise;
      throw error;
    }
  }

  /** Starts the first worker of a place. */
  async #fill(slot: Slot): Promise<void> {
    const worker = slot.current = this.#spawn(slot);
    slot.isStarted = await worker.ready;
    if (slot.isStarted || this.#isStopping) return;
    throw new StartError(
      "CANNOT_START",
      `${nameOf(worker)} ended ${worker.end} before it was ready`,
    );
  }

  #spawn(slot: Slot): WorkerProcess {
    const worker = new WorkerProcess(
      this.#module,
      this.#parts.origin,
      slot.number,
      slot.sockets,
      this,
    );
    this.#workers.add(worker);
    return worker;
  }

  /** Ends workers that are overdue. */
  #look(): void {
    const now = performance.now();
    // Where this process stood still, nobody could be heard.
    const isLate = now - this.#watchedAt > 4 * WATCH_MS;
    this.#watchedAt = now;
    for (const worker of this.#workers) {
      if (isLate) {
        worker.excuse();
        continue;
      }
      const why = worker.check();
      if (why !== "") {
        this.#parts.report(`${nameOf(worker)} ${why}, and was killed`);
      }
    }
  }

  // Replacing

  tired(worker: WorkerProcess): void {
    if (this.#tired.has(worker)) return;
    this.#tired.add(worker);
    this.#recycling = this.#recycling.then(() => this.#recycle(worker));
  }

  async #recycle(worker: WorkerProcess): Promise<void> {
    const slot = this.#slots[worker.number - 1]!;
    let isReplaced = false;
    await this.#roll(async () => {
      if (slot.current === worker) isReplaced = await this.#replace(slot);
    });
    if (isReplaced) {
      this.#recycled++;
      // The next has to wait until this one is gone. A reload has not.
      await worker.ended;
    } else {
      const timer = setTimeout(() => this.#tired.delete(worker), RETRY_MS);
      Deno.unrefTimer(timer);
    }
  }

  /**
   * Replaces all workers, one after another, with what is the program now.
   */
  reload(): void {
    if (this.#willReload || this.#isStopping) return;
    this.#willReload = true;
    this.#roll(async () => {
      this.#willReload = false;
      let count = 0;
      for (const slot of this.#slots) {
        if (!await this.#replace(slot)) {
          if (this.#isStopping) return;
          this.#parts.report(
            `Reloaded ${count} of ${this.#slots.length} workers: the others go on as they are`,
          );
          return;
        }
        count++;
      }
      this.#reloads++;
      this.#parts.report(`Reloaded ${count} workers`);
    });
  }

  /** Does something once what was begun before is done. */
  #roll(action: () => Promise<void>): Promise<void> {
    return this.#rolling = this.#rolling.then(action);
  }

  /** Puts another worker into a place; tells whether it is ready. */
  async #replace(slot: Slot): Promise<boolean> {
    if (this.#isStopping) return false;
    const worker = slot.next = this.#spawn(slot);
    const isReady = await worker.ready;
    slot.next = null;
    if (this.#isStopping) return false;
    if (!isReady) {
      this.#parts.report(
        `${nameOf(worker)} ended ${worker.end} before it was ready`,
      );
      if (slot.current === null) this.#refill(slot);
      return false;
    }
    clearTimeout(slot.pause);
    const old = slot.current;
    slot.current = worker;
    slot.isStarted = true;
    slot.failures = 0;
    old?.leave();
    // From here on, whoever connects is served by the new one.
    await old?.closed;
    return true;
  }

  left(worker: WorkerProcess): void {
    this.#lose(worker, "stops by itself");
  }

  ended(worker: WorkerProcess): void {
    this.#workers.delete(worker);
    this.#tired.delete(worker);
    this.#past = addStats([this.#past, worker.stats]);
    this.#lose(worker, `ended ${worker.end}`);
    if (this.#isStopping && this.#workers.size === 0) this.#finish();
  }

  /** A place is empty, if that was its worker and nobody told it to go. */
  #lose(worker: WorkerProcess, how: string): void {
    const slot = this.#slots[worker.number - 1]!;
    if (slot.current !== worker) return;
    slot.current = null;
    if (!slot.isStarted || this.#isStopping) return;
    this.#crashes++;
    slot.failures = worker.ageMs < STEADY_MS ? slot.failures + 1 : 0;
    const what = `${nameOf(worker)} ${how}`;
    if (slot.next === null) this.#refill(slot, what);
    else this.#parts.report(`${what}: another is about to take its place`);
  }

  /** Starts a worker where there is none, soon or after a pause. */
  #refill(slot: Slot, why = ""): void {
    const pause = slot.failures < 2 ? 0 : Math.min(
      LAST_PAUSE_MS,
      // Some more or less, so that not all start at the same moment.
      FIRST_PAUSE_MS * 2 ** (slot.failures - 2) * (0.8 + 0.4 * Math.random()),
    );
    const report = (next: string) => {
      if (why !== "") this.#parts.report(`${why}: ${next}`);
    };
    if (pause > 0) report(`another starts in ${Math.round(pause)} ms`);
    clearTimeout(slot.pause);
    slot.pause = setTimeout(() => {
      if (pause === 0) report("another takes its place");
      if (slot.next === null) slot.current = this.#spawn(slot);
    }, Math.max(pause, SIGNAL_MS));
  }

  // Stopping

  /** Stops gracefully. */
  stop(): void {
    this.#stop((worker) => worker.stop());
  }

  /** Stops at once. */
  abort(): void {
    this.#stop((worker) => worker.abort());
  }

  #stop(tell: (worker: WorkerProcess) => void): void {
    this.#isStopping = true;
    // First, for as long as one holds a listening socket, some connect to it.
    for (const { sockets } of this.#slots) {
      for (const socket of sockets) socket.close();
    }
    for (const { pause } of this.#slots) clearTimeout(pause);
    for (const worker of this.#workers) tell(worker);
    if (this.#workers.size === 0) this.#finish();
  }

  #finish(): void {
    clearInterval(this.#watch);
    this.#finished.resolve();
  }

  group(): GroupStats {
    const workers = [...this.#workers];
    return {
      pid: Deno.pid,
      ageMs: performance.now() - this.#startedAt,
      crashes: this.#crashes,
      reloads: this.#reloads,
      recycled: this.#recycled,
      workers: workers.map((worker) => worker.tell()),
      total: addStats([this.#past, ...workers.map(({ stats }) => stats)]),
    };
  }
}

function nameOf({ number, pid }: WorkerProcess): string {
  return `Worker ${number} (process ${pid})`;
}
