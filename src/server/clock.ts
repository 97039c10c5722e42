// Clock: one timer for all time-outs of a server. A timer per request would
// cost as much as the rest of a short request; here an event notes the time as
// of the last tick, a number already at hand, and each tick looks for what is
// overdue. Nothing ticks while nothing is waited for.

/** Ticks while something waits, and tells the time as of the last tick. */
export class Clock {
  /**
   * Milliseconds on a monotonic clock, as of the last tick. A whole number: to
   * note a fraction would allocate one for each note, several a request.
   */
  now: number = Math.round(performance.now());
  /** Milliseconds between ticks: how late a time-out may be noticed. */
  readonly periodMs: number;
  readonly #sweep: () => boolean;
  #timer: ReturnType<typeof setInterval> | null = null;

  /**
   * Creates a clock that stands.
   *
   * @param shortestMs The shortest time-out that is to be noticed.
   * @param sweep Looks for what is overdue; returns whether anything is still
   * waited for.
   */
  constructor(shortestMs: number, sweep: () => boolean) {
    this.periodMs = Math.min(1000, Math.max(5, Math.ceil(shortestMs / 8)));
    this.#sweep = sweep;
  }

  /** Starts the ticking, where it stands. */
  arm(): void {
    if (this.#timer !== null) return;
    this.now = Math.round(performance.now());
    this.#timer = setInterval(() => {
      this.now = Math.round(performance.now());
      if (!this.#sweep()) this.stop();
    }, this.periodMs);
    // Time-outs alone are no reason to keep a process running.
    Deno.unrefTimer(this.#timer);
  }

  /** Stops the ticking. */
  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /**
   * Whether a time-out is over. It is never found so early, and late by two
   * periods at the most.
   *
   * @param since The value of {@linkcode Clock.now} when it began.
   * @param timeoutMs How long it is.
   * @returns Whether it is over.
   */
  isOver(since: number, timeoutMs: number): boolean {
    return this.now - since >= timeoutMs + this.periodMs;
  }
}
