// The runtime's core, of which its own modules are made. Nothing of it is
// documented: whoever uses any of it looks here whether it is there, and goes
// another way where it is not.

/**
 * Looks for the core.
 *
 * @param names The functions that it must have.
 * @returns It, null where there is none that has them all.
 */
export function runtimeCore<T extends object>(
  ...names: (keyof T & string)[]
): T | null {
  const { internal } = Deno as unknown as { internal?: PropertyKey };
  if (typeof internal !== "symbol") return null;
  const inside = Reflect.get(Deno, internal) as { core?: unknown } | undefined;
  const core = inside?.core;
  if (typeof core !== "object" || core === null) return null;
  return names.every((name) => typeof Reflect.get(core, name) === "function")
    ? core as T
    : null;
}
