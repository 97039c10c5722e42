// Starvation: new connections that nobody accepts because kept ones hold every
// process of the server. PHP-FPM has a process for each connection; those
// beyond wait in its queue, and would wait as long as idle ones are kept. So
// while a new connection is silent, idle ones are let go.
//
// A server that is merely slow looks the same. Hence one is let go at a time,
// and the next once that has helped; where it has not, the patience grows.

import type { ClientConnection } from "./connection.ts";

/** How long a new connection may be silent before it is taken for starving. */
const SILENCE_MS = 100;

/** How long it takes a server to accept the next where one was let go. */
const HELP_MS = 100;

/** How often it is looked whether that has helped. */
const LOOK_MS = 10;

/** The longest that nothing is let go after it did not help. */
const MOST_PATIENCE_MS = 10_000;

/** The connections of a pool of which nothing has come yet. */
export class Starvation {
  readonly #letGo: () => boolean;
  readonly #timers = new Map<
    ClientConnection,
    ReturnType<typeof setTimeout>
  >();
  readonly #starving = new Set<ClientConnection>();
  /** Looks whether letting one go has helped, or waits out the patience. */
  #looking: ReturnType<typeof setTimeout> | undefined;
  #patienceMs = SILENCE_MS;
  /** How many that starved were answered in the end. */
  #fed = 0;

  /**
   * Creates a watch over nothing.
   *
   * @param letGo Closes an idle connection; false where there is none.
   */
  constructor(letGo: () => boolean) {
    this.#letGo = letGo;
  }

  /**
   * Watches a new connection.
   *
   * @param connection It.
   */
  watch(connection: ClientConnection): void {
    const timer = setTimeout(() => {
      this.#timers.delete(connection);
      if (!isSilent(connection)) return;
      this.#starving.add(connection);
      this.#help();
    }, SILENCE_MS);
    this.#timers.set(connection, timer);
  }

  /**
   * Whether a connection that becomes idle is to be closed in favour of one
   * that starves; it is taken for closed then.
   *
   * @returns Whether it is.
   */
  take(): boolean {
    if (this.#looking !== undefined || !this.#hasStarving()) return false;
    this.#look(performance.now() + HELP_MS);
    return true;
  }

  #help(): void {
    if (this.#looking !== undefined || !this.#hasStarving()) return;
    if (this.#letGo()) this.#look(performance.now() + HELP_MS);
  }

  /** Waits until one that starved is answered, or it is too late for that. */
  #look(until: number, fed = this.#fed): void {
    this.#looking = setTimeout(() => {
      this.#looking = undefined;
      if (!this.#hasStarving()) return;
      if (this.#fed > fed) {
        this.#patienceMs = SILENCE_MS;
        this.#help();
      } else if (performance.now() < until) this.#look(until, fed);
      else this.#wait();
    }, LOOK_MS);
  }

  #wait(): void {
    this.#looking = setTimeout(() => {
      this.#looking = undefined;
      this.#help();
    }, this.#patienceMs);
    this.#patienceMs = Math.min(MOST_PATIENCE_MS, this.#patienceMs * 2);
  }

  #hasStarving(): boolean {
    for (const connection of [...this.#starving]) {
      if (!isSilent(connection)) this.forget(connection);
    }
    return this.#starving.size > 0;
  }

  /**
   * Watches a connection no more.
   *
   * @param connection One that was answered or closed.
   */
  forget(connection: ClientConnection): void {
    clearTimeout(this.#timers.get(connection));
    this.#timers.delete(connection);
    if (this.#starving.delete(connection) && connection.hasReceived) {
      this.#fed++;
    }
    if (this.#starving.size > 0) return;
    clearTimeout(this.#looking);
    this.#looking = undefined;
  }

  /** Watches nothing any more. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#starving.clear();
    clearTimeout(this.#looking);
    this.#looking = undefined;
  }
}

function isSilent(connection: ClientConnection): boolean {
  return !connection.hasReceived && !connection.isClosed &&
    !connection.isShared;
}
