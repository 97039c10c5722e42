// smisk check, as the tests run it.

import { assertEquals, assertMatch } from "@std/assert";
import { ran } from "./smisk.ts";

/** Runs `smisk check`; nothing of it goes to the error output. */
export async function check(
  address: string,
  ...args: string[]
): Promise<{ code: number; lines: string[] }> {
  const { code, errors, output } = await ran(["check", address, ...args]);
  assertEquals(errors, []);
  for (const line of output) {
    assertMatch(line, /^(?:ok|warning|problem) +[^ ].*[^.]$/);
  }
  return { code, lines: output };
}

/** The one line of a level that begins so. */
export function lineOf(lines: readonly string[], begin: string): string {
  const found = lines.filter((line) => line.startsWith(begin));
  assertEquals(found.length, 1, lines.join("\n"));
  return found[0]!;
}
