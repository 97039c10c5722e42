// The command smisk: from its arguments to a subcommand, and its exit status.

/**
 * The command `smisk`: serves a module, prints configurations of web servers,
 * and asks FastCGI servers.
 *
 * ```sh
 * deno run -A jsr:@smisk/smisk/cli --help
 * ```
 *
 * @module
 */

import { badArgument } from "../command/arguments.ts";
import { VERSION } from "../application.ts";

/** What `smisk --help` prints. */
const HELP = `Usage: smisk COMMAND [OPTIONS]    (Smisk ${VERSION})

  serve MODULE      Serve what a module exports: an application, an object with
                    fetch, or a WSGI-style function
  config SERVER     Print the configuration of nginx, lighttpd, apache, caddy,
                    h2o, haproxy or systemd for a program
  get ADDR PATH     Ask a FastCGI server for a path
  check ADDR        Say what is wrong with a socket or a FastCGI server

  --help            Print this, and stop; behind a command, what that takes
  --version         Print the version, and stop

ADDR is host:port, [ipv6]:port, /path/to.sock or unix:/path/to.sock.
`;

/**
 * Runs the command.
 *
 * @param args The arguments, as `Deno.args` has them.
 * @returns The status to exit with: 0 where all is well, 1 where something
 * could not be done, 2 where an argument is wrong; `get` has more.
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await runCommand(args);
  } catch (error) {
    const failure = asStartError(error);
    if (failure === null) throw error;
    console.error(`smisk: ${failure.message.replace(/\s*\n\s*/g, " ")}`);
    return failure.code === "BAD_ARGUMENT" ? 2 : 1;
  }
}

async function runCommand(
  [command, ...rest]: readonly string[],
): Promise<number> {
  switch (command) {
    case "serve": {
      const { serveModule } = await import("./serve.ts");
      return await serveModule(rest);
    }
    case "config": {
      const { config } = await import("./config.ts");
      return print(config(rest));
    }
    case "get": {
      const { get } = await import("./get.ts");
      return await get(rest);
    }
    case "check": {
      const { check } = await import("./check.ts");
      return await check(rest);
    }
    case "--help":
    case "-h":
    case "help":
      return print(HELP);
    case "--version":
      return print(`Smisk ${VERSION}, Deno ${Deno.version.deno}\n`);
    case undefined:
      throw badArgument("smisk needs a command: serve, config, get or check");
    default:
      throw badArgument(
        `"${command}" is no command: write serve, config, get or check`,
      );
  }
}

function print(text: string): number {
  console.log(text.trimEnd());
  return 0;
}

/**
 * An error of this package, or of the copy of it that a module brought along,
 * which has another class of the same name.
 */
function asStartError(
  error: unknown,
): { message: string; code: string } | null {
  return error instanceof Error && error.name === "StartError" &&
      "code" in error && typeof error.code === "string"
    ? { message: error.message, code: error.code }
    : null;
}

if (import.meta.main) {
  const status = await main(Deno.args);
  if (status !== 0) Deno.exit(status);
}
