// Origin: how this process was started, so that a worker can be started in the
// same way. The runtime does not tell its own arguments; Linux does, in /proc.
//
// The runtime lets only those read /proc who have every permission. Without,
// another process is asked that has: who may start the runtime, may do so.

import { StartError } from "../errors.ts";

/** How a process was started. */
export interface Origin {
  /** The arguments, that of the program itself left out. */
  readonly args: readonly string[];
  /** The directory. */
  readonly cwd: string;
  /** The environment, as far as another process may be given it. */
  readonly env: Readonly<Record<string, string>>;
}

/** What /proc tells of a process. */
interface Seen {
  words: string[];
  cwd: string;
}

const PERMISSIONS = [
  "env",
  "ffi",
  "import",
  "net",
  "read",
  "run",
  "sys",
  "write",
] as const;

/**
 * Finds out how this process was started.
 *
 * @returns How.
 * @throws {StartError} `CANNOT_START` where that cannot be known, or would not
 * do the same once more.
 */
export async function findOrigin(): Promise<Origin> {
  const env = environment();
  if (Deno.build.standalone) {
    return { args: Deno.args, cwd: currentDirectory(), env };
  }
  let seen: Seen;
  try {
    seen = hasEveryPermission() ? look(Deno.pid) : await askAnother(env);
  } catch (error) {
    throw cannotStart(
      `/proc does not tell how this process was started (${
        error instanceof Error ? error.message : error
      })`,
      error,
    );
  }
  return { args: argumentsOf(seen.words.slice(1)), cwd: seen.cwd, env };
}

/**
 * The environment. Without the right to start anything, the runtime starts
 * nothing with variables that load code.
 */
function environment(): Record<string, string> {
  const all = Deno.env.toObject();
  if (Deno.permissions.querySync({ name: "run" }).state === "granted") {
    return all;
  }
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => !/^(?:LD|DYLD)_/i.test(name)),
  );
}

function currentDirectory(): string {
  try {
    return Deno.cwd();
  } catch (error) {
    throw cannotStart("the directory may not be read: add --allow-read", error);
  }
}

/** Whether everything is permitted, so that nothing is asked for. */
function hasEveryPermission(): boolean {
  return PERMISSIONS.every((name) => {
    const { state, partial } = Deno.permissions.querySync({ name });
    return state === "granted" && !partial;
  });
}

/** Runs in another process as well: it must not use what is around it. */
function look(pid: number): Seen {
  const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
  // Each of them ends with a zero.
  words.pop();
  return { words, cwd: Deno.readLinkSync(`/proc/${pid}/cwd`) };
}

async function askAnother(env: Record<string, string>): Promise<Seen> {
  const code = `console.log(JSON.stringify((${look})(${Deno.pid})))`;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "--no-lock", code],
    clearEnv: true,
    env,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (success) return JSON.parse(decoder.decode(stdout));
  throw new Error(decoder.decode(stderr).trim().split("\n")[0]);
}

/** Subcommands that do more than run a program. */
const OTHER_COMMANDS = ["bench", "jupyter", "repl", "serve", "test"];

/** The arguments for another process of the same program. */
function argumentsOf(words: string[]): string[] {
  const end = words.length - Deno.args.length;
  const flags = words.slice(0, end);
  if (words.slice(end).join("\0") !== Deno.args.join("\0")) {
    throw cannotStart(`the arguments do not end as they should: ${words}`);
  }
  const other = flags.find((word, i) =>
    word.startsWith("--watch") || word === "-" ||
    i === 0 && OTHER_COMMANDS.includes(word)
  );
  if (other !== undefined) {
    throw cannotStart(`there can be none under "${other}"`);
  }
  // Of several processes only one can have the debugger's port.
  return [
    ...flags.filter((flag) => !flag.startsWith("--inspect")),
    ...Deno.args,
  ];
}

function cannotStart(why: string, cause?: unknown): StartError {
  return new StartError(
    "CANNOT_START",
    `Cannot start workers: ${why}`,
    cause === undefined ? undefined : { cause },
  );
}
