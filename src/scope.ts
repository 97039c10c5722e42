// RequestScope: what `this.request` and `this.response` are, in code that many
// requests run interleaved.
//
// An AsyncValue is needed only where a service goes on after it has returned a
// promise: as long as it has not, the field `#current` tells, for less. Whether
// it will is known beforehand of an `async` method; of any other, from its first
// promise on. That first one is the only request that can be under way without
// an AsyncValue, so that it is told by having none. (While it is, code outside
// of any request is told it too, in place of an error.)

import { asyncValue } from "./async_value.ts";
import type { AsyncValue } from "./async_value.ts";

/** The value that belongs to the code running now. */
export class RequestScope<T> {
  #current: T | null = null;
  #value: AsyncValue<T> | null = null;
  /** The one whose service returned a promise before there was a #value. */
  #first: T | null = null;
  readonly #make: () => AsyncValue<T>;

  /**
   * Creates a scope.
   *
   * @param isAsync Whether services are known to return promises.
   * @param make Makes what tells requests apart then.
   */
  constructor(isAsync: boolean, make: () => AsyncValue<T> = asyncValue) {
    this.#make = make;
    if (isAsync) this.#value = make();
  }

  /** The value of the code running now, null outside of any. */
  get current(): T | null {
    return this.#current ?? this.#value?.current ?? this.#first;
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
      if (this.#value !== null) return this.#value.run(value, service);
      const served = service(value);
      if (isPromise(served)) this.#goOn(value, served);
      return served;
    } finally {
      this.#current = outer;
    }
  }

  #goOn(value: T, served: Promise<void>): void {
    this.#value = this.#make();
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
