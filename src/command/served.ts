// A command line of `smisk serve`: which words are the module, and which are
// those of every program. A module that calls run() by itself, as one that is
// made for `deno run` does, reads it here as well.

import { KINDS, readWords } from "./arguments.ts";

/** The command line of `smisk serve`, taken apart. */
export interface ServeWords {
  /** What every program takes, a word for each. */
  readonly flags: readonly string[];
  /** What is to be served. */
  readonly modules: readonly string[];
}

/**
 * Takes a command line apart.
 *
 * @param args What follows `serve`.
 * @returns Its words.
 * @throws {StartError} `BAD_ARGUMENT` at an option that there is not, or at a
 * value that is missing or too much.
 */
export function readServe(args: readonly string[]): ServeWords {
  const flags: string[] = [];
  const modules: string[] = [];
  for (const [flag, value] of readWords(args, KINDS)) {
    if (flag === null) modules.push(value);
    else flags.push(value === "" ? flag : `${flag}=${value}`);
  }
  return { flags, modules };
}

/**
 * Where it is noted that a program runs by itself: on the global object, for
 * the module may bring another copy of this package along.
 */
const RUNS: unique symbol = Symbol.for("@smisk/smisk runs") as never;

/** Whether a module that was loaded has called `run()`. */
export function runsByItself(): boolean {
  return RUNS in globalThis;
}

/**
 * The arguments of a program: all, or where `smisk serve` has loaded it, those
 * that are every program's.
 *
 * @returns They.
 * @throws {StartError} As {@linkcode readServe}.
 */
export function ownArguments(): readonly string[] {
  const isServed = Deno.args[0] === "serve" &&
    /\/cli\/cli\.ts$/.test(Deno.mainModule);
  if (!isServed) return Deno.args;
  Object.defineProperty(globalThis, RUNS, { value: true, configurable: true });
  return readServe(Deno.args.slice(1)).flags;
}
