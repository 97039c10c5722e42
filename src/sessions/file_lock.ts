// FileLock: one at a time, in this process and in all others. The system frees
// the lock of a process that has ended, however it ended, which a lock that is
// a file by its mere presence would outlive.

import { FastCgiError } from "../errors.ts";

/** The longest that is waited until it is tried again. */
const LONGEST_PAUSE_MS = 20;

/** A lock on a file that is there for it alone. */
export class FileLock {
  readonly #path: string;
  readonly #timeoutMs: number;
  /** Settles when all of this process that came before are done. */
  #line: Promise<unknown> = Promise.resolve();

  /**
   * Takes nothing yet.
   *
   * @param path The file; it is made where it is missing, and never removed.
   * @param timeoutMs Milliseconds after which it is given up on.
   */
  constructor(path: string, timeoutMs: number) {
    this.#path = path;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Does something while nobody else does.
   *
   * @param action What is done.
   * @returns What it returns.
   * @throws {FastCgiError} `SESSION_STORE` where others keep the lock for too
   * long.
   */
  hold<T>(action: () => Promise<T>): Promise<T> {
    const since = performance.now();
    const held = this.#line.then(() => this.#hold(action, since));
    this.#line = held.catch(() => {});
    return held;
  }

  async #hold<T>(action: () => Promise<T>, since: number): Promise<T> {
    // Closing it frees it.
    using file = await Deno.open(this.#path, {
      write: true,
      create: true,
      mode: 0o600,
    });
    await this.#take(file, since);
    return await action();
  }

  /**
   * Tried again and again, for a lock that is waited for takes a thread of
   * which there are few: enough of them waiting, and whoever holds it finds
   * none.
   */
  async #take(file: Deno.FsFile, since: number): Promise<void> {
    for (let pauseMs = 1; !await file.tryLock(true); pauseMs *= 2) {
      if (performance.now() - since > this.#timeoutMs) {
        throw new FastCgiError(
          "SESSION_STORE",
          `Cannot lock ${this.#path}: others have held it for more than ${this.#timeoutMs} ms`,
        );
      }
      const longest = Math.min(pauseMs, LONGEST_PAUSE_MS);
      const ms = longest * (0.5 + Math.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, ms));
    }
  }
}
