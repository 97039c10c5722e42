// Conversations: requests from the moment they are asked to the begin of their
// answers, sent again where a kept connection turns out to be closed.

import type { ClientLimits } from "./client_options.ts";
import { ClientExchange } from "./exchange.ts";
import type { Outgoing, StderrTaker } from "./exchange.ts";
import { clientClosed } from "./faults.ts";
import type { ConnectionPool } from "./pool.ts";
import type { FastCGIEnd, Reply } from "./reply.ts";
import type { BodyStreamHandler } from "./body_stream.ts";
import type { RequestBody } from "./request_body.ts";

/** Methods that may be sent twice (RFC 9110, section 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PUT",
  "TRACE",
]);

/** Closed connections a request may meet before it fails. */
const MOST_TRIES = 4;

/**
 * Whether a request may be sent twice.
 *
 * @param method Its method.
 * @returns Whether it may.
 */
export function isIdempotent(method: unknown): boolean {
  return IDEMPOTENT.has(String(method));
}

/** What one request needs beside its body. */
export interface Conversation<T extends Reply> {
  /** What is sent. */
  readonly outgoing: Outgoing;
  /** Gives it up. */
  readonly signal: AbortSignal | null;
  /** Whether it may be sent twice. */
  readonly isIdempotent: boolean;
  /** Creates what becomes of the answer, for each try. */
  reply(handler: BodyStreamHandler): T;
  /** Creates what takes FCGI_STDERR, for each try. */
  stderr(): StderrTaker;
  /** Called at FCGI_END_REQUEST. */
  readonly onEnd?: ((end: FastCGIEnd) => void) | undefined;
}

/** The requests of a client. */
export class Conversations {
  readonly #pool: ConnectionPool;
  readonly #limits: ClientLimits;
  readonly #exchanges = new Set<ClientExchange>();

  /**
   * Creates a set of none.
   *
   * @param pool Where connections come from.
   * @param limits The limits of the client.
   */
  constructor(pool: ConnectionPool, limits: ClientLimits) {
    this.#pool = pool;
    this.#limits = limits;
  }

  /** How many have a connection. */
  get count(): number {
    return this.#exchanges.size;
  }

  /**
   * Checks that a request may begin.
   *
   * @param signal What gives it up.
   * @throws {ClosedError} Where the client was closed; or the signal's reason.
   */
  check(signal: AbortSignal | null): void {
    signal?.throwIfAborted();
    if (this.#pool.isClosed) throw clientClosed();
  }

  /**
   * Sends a request, again where that is safe and needed.
   *
   * @param body Its body; it is cancelled where the request fails.
   * @param make Makes the rest.
   * @returns The answer, which has begun.
   */
  async hold<T extends Reply>(
    body: RequestBody | null,
    make: () => Conversation<T>,
  ): Promise<T> {
    try {
      const conversation = make();
      for (let tries = 1;; tries++) {
        const { exchange, reply } = await this.#begin(conversation);
        try {
          await reply.begun;
          return reply;
        } catch (error) {
          const isRepeatable =
            (conversation.isIdempotent || exchange.isUnsent) &&
            (body === null || body.isReplayable);
          if (
            !exchange.isStale || !isRepeatable || tries === MOST_TRIES ||
            this.#pool.isClosed
          ) throw error;
        }
      }
    } catch (error) {
      body?.cancel(error);
      throw error;
    }
  }

  async #begin<T extends Reply>(
    { outgoing, signal, onEnd, ...make }: Conversation<T>,
  ): Promise<{ exchange: ClientExchange; reply: T }> {
    const connection = await this.#pool.acquire(signal);
    if (signal?.aborted) {
      this.#pool.release(connection, true);
      throw signal.reason;
    }
    const reply = make.reply({
      wanted: () => exchange.wanted(),
      cancelled: (reason) => exchange.abort(reason),
    });
    const onAbort = () => {
      if (!reply.isOver) exchange.abort(signal!.reason);
    };
    const exchange: ClientExchange = new ClientExchange({
      outgoing,
      connection,
      keepsConnection: this.#limits.maxIdleConnections > 0,
      limits: this.#limits,
      reply,
      stderr: make.stderr(),
      onEnd,
      finished: (isReusable) => {
        signal?.removeEventListener("abort", onAbort);
        this.#exchanges.delete(exchange);
        this.#pool.release(connection, isReusable);
        // After an answer no more of the body is wanted; before one it may
        // be sent again.
        if (reply.hasBegun) outgoing.body?.cancel();
      },
    });
    signal?.addEventListener("abort", onAbort);
    this.#exchanges.add(exchange);
    exchange.start();
    return { exchange, reply };
  }

  /** Ends all. */
  close(): void {
    this.#pool.close();
    for (const exchange of [...this.#exchanges]) exchange.abort(clientClosed());
    // Those given up on a shared connection, or a question, still wait there.
    this.#pool.closeAll();
  }
}
