// What is said of an error in a log: its stack, and those of its causes.

/** Causes of causes that are told; a chain may be a circle. */
const MOST_CAUSES = 8;

/**
 * An error and its causes, the outermost first.
 *
 * @param thrown What was thrown: an error, or any other value.
 * @returns Each, as text with its stack. Never throws, whatever it is.
 */
export function describeCauses(thrown: unknown): string[] {
  const texts = [describeOne(thrown)];
  for (let i = 0; i < MOST_CAUSES && thrown instanceof Error; i++) {
    thrown = causeOf(thrown);
    if (thrown === undefined) break;
    texts.push(describeOne(thrown));
  }
  return texts;
}

/**
 * Describes what was thrown, for the log.
 *
 * @param thrown It: an error, or any other value.
 * @returns The stack, and those of its causes. Never throws, whatever it is.
 */
export function describeError(thrown: unknown): string {
  return describeCauses(thrown).join("\nCaused by: ");
}

function describeOne(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.stack || thrown : thrown);
  } catch {
    return `A thrown ${typeof thrown} that cannot be shown`;
  }
}

function causeOf(error: Error): unknown {
  try {
    return error.cause;
  } catch {
    return undefined;
  }
}
