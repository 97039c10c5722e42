// The command line of every program: from arguments to what they ask for, and
// the help text. Nothing is done here, so that a bad argument costs nothing.

import { parseAddress } from "../server/address.ts";
import { AllowedClients } from "../server/allowed_clients.ts";
import type {
  TcpListenOptions,
  UnixListenOptions,
} from "../server/listen_options.ts";
import { badArgument, readWords } from "./words.ts";
import type { Kinds } from "./words.ts";

/** The version of this package, as `--version` tells it. */
export const VERSION = "0.1.0";

/** Where the HTTP front listens if `--http` does not tell. */
const HTTP_HOST = "127.0.0.1";
const HTTP_PORT = 8080;

/** What `--help` prints below the first lines: a line for each option. */
const OPTIONS = `
  --bind ADDR      Listen for FastCGI on host:port, :port, [ipv6]:port or
                   /path/to.sock; may be repeated
  --mode MODE      Give Unix sockets these permissions, such as 0660
  --allow ADDR     Let only this address or range connect by TCP; repeatable
  --http [ADDR]    Serve HTTP too, for development, on a port or host:port
  --pidfile PATH   Keep the process id in a file while it listens
  --chdir PATH     Go there first: other paths begin there
  --umask MASK     Take these permissions from new files, such as 0027
  --help           Print this, and stop
  --version        Print the version, and stop

Without --bind it listens on the socket it was started with as descriptor 0,
else where SMISK_BIND says, else on 127.0.0.1:9000. SIGTERM, SIGINT and SIGUSR1
finish what is in flight and stop; a second one stops at once.
`;

/**
 * What `--help` prints. It fits a screen of 80 by 24.
 *
 * @param usage The first lines.
 * @returns The text.
 */
export function helpText(usage: string): string {
  return `${usage}\n${OPTIONS}`;
}

/** What `--help` of a program prints. */
export const HELP: string = helpText(
  `Usage: PROGRAM [OPTIONS]    (a FastCGI application, Smisk ${VERSION})`,
);

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
  /** `--pidfile`, null without. */
  pidfile: string | null;
  /** `--chdir`, null without. */
  chdir: string | null;
  /** `--umask`, null without. */
  umask: number | null;
  /** `--help` or `--version`, whichever came first. */
  print: "help" | "version" | null;
}

/** The options of every program. */
export const KINDS: Kinds = {
  "--bind": "value",
  "--mode": "value",
  "--allow": "value",
  "--http": "optional",
  "--pidfile": "value",
  "--chdir": "value",
  "--umask": "value",
  "--help": "none",
  "--version": "none",
};

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
    pidfile: null,
    chdir: null,
    umask: null,
    print: null,
  };
  for (const [flag, value] of readWords(args, KINDS)) {
    switch (flag) {
      case "--bind":
        found.bind.push(readAddress(flag, value));
        break;
      case "--mode":
        found.mode = readOctal(flag, value, "permission", "0660");
        break;
      case "--allow":
        found.allow.push(readRange(value));
        break;
      case "--http":
        found.http = readHttp(value);
        break;
      case "--pidfile":
        found.pidfile = readPath(flag, value);
        break;
      case "--chdir":
        found.chdir = readPath(flag, value);
        break;
      case "--umask":
        found.umask = readOctal(flag, value, "mask", "0027");
        break;
      case "--help":
        found.print ??= "help";
        break;
      case "--version":
        found.print ??= "version";
        break;
      default:
        throw badArgument(`Unexpected argument "${value}"`);
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
    throw badArgument(`${source}: ${(error as Error).message}`);
  }
}

function readOctal(
  flag: string,
  text: string,
  what: string,
  example: string,
): number {
  if (/^(?:0o?)?[0-7]{3}$/.test(text)) return parseInt(text.slice(-3), 8);
  throw badArgument(
    `${flag}: "${text}" is no ${what}: write three octal digits, such as ${example}`,
  );
}

function readPath(flag: string, text: string): string {
  if (text !== "" && !text.includes("\0")) return text;
  throw badArgument(`${flag}: "${text}" is no path`);
}

function readRange(text: string): string {
  try {
    new AllowedClients([text]);
    return text;
  } catch (error) {
    throw badArgument(`--allow: ${(error as Error).message}`);
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
    throw badArgument(`--http: "${text}" is no port, host:port or [ipv6]:port`);
  }
  return { hostname: HTTP_HOST, ...address };
}
