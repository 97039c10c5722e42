// Programs for the tests of run(), started as a user starts them.

import { Program } from "../support/program.ts";
import type { ProgramOptions } from "../support/program.ts";

/** The example. */
export const HELLO = file("../../examples/hello.ts");
/** The program beside this file. */
export const PROGRAM = file("./program.ts");

function file(path: string): string {
  return new URL(path, import.meta.url).pathname;
}

/** Starts the example as its first line says. */
export function hello(args: string[], options: ProgramOptions = {}): Program {
  return deno(["--allow-net", HELLO, ...args], options);
}

/** Starts the program beside this file. */
export function program(args: string[], options: ProgramOptions = {}): Program {
  return deno(["-A", PROGRAM, ...args], options);
}

/** Starts a file with permissions. */
export function deno(args: string[], options: ProgramOptions): Program {
  return new Program(Deno.execPath(), {
    ...options,
    args: ["run", "--no-check", ...args],
  });
}

/** Waits until it listens on TCP; gives where. */
export async function listening(
  running: Program,
): Promise<{ hostname: string; port: number }> {
  const [, port] = await running.until(
    /^Listening for FastCGI on 127\.0\.0\.1:(\d+)$/,
  );
  return { hostname: "127.0.0.1", port: Number(port) };
}

/** What a program that ended by itself said and how. */
export async function ended(running: Program): Promise<{
  code: number;
  output: string[];
  errors: string[];
}> {
  await using ending = running;
  const { code } = await ending.end();
  return { code, output: ending.output, errors: ending.errors };
}
