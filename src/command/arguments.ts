// The command line of every program: from arguments to what they ask for, and
// the help text. Nothing is done here, so that a bad argument costs nothing.

import { StartError } from "../errors.ts";
import { parseAddress } from "../server/address.ts";
import { AllowedClients } from "../server/allowed_clients.ts";
import type {
  TcpListenOptions,
  UnixListenOptions,
} from "../server/listen_options.ts";

/** The version of this package, as `--version` tells it. */
export const VERSION = "0.1.0";

/** Where the HTTP front listens if `--http` does not tell. */
const HTTP_HOST = "127.0.0.1";
const HTTP_PORT = 8080;

/** What `--help` prints: a line for each option. */
export const HELP = `A FastCGI application, made with Smisk ${VERSION}.

Usage: PROGRAM [OPTIONS]

  --bind ADDR     Listen for FastCGI on ADDR; may be repeated. One of
                  host:port, :port, [ipv6]:port, /path/to.sock,
                  unix:/path/to.sock
  --mode MODE     The permissions of Unix sockets, such as 0660
  --allow ADDR    Let only ADDR connect over TCP, an address or a range such
                  as 10.0.0.0/8; may be repeated
  --http [ADDR]   Serve HTTP as well, for development: port, host:port or
                  [ipv6]:port (${HTTP_HOST}:${HTTP_PORT})
  --help          Print this, and stop
  --version       Print the version, and stop

Without --bind it listens on the socket it was started with as descriptor 0,
else where the environment variable SMISK_BIND says, else on 127.0.0.1:9000.
SIGTERM, SIGINT and SIGUSR1 finish what is in flight and stop; a second one
stops at once.
`;

/** What a command line asks for. */
export interface Arguments {
  /** `--bind`. */
  bind: (TcpListenOptions | UnixListenOptions)[];
  /** `--mode`, null without. */
  mode: number | null;
  /** `--allow`. */
  allow: string[];
  /** `--http`, null without. */
  http: Required<TcpListenOptions> | null;
  /** `--help` or `--version`, whichever came first. */
  print: "help" | "version" | null;
}

/**
 * Reads a command line.
 *
 * @param args The arguments, as `Deno.args` has them.
 * @returns What they ask for.
 * @throws {StartError} `BAD_ARGUMENT` at the first that is wrong, naming it.
 */
export function parseArguments(args: readonly string[]): Arguments {
  const found: Arguments = {
    bind: [],
    mode: null,
    allow: [],
    http: null,
    print: null,
  };
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    const equals = arg.startsWith("--") ? arg.indexOf("=") : -1;
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    const given = equals < 0 ? null : arg.slice(equals + 1);
    const next = args[at + 1];
    const follows = next !== undefined && !next.startsWith("-");
    const value = (): string => {
      if (given !== null) return given;
      if (!follows) throw bad(`${flag} needs a value`);
      at++;
      return next;
    };
    switch (flag) {
      case "--bind":
        found.bind.push(readAddress(flag, value()));
        break;
      case "--mode":
        found.mode = readMode(value());
        break;
      case "--allow":
        found.allow.push(readRange(value()));
        break;
      case "--http":
        found.http = readHttp(given !== null || follows ? value() : "");
        break;
      case "--help":
      case "--version":
        if (given !== null) throw bad(`${flag} takes no value`);
        found.print ??= flag === "--help" ? "help" : "version";
        break;
      default:
        throw bad(
          flag.startsWith("-")
            ? `Unknown option ${flag}`
            : `Unexpected argument "${arg}"`,
        );
    }
  }
  return found;
}

/**
 * Reads an address to listen on.
 *
 * @param source Where it was found, for the error.
 * @param text The address.
 * @returns It.
 * @throws {StartError} `BAD_ARGUMENT` where it is none.
 */
export function readAddress(
  source: string,
  text: string,
): TcpListenOptions | UnixListenOptions {
  try {
    return parseAddress(text);
  } catch (error) {
    throw bad(`${source}: ${(error as Error).message}`);
  }
}

function readMode(text: string): number {
  if (/^(?:0o?)?[0-7]{3}$/.test(text)) return parseInt(text.slice(-3), 8);
  throw bad(
    `--mode: "${text}" is no permission: write three octal digits, such as 0660`,
  );
}

function readRange(text: string): string {
  try {
    new AllowedClients([text]);
    return text;
  } catch (error) {
    throw bad(`--allow: ${(error as Error).message}`);
  }
}

function readHttp(text: string): Required<TcpListenOptions> {
  const whole = text === ""
    ? `${HTTP_HOST}:${HTTP_PORT}`
    : /^\d+$/.test(text)
    ? `${HTTP_HOST}:${text}`
    : text;
  const address = readAddress("--http", whole);
  if ("path" in address) {
    throw bad(`--http: "${text}" is no port, host:port or [ipv6]:port`);
  }
  return { hostname: HTTP_HOST, ...address };
}

function bad(what: string): StartError {
  return new StartError("BAD_ARGUMENT", `${what} (--help tells what there is)`);
}
