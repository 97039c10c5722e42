// WorkerLink: a worker's end of the pipe to its supervisor, and the listening
// sockets that come over it.

import { ClosedError } from "../errors.ts";
import type { Limits } from "../options.ts";
import type { GroupStats } from "../server/group_stats.ts";
import { listenOnHandle } from "../server/inherited.ts";
import type { InheritedListener } from "../server/inherited.ts";
import type { FastCGIServer } from "../server/server.ts";
import { addStats } from "../server/stats.ts";
import type { Accepted, TransportListener } from "../server/transport.ts";
import { BEAT_MS, WORKER_VARIABLE } from "./messages.ts";
import type { FromWorker, Told, ToWorker } from "./messages.ts";
import type { Handle } from "./shared_socket.ts";

/** How much later than maxRequests a worker may be replaced, at the most. */
const JITTER = 0.2;

/** What a process that has a pipe to its parent can do (`node:process`). */
interface Pipe {
  /** Undefined where there is no such pipe. */
  readonly channel: { unref(): void } | undefined;
  on(
    event: "message",
    listener: (message: unknown, handle: unknown) => void,
  ): void;
  on(event: "disconnect", listener: () => void): void;
  send(message: Told, callback: (error: Error | null) => void): void;
}

/** What a supervisor tells a worker to do. */
type Order = "leave" | "stop" | "abort";

/** What a worker does, as its supervisor wants it done. */
export interface Work {
  /** Its servers. */
  readonly servers: readonly FastCGIServer[];
  /** The limits of its application. */
  readonly limits: Limits;
  /** Stops gracefully, for another has taken its place. */
  leave(): void;
  /** Stops gracefully. May be called again. */
  stop(): void;
  /** Stops at once. */
  abort(): void;
}

/** A worker's side of the connection to its supervisor. */
export class WorkerLink {
  readonly #process: Pipe;
  readonly #asked: PromiseWithResolvers<GroupStats>[] = [];
  readonly #listeners: LateListener[] = [];
  readonly #complete = Promise.withResolvers<void>();
  readonly #count: number;
  readonly #beat: ReturnType<typeof setInterval>;
  #work: Work | null = null;
  #order: Order | null = null;
  /** Requests after which it is to be replaced. */
  #most = Infinity;
  #accepting = 0;
  #closed = 0;
  #isLost = false;

  private constructor(process: Pipe, count: number) {
    this.#process = process;
    this.#count = count;
    process.on("message", (message, handle) => {
      this.#hear(message as ToWorker, handle);
    });
    process.on("disconnect", () => this.#lose());
    this.#beat = setInterval(() => this.#live(), BEAT_MS);
    Deno.unrefTimer(this.#beat);
  }

  /**
   * Finds out whether this process is a worker, and connects it.
   *
   * @returns The link, null where it is none.
   * @throws {ClosedError} Where the supervisor is gone already.
   */
  static async join(): Promise<WorkerLink | null> {
    const { state } = Deno.permissions.querySync({
      name: "env",
      variable: WORKER_VARIABLE,
    });
    const count = state === "granted" ? Deno.env.get(WORKER_VARIABLE) : "";
    if (count === undefined || count === "") return null;
    // Whatever the program starts is no worker of this supervisor.
    Deno.env.delete(WORKER_VARIABLE);
    const process = (await import("node:process")).default as unknown as Pipe;
    if (process.channel === undefined) return null;
    const link = new WorkerLink(process, Number(count));
    await link.#complete.promise;
    // From here on the servers keep the process running, and nothing else.
    process.channel.unref();
    return link;
  }

  /** The listening sockets, each to be served on. */
  get listeners(): readonly TransportListener[] {
    return this.#listeners;
  }

  /**
   * Does the work, as far and as long as it is told to.
   *
   * @param work The work.
   */
  begin(work: Work): void {
    this.#work = work;
    const { maxRequests, startTimeoutMs } = work.limits;
    this.#most = maxRequests * (1 + JITTER * Math.random());
    this.#send({ type: "starting", startTimeoutMs: finite(startTimeoutMs) });
    if (this.#order !== null) work[this.#order]();
  }

  /** The work is done. */
  end(): void {
    clearInterval(this.#beat);
    this.#live();
    this.#work = null;
  }

  /** Shows that it lives, and tells what it has done. */
  #live(): void {
    const servers = this.#work?.servers ?? [];
    const stats = addStats(servers.map((server) => server.stats()));
    const { rss: rssBytes } = Deno.memoryUsage();
    this.#send({ type: "beat", figures: { stats, rssBytes } });
    if (stats.served >= this.#most) this.#send({ type: "tired" });
  }

  /** One more of the listening sockets is accepted on. */
  #accepts(): void {
    this.#accepting++;
    if (this.#accepting < this.#count || this.#work === null) return;
    const { shutdownTimeoutMs, stuckTimeoutMs } = this.#work.limits;
    this.#send({
      type: "ready",
      shutdownTimeoutMs,
      stuckTimeoutMs: finite(stuckTimeoutMs),
    });
  }

  /** One more of the listening sockets is closed. */
  #closes(): void {
    this.#closed++;
    if (this.#closed === this.#count) this.#send({ type: "closed" });
  }

  #hear(message: ToWorker, handle: unknown): void {
    switch (message.type) {
      case "socket":
        this.#listeners.push(
          new LateListener(handle as Handle, (what) => {
            if (what === "accepting") this.#accepts();
            else this.#closes();
          }),
        );
        if (this.#listeners.length === this.#count) this.#complete.resolve();
        break;
      case "group":
        this.#asked.shift()?.resolve(message.group);
        break;
      default:
        this.#obey(message.type);
    }
  }

  #obey(order: Order): void {
    this.#order = order;
    this.#work?.[order]();
  }

  /** Without a supervisor nobody replaces a worker, or stops it. */
  #lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#complete.reject(goneError());
    this.#obey("stop");
    for (const asked of this.#asked.splice(0)) asked.reject(goneError());
  }

  #send(message: FromWorker): void {
    if (this.#isLost) return;
    // Now and then the runtime does not tell of a supervisor that was killed.
    this.#process.send({ smisk: message }, (error) => {
      if (error) this.#lose();
    });
  }

  /**
   * Asks the supervisor about all workers.
   *
   * @returns What it knows, half a second old at the most.
   * @throws {ClosedError} Where there is no supervisor any more.
   */
  groupStats(): Promise<GroupStats> {
    const asked = Promise.withResolvers<GroupStats>();
    if (this.#isLost) {
      asked.reject(goneError());
      return asked.promise;
    }
    this.#asked.push(asked);
    this.#send({ type: "ask" });
    return asked.promise;
  }
}

/** A number as JSON has it. */
function finite(ms: number): number | null {
  return ms === Infinity ? null : ms;
}

function goneError(): ClosedError {
  return new ClosedError("The supervisor of this worker is gone");
}

/**
 * A listening socket that nobody is accepted on before its server is ready:
 * `node:net` would accept at once, and keep connections waiting that another
 * worker could serve.
 */
class LateListener implements TransportListener {
  readonly #handle: Handle;
  readonly #tell: (what: "accepting" | "closed") => void;
  #listener: InheritedListener | null = null;

  constructor(handle: Handle, tell: (what: "accepting" | "closed") => void) {
    this.#handle = handle;
    this.#tell = tell;
  }

  get addr(): Deno.Addr | null {
    return this.#listener?.addr ?? null;
  }

  accept(): Promise<Accepted> {
    if (this.#listener === null) {
      this.#listener = listenOnHandle(this.#handle);
      // Where it cannot, `accept` fails.
      this.#listener.ready.then(() => this.#tell("accepting"), () => {});
    }
    return this.#listener.accept();
  }

  close(): void {
    if (this.#listener === null) this.#handle.close();
    else this.#listener.close();
    this.#tell("closed");
  }

  // A worker's servers keep it running in any case.
  ref(): void {}
  unref(): void {}
}
