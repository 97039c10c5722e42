// Pool: things that are dear to make and needed for a moment, of which only
// so many may be out at once, so that memory stays bounded by a number.

/** A bounded pool. */
export class Pool<T> {
  readonly #make: () => T;
  readonly #most: number;
  readonly #kept: number;
  readonly #free: T[] = [];
  #out = 0;

  /**
   * Creates an empty pool.
   *
   * @param make Makes one more.
   * @param most How many may be out at once.
   * @param kept How many are kept for later.
   */
  constructor(make: () => T, most: number, kept: number) {
    this.#make = make;
    this.#most = most;
    this.#kept = kept;
  }

  /**
   * Takes one.
   *
   * @returns One, or null where too many are out.
   */
  take(): T | null {
    if (this.#out >= this.#most) return null;
    this.#out++;
    return this.#free.pop() ?? this.#make();
  }

  /**
   * Gives one back.
   *
   * @param thing What was taken.
   */
  give(thing: T): void {
    this.#out--;
    if (this.#free.length < this.#kept) this.#free.push(thing);
  }
}
