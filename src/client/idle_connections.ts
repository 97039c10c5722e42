// IdleConnections: those kept for a next request, for so long and no longer.

import type { ClientConnection } from "./connection.ts";

interface Kept {
  readonly connection: ClientConnection;
  /** Since when, by `performance.now()`. */
  readonly since: number;
}

/** The idle connections of a pool. */
export class IdleConnections {
  /** Oldest first. */
  readonly #kept: Kept[] = [];
  readonly #most: number;
  readonly #timeoutMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Creates an empty store.
   *
   * @param most The most that are kept.
   * @param timeoutMs For how long each.
   */
  constructor(most: number, timeoutMs: number) {
    this.#most = most;
    this.#timeoutMs = timeoutMs;
  }

  /** How many there are. */
  get count(): number {
    return this.#kept.length;
  }

  /**
   * Keeps a connection, or closes it.
   *
   * @param connection It, with nothing on it.
   */
  keep(connection: ClientConnection): void {
    if (this.#kept.length >= this.#most || !connection.idle()) {
      connection.close();
      return;
    }
    this.#kept.push({ connection, since: performance.now() });
    this.#sweepLater();
  }

  /** Takes the one used last: the others may grow old. Null for none. */
  takeNewest(): ClientConnection | null {
    return this.#kept.pop()?.connection ?? null;
  }

  /** Takes the one that has waited longest. Null for none. */
  takeOldest(): ClientConnection | null {
    return this.#kept.shift()?.connection ?? null;
  }

  /**
   * Forgets a connection.
   *
   * @param connection One that was closed.
   */
  forget(connection: ClientConnection): void {
    const at = this.#kept.findIndex((kept) => kept.connection === connection);
    if (at >= 0) this.#kept.splice(at, 1);
  }

  #sweepLater(): void {
    const [oldest] = this.#kept;
    if (this.#timeoutMs === Infinity || this.#timer !== undefined) return;
    if (oldest === undefined) return;
    const age = performance.now() - oldest.since;
    const timer = setTimeout(
      () => this.#sweep(),
      Math.max(1, this.#timeoutMs - age),
    );
    // As a kept connection does, its timer keeps no process running.
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  #sweep(): void {
    this.#timer = undefined;
    // A timer may be a fraction of a millisecond early.
    const since = performance.now() - this.#timeoutMs + 1;
    for (const kept of [...this.#kept]) {
      if (kept.since <= since) kept.connection.close();
    }
    this.#sweepLater();
  }

  /** Closes all. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { connection } of [...this.#kept]) connection.close();
  }
}
