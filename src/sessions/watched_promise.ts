// WatchedPromise: a promise that knows whether anybody waits for it. Without,
// an error would have to be thrown twice or might be told nobody, or, as an
// unhandled rejection, would end the process with all its other requests.

/** A promise that knows whether anybody waits for it. */
export class WatchedPromise<T> extends Promise<T> {
  /** Whether anybody does. */
  isWatched = false;

  /** What follows it is a promise as any other. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /**
   * Makes one.
   *
   * @param promise What it settles as.
   */
  constructor(promise: Promise<T>) {
    super((resolve, reject) => promise.then(resolve, reject));
  }

  override then<A = T, B = never>(
    onResolved?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.isWatched = true;
    return super.then(onResolved, onRejected);
  }

  /**
   * Looks how it ends, without counting as somebody who waits.
   *
   * @param look Told the error, or null.
   * @returns Settles after it; never fails.
   */
  settled(
    look: (error: { readonly error: unknown } | null) => void,
  ): Promise<void> {
    return super.then(() => look(null), (error) => look({ error }));
  }
}
