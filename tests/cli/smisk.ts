// The command smisk, as the tests run it.

import { Program } from "../support/program.ts";
import type { ProgramOptions } from "../support/program.ts";
import { ended } from "../command/programs.ts";

const CLI = new URL("../../src/cli/cli.ts", import.meta.url).pathname;

/** Starts it. */
export function smisk(
  args: readonly string[],
  options: ProgramOptions & { permissions?: readonly string[] } = {},
): Program {
  const { permissions = ["-A"], ...rest } = options;
  return new Program(Deno.execPath(), {
    ...rest,
    args: ["run", "--no-check", ...permissions, CLI, ...args],
  });
}

/** Runs it to its end. */
export function ran(
  args: readonly string[],
  options: Parameters<typeof smisk>[1] = {},
): ReturnType<typeof ended> {
  return ended(smisk(args, options));
}
