// A stand-in for @std/assert where JSR is out of reach: the same names and
// signatures, adapting node:assert and node:util. Not part of the published
// package.

import {
  AssertionError as NodeAssertionError,
  deepStrictEqual,
} from "node:assert";
import { inspect, isDeepStrictEqual } from "node:util";

/** What a failed assertion throws. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

// deno-lint-ignore no-explicit-any
type AnyConstructor = abstract new (...args: any[]) => any;

/** An array, a typed array or the like, and no string. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

function show(value: unknown): string {
  return inspect(value, {
    depth: 5,
    maxArrayLength: 40,
    maxStringLength: 2000,
  });
}

function failWith(message: string, msg?: string): never {
  throw new AssertionError(msg ? `${message}: ${msg}` : message);
}

/** Fails, always. */
export function fail(msg?: string): never {
  failWith("Failed assertion", msg);
}

/** Fails where code that cannot be reached is. */
export function unreachable(reason?: string): never {
  failWith("Unreachable", reason);
}

/** Asserts that a value is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Asserts that a value is falsy. */
export function assertFalse<T>(expr: T, msg = ""): void {
  if (expr) throw new AssertionError(msg);
}

/**
 * What @std/assert takes for the same and node:util does not: an object
 * without a prototype and a plain one, zero and minus zero.
 */
function plain(value: unknown, seen = new Map<object, unknown>()): unknown {
  if (value === 0) return 0;
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    seen.set(value, copy);
    for (const item of value) copy.push(plain(item, seen));
    return copy;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return value;
  const copy: Record<PropertyKey, unknown> = {};
  seen.set(value, copy);
  for (const key of Reflect.ownKeys(value)) {
    copy[key] = plain(value[key as keyof typeof value], seen);
  }
  return copy;
}

/** Whether two values are deeply equal. */
export function equal(a: unknown, b: unknown): boolean {
  if (a instanceof URL && b instanceof URL) return a.href === b.href;
  return isDeepStrictEqual(a, b) || isDeepStrictEqual(plain(a), plain(b));
}

/** Asserts that two values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  if (isLarge(actual) || isLarge(expected)) {
    failWith(`Values are not equal\n${show(actual)}\n${show(expected)}`, msg);
  }
  try {
    deepStrictEqual(actual, expected);
  } catch (error) {
    if (!(error instanceof NodeAssertionError)) throw error;
    failWith(error.message, msg);
  }
}

/** Whether finding the differences would take longer than reading them. */
function isLarge(value: unknown): boolean {
  if (typeof value === "string") return value.length > 10_000;
  return ArrayBuffer.isView(value) && value.byteLength > 1000 ||
    Array.isArray(value) && value.length > 1000;
}

/** Asserts that two values are not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  failWith(`Expected values to differ, both are ${show(actual)}`, msg);
}

/** Asserts that two values are the same. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  failWith(
    `Values are not strictly equal: ${show(actual)} and ${show(expected)}`,
    msg,
  );
}

/** Asserts that two values are not the same. */
export function assertNotStrictEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!Object.is(actual, expected)) return;
  failWith(`Expected values to be different: ${show(actual)}`, msg);
}

/** Asserts that a value is neither null nor undefined. */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  failWith(`Expected a value that is there, got ${actual}`, msg);
}

/** Asserts that a value is an instance of a class. */
export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  failWith(
    `Expected an instance of ${expectedType.name}, got ${show(actual)}`,
    msg,
  );
}

/** Asserts that a string holds another. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  failWith(`Expected ${show(actual)} to contain ${show(expected)}`, msg);
}

/** Asserts that a string matches. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (expected.test(actual)) return;
  failWith(`Expected ${show(actual)} to match ${expected}`, msg);
}

/** Asserts that a string does not match. */
export function assertNotMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (!expected.test(actual)) return;
  failWith(`Expected ${show(actual)} not to match ${expected}`, msg);
}

/** Asserts that a list holds every value of another. */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const all = Array.from(actual);
  const missing = Array.from(expected).filter((value) =>
    !all.some((other) => equal(value, other))
  );
  if (missing.length === 0) return;
  failWith(`Expected ${show(actual)} to include ${show(missing)}`, msg);
}

/** Asserts that a value is greater than another. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (actual > expected) return;
  failWith(`Expected ${show(actual)} > ${show(expected)}`, msg);
}

/** Asserts that a value is greater than another, or equal. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (actual >= expected) return;
  failWith(`Expected ${show(actual)} >= ${show(expected)}`, msg);
}

/** Asserts that a value is less than another. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (actual < expected) return;
  failWith(`Expected ${show(actual)} < ${show(expected)}`, msg);
}

/** Asserts that a value is less than another, or equal. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (actual <= expected) return;
  failWith(`Expected ${show(actual)} <= ${show(expected)}`, msg);
}

/** Asserts that a value is an error, of a class and with a message. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass?: abstract new (...args: any[]) => E,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  assertInstanceOf(error, ErrorClass ?? Error, msg);
  if (msgMatches instanceof RegExp) assertMatch(error.message, msgMatches, msg);
  else if (msgMatches) assertStringIncludes(error.message, msgMatches, msg);
}

/** Asserts that a function throws, and gives what. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Asserts that a function throws an error of a class, and gives it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any
  errorClassOrMsg?: (abstract new (...args: any[]) => E) | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const message = typeof errorClassOrMsg === "string" ? errorClassOrMsg : msg;
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    if (typeof errorClassOrMsg === "function") {
      assertIsError(thrown, errorClassOrMsg, msgIncludes, message);
    }
    return thrown;
  }
  failWith("Expected the function to throw", message);
}

/** Asserts that a promise is rejected, and gives the reason. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/** Asserts that a promise is rejected with an error of a class, and gives it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any
  errorClassOrMsg?: (abstract new (...args: any[]) => E) | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const message = typeof errorClassOrMsg === "string" ? errorClassOrMsg : msg;
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    failWith(`Expected a rejection, but it threw ${show(error)}`, message);
  }
  if (typeof promise?.then !== "function") {
    failWith(`Expected a promise, got ${show(promise)}`, message);
  }
  try {
    await promise;
  } catch (error) {
    if (typeof errorClassOrMsg === "function") {
      assertIsError(error, errorClassOrMsg, msgIncludes, message);
    }
    return error;
  }
  failWith("Expected the promise to be rejected", message);
}
