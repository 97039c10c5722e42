// Promises that are settled from elsewhere: by whoever has made one, or by the
// event loop.

/**
 * Makes a promise whose refusal is no unhandled rejection.
 *
 * @returns It, and what settles it.
 */
export function deferred(): PromiseWithResolvers<void> {
  const made = Promise.withResolvers<void>();
  made.promise.catch(() => {});
  return made;
}

/**
 * Settles one, where there is one.
 *
 * @param waiting The promise, null where nobody waits.
 * @param error What it is refused with, null where it is kept.
 */
export function settle(
  waiting: PromiseWithResolvers<void> | null,
  error: unknown,
): void {
  if (error === null) waiting?.resolve();
  else waiting?.reject(error);
}

/**
 * Lets whatever else is waiting run.
 *
 * @returns Settles in a later turn of the event loop.
 */
export function nextTurn(): Promise<void> {
  const { setImmediate } = globalThis as unknown as {
    setImmediate(callback: () => void): void;
  };
  return new Promise((resolve) => setImmediate(resolve));
}
