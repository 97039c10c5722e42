// AsyncValue: a value that belongs to the code running now, and to whatever that
// goes on with. It is what AsyncLocalStorage is, which keeps each value in a
// WeakMap: 0.3 µs a call, and what it was given grows old. Here it is in the
// runtime's own context of asynchronous code, next to what others keep there: a
// short request takes a twentieth to an eighth less by it. That context is not
// documented: it is tried once, and where it is not as it was when this was
// written, AsyncLocalStorage it is, whose loading takes 30 ms.

import type { AsyncLocalStorage } from "node:async_hooks";
import { runtimeCore } from "./server/runtime_core.ts";

/** A value that belongs to the code running now. */
export interface AsyncValue<T> {
  /** It, undefined where there is none. */
  readonly current: T | undefined;
  /**
   * Calls a function that has a value, and so has all that it goes on with.
   *
   * @param value The value.
   * @param service The function.
   * @returns What it returns.
   */
  run<R>(value: T, service: (value: T) => R): R;
}

/** What code has of all that is kept so: a property of each. */
type Context = Record<PropertyKey, unknown> | null | undefined;

/** What is used of the runtime's core. */
interface Contexts {
  getAsyncContext(): Context;
  setAsyncContext(context: Context): void;
  /** What is behind AsyncLocalStorage. */
  AsyncVariable: new () => {
    enter(value: unknown): Context;
    get(): unknown;
  };
}

let found: Contexts | null | undefined;

/**
 * Makes a value that is nowhere yet.
 *
 * @returns It.
 */
export function asyncValue<T>(): AsyncValue<T> {
  if (found === undefined) {
    const core = runtimeCore<Contexts>(
      "getAsyncContext",
      "setAsyncContext",
      "AsyncVariable",
    );
    found = core !== null && isWorking(core) ? core : null;
  }
  return found === null ? new StoredValue() : new ContextValue(found);
}

/** Whether a value stays apart from those of AsyncLocalStorage. */
function isWorking(contexts: Contexts): boolean {
  const { getAsyncContext, setAsyncContext, AsyncVariable } = contexts;
  const outer = getAsyncContext();
  try {
    const theirs = new AsyncVariable();
    const own = new ContextValue<string>(contexts);
    const both = () => `${own.current} ${theirs.get()}`;
    const before = both();
    theirs.enter("theirs");
    const within = own.run("own", () => {
      const first = both();
      theirs.enter("inner");
      return [first, both()];
    });
    return [before, ...within, both()].join() ===
      "undefined undefined,own theirs,own inner,undefined theirs";
  } catch {
    return false; // Whatever it is, it is not what was expected.
  } finally {
    setAsyncContext(outer);
  }
}

/** A value in the runtime's context. */
class ContextValue<T> implements AsyncValue<T> {
  readonly #contexts: Contexts;
  readonly #key = Symbol("value");

  constructor(contexts: Contexts) {
    this.#contexts = contexts;
  }

  get current(): T | undefined {
    return this.#contexts.getAsyncContext()?.[this.#key] as T | undefined;
  }

  run<R>(value: T, service: (value: T) => R): R {
    const { getAsyncContext, setAsyncContext } = this.#contexts;
    const outer = getAsyncContext();
    // Mostly nobody else has anything there, and a copy of nothing is slow.
    setAsyncContext(
      outer ? { ...outer, [this.#key]: value } : { [this.#key]: value },
    );
    try {
      return service(value);
    } finally {
      setAsyncContext(outer);
    }
  }
}

/** A value in an AsyncLocalStorage. */
export class StoredValue<T> implements AsyncValue<T> {
  readonly #storage: AsyncLocalStorage<T>;

  constructor() {
    // Synchronous, for a request may be waiting.
    const { process } = globalThis as unknown as {
      process: {
        getBuiltinModule(name: string): typeof import("node:async_hooks");
      };
    };
    const { AsyncLocalStorage } = process.getBuiltinModule("node:async_hooks");
    this.#storage = new AsyncLocalStorage();
  }

  get current(): T | undefined {
    return this.#storage.getStore();
  }

  run<R>(value: T, service: (value: T) => R): R {
    return this.#storage.run(value, service, value);
  }
}
