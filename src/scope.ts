// RequestScope: what `this.request` and `this.response` are, in code that many
// requests run interleaved.
//
// Measured: `AsyncLocalStorage.run` takes 0.4 to 1 µs, a tenth of a short
// request, and loading it a third of the start. It is needed only where a
// service goes on after it has returned a promise: as long as it has not, the
// field `#current` tells. Whether it will is known beforehand of an `async`
// method; of any other, from its first promise on. That first one is the only
// request that can be under way without a store, so that it is told by having
// none. (While it is, code outside of any request is told it too, in place of
// an error.)

import type { AsyncLocalStorage } from "node:async_hooks";

type AsyncHooks = typeof import("node:async_hooks");

/** The value that belongs to the code running now. */
export class RequestScope<T> {
  #current: T | null = null;
  #storage: AsyncLocalStorage<T> | null = null;
  /** The one whose service returned a promise before there was a storage. */
  #first: T | null = null;
  readonly #isAsync: boolean;

  /**
   * Creates a scope.
   *
   * @param isAsync Whether services are known to return promises.
   */
  constructor(isAsync: boolean) {
    this.#isAsync = isAsync;
  }

  /** The value of the code running now, null outside of any. */
  get current(): T | null {
    return this.#current ?? this.#storage?.getStore() ?? this.#first;
  }

  /** Loads what is known to be needed, so that no request waits for it. */
  async prepare(): Promise<void> {
    if (!this.#isAsync || this.#storage !== null) return;
    const { AsyncLocalStorage } = await import("node:async_hooks");
    this.#storage ??= new AsyncLocalStorage();
  }

  /**
   * Calls a function that has a value from its first line to the end of the
   * promise it returns.
   *
   * @param value The value.
   * @param service The function.
   * @returns What it returns.
   */
  run(
    value: T,
    service: (value: T) => void | Promise<void>,
  ): void | Promise<void> {
    const outer = this.#current;
    this.#current = value;
    try {
      if (this.#storage !== null) {
        return this.#storage.run(value, service, value);
      }
      const served = service(value);
      if (isPromise(served)) this.#goOn(value, served);
      return served;
    } finally {
      this.#current = outer;
    }
  }

  #goOn(value: T, served: Promise<void>): void {
    // Synchronous, for the next request may be in line: 30 ms, once.
    const { process } = globalThis as unknown as {
      process: { getBuiltinModule(name: string): AsyncHooks };
    };
    const { AsyncLocalStorage } = process.getBuiltinModule("node:async_hooks");
    this.#storage = new AsyncLocalStorage();
    this.#first = value;
    const forget = () => {
      this.#first = null;
    };
    Promise.resolve(served).then(forget, forget);
  }
}

/**
 * Whether a service goes on after it has returned.
 *
 * @param value What it returned.
 * @returns Whether it is a promise.
 */
export function isPromise(value: unknown): value is Promise<void> {
  return typeof value === "object" && value !== null && "then" in value;
}
