// ServerCore: the accept loop, the open connections and the graceful stop.
//
// A stop, as a sequence: what waits in the system's queue is accepted still, and
// nothing after it; connections without a request close, the others after
// their last one; after shutdownTimeoutMs, or when forced, what is left is
// aborted. `finished` settles when the last connection is gone.

import { AbortedError, StartError } from "../errors.ts";
import type { Limits } from "../options.ts";
import { OutputBuffer } from "../protocol/encoder.ts";
import type { AllowedClients } from "./allowed_clients.ts";
import { Clock } from "./clock.ts";
import { Connection } from "./connection.ts";
import type { ConnectionOwner } from "./connection.ts";
import type { Exchange } from "./exchange.ts";
import { Gate } from "./gate.ts";
import { KEPT_PARAMS } from "./params.ts";
import { Pool } from "./pool.ts";
import { PromiseWire } from "./promise_wire.ts";
import { LARGE_INPUT } from "./reader.ts";
import { closeQuiet, socketsSeen } from "./retirement.ts";
import { Counters } from "./stats.ts";
import type { ServerStats } from "./stats.ts";
import { CLOSE_TIMEOUT_MS, HALF_CLOSE_GRACE_MS, sweep } from "./time_outs.ts";
import type { Accepted, TransportListener } from "./transport.ts";
import { WriteBatch } from "./write_batch.ts";
import { LARGE_OUTPUT, SMALL_OUTPUT } from "./writer.ts";

/** What a server is made of. */
export interface ServerParts {
  /** The listening socket; closed by the server. */
  listener: TransportListener;
  /** The limits. */
  limits: Limits;
  /** Who may connect over TCP: who is on every list. */
  allowedClients: readonly AllowedClients[];
  /** Runs the application for a request. Never throws. */
  serve(exchange: Exchange): void;
  /** A request was answered in the application's place. Never throws. */
  refused(exchange: Exchange): void;
  /** Writes a line to the server's own log. */
  report(message: string): void;
  /** Called once before anything is accepted. */
  start(): Promise<void>;
  /** Called once when a server that started has stopped. */
  stopped(): void | Promise<void>;
}

/** How long accepting pauses when the system has no descriptor left. */
const ACCEPT_RETRY_MS = 100;

/** How long a stop accepts, where connections keep coming. */
const DRAIN_MS = 250;

/**
 * How long a stop leaves a connection open on which nothing has come yet: who
 * has connected is about to ask.
 */
const FRESH_MS = 1_000;

/** What a server does, seen from inside; FastCGIServer shows it to users. */
export class ServerCore implements ConnectionOwner {
  readonly #parts: ServerParts;
  readonly #connections = new Set<Connection>();
  readonly #finished = Promise.withResolvers<void>();
  readonly #reported = new Set<string>();
  #isStopping = false;
  #isRetiring = false;
  #failure: StartError | null = null;
  readonly #started: Promise<void>;
  readonly #accepting: Promise<void>;
  #isStopped = false;
  #isListening = true;
  #isAccepting = false;
  #isDraining = false;
  #arrived = 0;
  #isRef = true;
  #forceTimer: ReturnType<typeof setTimeout> | undefined;
  #freshTimer: ReturnType<typeof setTimeout> | undefined;
  #room: PromiseWithResolvers<void> | null = null;
  readonly limits: Limits;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly counters: Counters = new Counters();
  readonly batch: WriteBatch = new WriteBatch();
  readonly smallOutputs: Pool<OutputBuffer> = new Pool(
    () => new OutputBuffer(SMALL_OUTPUT),
    Infinity,
    256,
  );
  readonly largeOutputs: Pool<OutputBuffer> = new Pool(
    () => new OutputBuffer(LARGE_OUTPUT),
    64,
    32,
  );
  readonly keptParams: Pool<Uint8Array> = new Pool(
    () => new Uint8Array(KEPT_PARAMS),
    Infinity,
    256,
  );
  readonly largeInputs: Pool<Uint8Array> = new Pool(
    () => new Uint8Array(LARGE_INPUT),
    64,
    16,
  );

  /**
   * Starts accepting.
   *
   * @param parts What the server is made of.
   */
  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.limits = parts.limits;
    this.gate = new Gate(parts.limits);
    const { limits } = parts;
    this.clock = new Clock(
      Math.min(
        limits.paramsTimeoutMs,
        limits.bodyTimeoutMs,
        limits.writeTimeoutMs,
        limits.requestTimeoutMs,
        limits.idleTimeoutMs,
        CLOSE_TIMEOUT_MS,
        HALF_CLOSE_GRACE_MS,
      ),
      () => this.#sweep(),
    );
    this.#started = parts.start();
    this.#accepting = this.#accept();
  }

  /** Settles when the last connection is closed. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Stops gracefully. */
  shutdown(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const { shutdownTimeoutMs } = this.limits;
    this.#forceTimer = setTimeout(
      () =>
        this.abort(
          `The server stopped, and the request did not end within ${shutdownTimeoutMs} ms (shutdownTimeoutMs)`,
        ),
      shutdownTimeoutMs,
    );
    this.#stop();
  }

  /**
   * Stops gracefully where another server takes the connections that come: its
   * own go on as before, until each has been quiet for a moment.
   */
  async retire(): Promise<void> {
    if (this.#isRetiring || this.#isStopping) return;
    this.#isRetiring = true;
    if (this.#isAccepting) {
      await this.#drain();
      this.#closeListener();
      this.#finishIfDone();
      await closeQuiet(
        this.#connections,
        () => this.#isStopped || this.#isStopping,
      );
    }
    if (!this.#isStopped) this.shutdown();
  }

  async #stop(): Promise<void> {
    if (this.#isAccepting && this.#isListening) await this.#drain();
    this.#closeListener();
    this.#stopConnections(({ reads }) => reads > 0);
    if (this.#connections.size > 0) {
      this.#freshTimer = setTimeout(
        () => this.#stopConnections(() => true),
        FRESH_MS,
      );
    }
    this.#finishIfDone();
  }

  /**
   * Lets in whoever waits in the system's queue: the end of the listening
   * socket would reset their connections. So `maxConnections` is no bound here,
   * but the length of the queue is. Requests that have come, and were not read
   * yet, are read meanwhile.
   */
  async #drain(): Promise<void> {
    this.#isDraining = true;
    this.#room?.resolve();
    this.#parts.listener.refuse?.();
    const end = performance.now() + DRAIN_MS;
    let seen: number;
    do {
      seen = this.#arrived;
      await socketsSeen();
    } while (seen !== this.#arrived && performance.now() < end);
    this.#isDraining = false;
  }

  #closeListener(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#parts.listener.close();
    this.#room?.resolve();
  }

  #stopConnections(which: (connection: Connection) => boolean): void {
    for (const connection of [...this.#connections]) {
      if (which(connection)) connection.stop();
    }
  }

  /**
   * Stops at once.
   *
   * @param message Why, as requests in flight are told.
   */
  abort(message: string): void {
    this.#closeListener();
    this.shutdown();
    for (const connection of [...this.#connections]) {
      connection.shut(new AbortedError(message));
    }
  }

  /** What the server has done, and what it does now. */
  stats(): ServerStats {
    return this.counters.stats(
      this.#connections.values().map(({ multiplexer }) => multiplexer.count),
    );
  }

  /** Lets the server keep the process running, or not. */
  setRef(isRef: boolean): void {
    this.#isRef = isRef;
    for (const connection of this.#connections) connection.setRef(isRef);
  }

  async #accept(): Promise<void> {
    const { listener } = this.#parts;
    try {
      await this.#started;
    } catch {
      this.shutdown();
    }
    this.#isAccepting = true;
    while (this.#isListening) {
      if (
        this.#connections.size >= this.limits.maxConnections &&
        !this.#isDraining
      ) {
        this.#room = Promise.withResolvers();
        await this.#room.promise;
        continue;
      }
      let accepted: Accepted;
      try {
        accepted = await listener.accept();
      } catch (error) {
        if (!this.#isListening) break;
        if (error instanceof StartError) {
          this.#failure = error;
          this.shutdown();
          break;
        }
        // A connection reset before it was accepted, or no descriptor left:
        // neither is a reason to stop listening.
        this.reportOnce(
          "accept",
          `Cannot accept a connection, trying again: ${messageOf(error)}`,
        );
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
        continue;
      }
      this.#arrived++;
      // Accepted in the very turn of the end, and nobody left to close it.
      if (this.#isStopped) accepted.close();
      else this.#take(accepted);
    }
  }

  #take(accepted: Accepted): void {
    const { remoteAddr } = accepted;
    const { allowedClients } = this.#parts;
    const isTcp = remoteAddr !== undefined && remoteAddr.transport === "tcp";
    if (isTcp) {
      const { hostname } = remoteAddr;
      if (!allowedClients.every((list) => list.allows(hostname))) {
        this.reportOnce(
          hostname,
          `Closed a connection from ${hostname}: it is not among the allowed clients`,
        );
        accepted.close();
        return;
      }
      try {
        // Without it, small writes wait 44 ms for delayed acknowledgements.
        accepted.setNoDelay?.(true);
      } catch {
        // The other end is gone already: reading will tell.
      }
    }
    const wire = "start" in accepted ? accepted : new PromiseWire(accepted);
    if (!this.#isRef) wire.unref();
    this.counters.accepted++;
    const connection = new Connection(this, wire);
    this.#connections.add(connection);
    if (this.limits.idleTimeoutMs !== Infinity) {
      this.clock.arm();
      connection.activeAt = this.clock.now;
    }
    connection.start();
  }

  #sweep(): boolean {
    let isNeeded = false;
    for (const connection of [...this.#connections]) {
      if (sweep(connection, this.clock)) isNeeded = true;
    }
    return isNeeded;
  }

  async #finishIfDone(): Promise<void> {
    if (this.#isListening || this.#isDraining || this.#isStopped) return;
    if (this.#connections.size > 0) return;
    this.#isStopped = true;
    clearTimeout(this.#forceTimer);
    clearTimeout(this.#freshTimer);
    this.clock.stop();
    try {
      await this.#started;
      // The socket is closed, and its file gone, once nothing accepts on it.
      await this.#accepting;
      await this.#parts.stopped();
      if (this.#failure !== null) throw this.#failure;
      this.#finished.resolve();
    } catch (error) {
      this.#finished.reject(error);
    }
  }

  serve(exchange: Exchange): void {
    this.#parts.serve(exchange);
  }

  refused(exchange: Exchange): void {
    this.#parts.refused(exchange);
  }

  report(message: string): void {
    this.#parts.report(message);
  }

  reportOnce(kind: string, message: string): void {
    if (this.#reported.has(kind)) return;
    // Kinds may come from clients' addresses: past so many, silence.
    if (this.#reported.size < 1000) this.#reported.add(kind);
    else return;
    this.#parts.report(message);
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection);
    this.#room?.resolve();
    this.#room = null;
    this.#finishIfDone();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
