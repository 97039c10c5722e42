// ConnectionPool: which connection a request is sent on: one that is kept,
// one that others are on where the server multiplexes, a new one, or the next
// that becomes free.

import { ConnectError, StartError } from "../errors.ts";
import { ValueName } from "../protocol/constants.ts";
import type { Transport } from "../server/transport.ts";
import type { ClientLimits } from "./client_options.ts";
import { ClientConnection } from "./connection.ts";
import { clientClosed, timedOut } from "./faults.ts";
import { IdleConnections } from "./idle_connections.ts";
import { Starvation } from "./starvation.ts";
import type { Values } from "./values.ts";

/** How long the first question waits before the request goes on without. */
const QUESTION_MS = 500;

/** What a server may be asked of itself. */
const VALUE_NAMES: readonly string[] = Object.values(ValueName);

/** What a pool is made of. */
export interface PoolParts {
  /** Connects. */
  connect(signal: AbortSignal): Promise<Transport>;
  /** Where to, for people. */
  where: string;
  /** The limits of the client. */
  limits: ClientLimits;
  /** Whether connections are shared where the server offers it. */
  multiplex: boolean;
}

/** What a pool has. */
export interface PoolStats {
  /** Connections that are open, idle ones included. */
  readonly connections: number;
  /** Of these, those without a request. */
  readonly idle: number;
  /** Requests that wait for a connection. */
  readonly waiting: number;
}

/** A request that waits: for a connection, or for leave to make one. */
type Waiter = PromiseWithResolvers<ClientConnection | null>;

/** The connections of a client. */
export class ConnectionPool {
  readonly #parts: PoolParts;
  readonly #open = new Set<ClientConnection>();
  readonly #idle: IdleConnections;
  readonly #starvation: Starvation;
  readonly #waiting: Waiter[] = [];
  #opening = 0;
  #hasAsked = false;
  /** Requests at once on a connection. */
  #most = 1;
  readonly #closing = new AbortController();

  /**
   * Creates a pool without connections.
   *
   * @param parts What it is made of.
   */
  constructor(parts: PoolParts) {
    this.#parts = parts;
    const { maxIdleConnections, idleTimeoutMs } = parts.limits;
    this.#idle = new IdleConnections(maxIdleConnections, idleTimeoutMs);
    this.#starvation = new Starvation(() => {
      const oldest = this.#idle.takeOldest();
      oldest?.close();
      return oldest !== null;
    });
  }

  /** What it has. */
  get stats(): PoolStats {
    return {
      connections: this.#open.size,
      idle: this.#idle.count,
      waiting: this.#waiting.length,
    };
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * Gives a connection that may carry a request, held for it.
   *
   * @param signal What gives the wait up.
   * @returns It, to be given back by {@linkcode ConnectionPool.release}.
   * @throws {FastCgiError} `CONNECT_FAILED`, `CONNECT_TIMEOUT`,
   * `QUEUE_TIMEOUT`, `CLOSED`, and the signal's reason.
   */
  async acquire(signal: AbortSignal | null): Promise<ClientConnection> {
    if (this.isClosed) throw clientClosed();
    const found = this.#find();
    if (found !== null) return found;
    if (this.#open.size + this.#opening >= this.#parts.limits.maxConnections) {
      const given = await this.#wait(signal);
      if (given !== null) return given;
      // Its place was counted when leave was given.
      this.#opening--;
    }
    const isSecond = this.#open.size + this.#opening > 0;
    const connection = await this.#connect(signal);
    if (isSecond && this.#parts.multiplex && !this.#hasAsked) {
      return await this.#probe(connection, signal);
    }
    return connection;
  }

  /** One that is there already, held; null for none. */
  #find(): ClientConnection | null {
    let found = this.#idle.takeNewest();
    if (found === null && this.#most > 1) {
      for (const connection of this.#open) {
        if (
          connection.isUsable && connection.load < (found?.load ?? this.#most)
        ) {
          if (!connection.isBlocked) found = connection;
        }
      }
    }
    if (found !== null) found.holds++;
    return found;
  }

  async #wait(signal: AbortSignal | null): Promise<ClientConnection | null> {
    const { queueTimeoutMs, maxConnections } = this.#parts.limits;
    const waiter: Waiter = Promise.withResolvers();
    this.#waiting.push(waiter);
    const timer = queueTimeoutMs === Infinity
      ? undefined
      : setTimeout(() =>
        waiter.reject(timedOut(
          "QUEUE_TIMEOUT",
          `None of the ${maxConnections} connections that maxConnections allows became free`,
          "queueTimeoutMs",
          queueTimeoutMs,
          503,
        )), queueTimeoutMs);
    try {
      return await unlessAborted(signal, waiter.promise);
    } catch (error) {
      const at = this.#waiting.indexOf(waiter);
      if (at >= 0) this.#waiting.splice(at, 1);
      else {
        // It was given what it does not take any more.
        waiter.promise.then((given) => {
          if (given !== null) this.release(given, true);
          else {
            this.#opening--;
            this.#giveLeave();
          }
        }, () => {});
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #connect(signal: AbortSignal | null): Promise<ClientConnection> {
    const { connectTimeoutMs, stallTimeoutMs, writeTimeoutMs } =
      this.#parts.limits;
    this.#opening++;
    let transport: Transport;
    try {
      transport = await this.#reach(signal, connectTimeoutMs);
    } catch (error) {
      this.#opening--;
      this.#giveLeave();
      throw error;
    }
    this.#opening--;
    if (this.isClosed) {
      // Since it was connected.
      transport.close();
      throw clientClosed();
    }
    const connection = new ClientConnection({
      transport,
      writeTimeoutMs,
      stallTimeoutMs,
      changed: (changed) => this.#settle(changed),
    });
    connection.holds = 1;
    connection.isShared = this.#most > 1;
    this.#open.add(connection);
    if (!connection.isShared) this.#starvation.watch(connection);
    return connection;
  }

  /** Connects; whatever ends the wait first, nothing is left open. */
  async #reach(
    signal: AbortSignal | null,
    timeoutMs: number,
  ): Promise<Transport> {
    const giveUp = new AbortController();
    const timer = timeoutMs === Infinity
      ? undefined
      : setTimeout(() =>
        giveUp.abort(timedOut(
          "CONNECT_TIMEOUT",
          `Cannot connect to ${this.#parts.where}: it did not answer`,
          "connectTimeoutMs",
          timeoutMs,
        )), timeoutMs);
    const signals = [giveUp.signal, this.#closing.signal];
    const ended = AbortSignal.any(signal ? [...signals, signal] : signals);
    // A promise even where connecting throws at once.
    const connecting = (async () => await this.#parts.connect(ended))();
    try {
      return await unlessAborted(ended, connecting);
    } catch (error) {
      // Given up is not refused: what is connected after all is closed.
      connecting.then((late) => late.close(), () => {});
      if (ended.aborted) throw ended.reason;
      // A permission is missing, which is nobody's being out of reach.
      if (error instanceof StartError) throw error;
      throw new ConnectError(
        `Cannot connect to ${this.#parts.where}: ${
          error instanceof Error ? error.message : error
        }`,
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks a new connection whether it may be shared, before its request. */
  async #probe(
    connection: ClientConnection,
    signal: AbortSignal | null,
  ): Promise<ClientConnection> {
    this.#hasAsked = true;
    // An answer may come late, which is not too late to learn from.
    const asking = connection.ask(VALUE_NAMES, Infinity)
      .then((values) => this.#learn(values))
      // A server that closes is asked no more.
      .catch(() => {});
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, QUESTION_MS);
    });
    await unlessAborted(signal, Promise.race([asking, late])).catch(() => {});
    clearTimeout(timer);
    if (signal?.aborted) {
      this.release(connection, false);
      throw signal.reason;
    }
    if (connection.isUsable) return connection;
    this.release(connection, false);
    return await this.acquire(signal);
  }

  /**
   * Asks the server what it says of itself.
   *
   * @param names The variables asked for.
   * @param signal What gives the question up.
   * @returns What the server has of them.
   * @throws {FastCgiError} As {@linkcode ConnectionPool.acquire}, and
   * `READ_TIMEOUT`, `BAD_RESPONSE`.
   */
  async ask(
    names: readonly string[],
    signal: AbortSignal | null,
  ): Promise<Values> {
    const { readTimeoutMs } = this.#parts.limits;
    this.#hasAsked = true;
    const connection = await this.acquire(signal);
    let isAnswered = false;
    try {
      const asking = connection.ask(
        [...new Set([...names, ...VALUE_NAMES])],
        readTimeoutMs,
      );
      const values = await unlessAborted(signal, asking);
      isAnswered = true;
      this.#learn(values);
      return values;
    } catch (error) {
      throw this.isClosed ? clientClosed() : error;
    } finally {
      this.release(connection, isAnswered);
    }
  }

  #learn(values: Values): void {
    const { limits, multiplex } = this.#parts;
    const isOffered = values[ValueName.MPXS_CONNS] === "1";
    if (!multiplex || !isOffered || limits.maxIdleConnections === 0) return;
    const said = Number(values[ValueName.MAX_REQS]);
    const most = Number.isInteger(said) && said > 0 ? said : Infinity;
    this.#most = Math.min(most, limits.maxRequestsPerConnection);
    for (const connection of this.#open) {
      // One that has been shared may carry several, whatever is said now.
      connection.isShared ||= this.#most > 1;
      this.#offer(connection);
    }
  }

  /**
   * Takes a connection back.
   *
   * @param connection It.
   * @param isReusable Whether it may carry a next request.
   */
  release(connection: ClientConnection, isReusable: boolean): void {
    connection.holds--;
    if (isReusable) this.#settle(connection);
    else connection.spoil();
  }

  /** Finds out what a connection is good for, now that something ended. */
  #settle(connection: ClientConnection): void {
    if (connection.isClosed) {
      if (!this.#open.delete(connection)) return;
      this.#starvation.forget(connection);
      this.#idle.forget(connection);
      this.#giveLeave();
      return;
    }
    connection.closeIfDone();
    if (connection.isClosed) return;
    if (connection.isFree) this.#starvation.forget(connection);
    this.#offer(connection);
    if (!connection.isFree) return;
    if (this.isClosed || this.#starvation.take()) connection.close();
    else this.#idle.keep(connection);
  }

  /** Gives a connection to those that wait, as far as it has room. */
  #offer(connection: ClientConnection): void {
    while (
      this.#waiting.length > 0 && connection.isUsable &&
      (connection.isFree ||
        connection.isShared && connection.load < this.#most)
    ) {
      connection.holds++;
      this.#waiting.shift()!.resolve(connection);
    }
  }

  /** Somebody may connect now in place of one that is gone. */
  #giveLeave(): void {
    if (this.#waiting.length === 0) return;
    this.#opening++;
    this.#waiting.shift()!.resolve(null);
  }

  /** Closes idle connections, and refuses and ends all waiting. */
  close(): void {
    this.#closing.abort(clientClosed());
    this.#starvation.close();
    this.#idle.close();
    for (const waiter of this.#waiting.splice(0)) waiter.reject(clientClosed());
  }

  /** Closes what is not idle as well, once no request is on it any more. */
  closeAll(): void {
    for (const connection of [...this.#open]) connection.close();
  }
}

/** A promise's outcome, or the reason of a signal that fires before it. */
async function unlessAborted<T>(
  signal: AbortSignal | null,
  promise: Promise<T>,
): Promise<T> {
  if (signal === null) return await promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
