// Starvation: new connections that nobody accepts because kept ones hold every
// process of the server. PHP-FPM has a process for each connection; those
// beyond wait in its queue, and would wait as long as idle ones are kept. So
// for each connection that is silent, one that is idle is let go.

import type { ClientConnection } from "./connection.ts";

/** How long a new connection may be silent before it is taken for starving. */
const SILENCE_MS = 100;

/** The connections of a pool of which nothing has come yet. */
export class Starvation {
  readonly #letGo: () => boolean;
  readonly #timers = new Map<
    ClientConnection,
    ReturnType<typeof setTimeout>
  >();
  readonly #starving = new Set<ClientConnection>();

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
      if (isSilent(connection) && !this.#letGo()) {
        this.#starving.add(connection);
      }
    }, SILENCE_MS);
    this.#timers.set(connection, timer);
  }

  /**
   * Takes one that starves off the list.
   *
   * @returns Whether there was one: a connection that becomes idle is then to
   * be closed in its favour.
   */
  take(): boolean {
    for (const connection of this.#starving) {
      this.#starving.delete(connection);
      if (isSilent(connection)) return true;
    }
    return false;
  }

  /**
   * Watches a connection no more.
   *
   * @param connection One that was answered or closed.
   */
  forget(connection: ClientConnection): void {
    clearTimeout(this.#timers.get(connection));
    this.#timers.delete(connection);
    this.#starving.delete(connection);
  }

  /** Watches nothing any more. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#starving.clear();
  }
}

function isSilent(connection: ClientConnection): boolean {
  return !connection.hasReceived && !connection.isClosed &&
    !connection.isShared;
}
