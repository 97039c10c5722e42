// The command line of every program: from arguments to what they ask for, and
// the help text. Nothing is done here, so that a bad argument costs nothing.

import { VERSION } from "../application.ts";
import { StartError } from "../errors.ts";
import { parseAddress } from "../server/address.ts";
import { AllowedClients } from "../server/allowed_clients.ts";
import type {
  TcpListenOptions,
  UnixListenOptions,
} from "../server/listen_options.ts";
import type { ObserveOptions } from "../observe/options.ts";

export { VERSION };

/** Where the HTTP front listens if `--http` does not tell. */
const HTTP_HOST = "127.0.0.1";
const HTTP_PORT = 8080;

/** More processes than that are a slip of the keyboard. */
const MOST_WORKERS = 1024;

/** What `--help` prints below the first lines: a line for each option. */
const OPTIONS = `
  --bind ADDR             Listen for FastCGI on host:port, :port, [ipv6]:port or
                          /path/to.sock; may be repeated
  --mode MODE             Give Unix sockets these permissions, such as 0660
  --allow ADDR            Let only this address or range connect; repeatable
  --http [ADDR]           Serve HTTP too, for development: a port or host:port
  --workers N             Serve each address by N processes, kept running
  --spawn N               Serve N addresses counted up from --bind, alike
  --pidfile PATH          Keep the process id in a file while it listens
  --chdir PATH            Go there first: other paths begin there
  --umask MASK            Take these permissions from new files, such as 0027
  --ping PATH             Answer this path of a URL with "pong"
  --status PATH           Answer this one with what was done and is done
  --access-log PATH       Write a line for each request to a file or stdout
  --access-format FORMAT  What it says: common, combined, json or tokens
  --slow-log MS           Tell of a request that takes longer, and where it is
  --help                  Print this, and stop
  --version               Print the version, and stop

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
  /** `--workers`, null without. */
  workers: number | null;
  /** `--spawn`, null without. */
  spawn: number | null;
  /** `--pidfile`, null without. */
  pidfile: string | null;
  /** `--chdir`, null without. */
  chdir: string | null;
  /** `--umask`, null without. */
  umask: number | null;
  /** `--ping`, `--status`, `--access-log`, `--access-format`, `--slow-log`. */
  observe: ObserveOptions;
  /** `--help` or `--version`, whichever came first. */
  print: "help" | "version" | null;
}

/** The options of every program. */
export const KINDS: Kinds = {
  "--bind": "value",
  "--mode": "value",
  "--allow": "value",
  "--http": "optional",
  "--workers": "value",
  "--spawn": "value",
  "--pidfile": "value",
  "--chdir": "value",
  "--umask": "value",
  "--ping": "value",
  "--status": "value",
  "--access-log": "value",
  "--access-format": "value",
  "--slow-log": "value",
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
    workers: null,
    spawn: null,
    pidfile: null,
    chdir: null,
    umask: null,
    observe: {},
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
      case "--workers":
        found.workers = readCount(flag, value, "workers");
        break;
      case "--spawn":
        found.spawn = readCount(flag, value, "addresses");
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
      case "--ping":
        found.observe.pingPath = readUrlPath(flag, value);
        break;
      case "--status":
        found.observe.statusPath = readUrlPath(flag, value);
        break;
      case "--access-log":
        found.observe.accessLog = readPath(flag, value);
        break;
      case "--access-format":
        if (value === "") throw badArgument(`${flag}: "" is no format`);
        found.observe.accessFormat = value;
        break;
      case "--slow-log":
        found.observe.slowLogMs = readMs(flag, value);
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

function readCount(flag: string, text: string, what: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= MOST_WORKERS) return count;
  throw badArgument(
    `${flag}: "${text}" is no number of ${what}: write one of 1 to ${MOST_WORKERS}`,
  );
}

function readPath(flag: string, text: string): string {
  if (text !== "" && !text.includes("\0")) return text;
  throw badArgument(`${flag}: "${text}" is no path`);
}

function readMs(flag: string, text: string): number {
  const ms = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : Infinity;
  if (ms < 2 ** 31) return ms;
  throw badArgument(
    `${flag}: "${text}" is no number of milliseconds: write one such as 1000`,
  );
}

function readUrlPath(flag: string, text: string): string {
  if (/^\/[!-"$->@-~]*$/.test(text)) return text;
  throw badArgument(
    `${flag}: "${text}" is no path of a URL: write one such as ${
      flag.slice(1).replace("-", "/")
    }`,
  );
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

// The words of a command line

/** Whether an option has a value: always, if one follows, or never. */
export type Kind = "value" | "optional" | "none";

/** The options that there are. */
export type Kinds = Readonly<Record<string, Kind>>;

/**
 * Takes a command line apart. After `--` nothing is an option; `-h` is
 * `--help`.
 *
 * @param args The words.
 * @param kinds The options that there are.
 * @returns Each option with its value, empty where it has none, in the order
 * given; words that are no option come with a null.
 * @throws {StartError} `BAD_ARGUMENT` at an option that there is not, or at a
 * value that is missing or too much.
 */
export function* readWords(
  args: readonly string[],
  kinds: Kinds,
): Generator<[flag: string | null, value: string], void, undefined> {
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] === "-h" ? "--help" : args[at]!;
    if (arg === "--") {
      for (const rest of args.slice(at + 1)) yield [null, rest];
      return;
    }
    if (!isOption(arg)) {
      yield [null, arg];
      continue;
    }
    const equals = arg.startsWith("--") ? arg.indexOf("=") : -1;
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    const kind = Object.hasOwn(kinds, flag) ? kinds[flag]! : null;
    if (kind === null) throw unknownOption(flag, Object.keys(kinds));
    if (equals >= 0) {
      if (kind === "none") throw badArgument(`${flag} takes no value`);
      yield [flag, arg.slice(equals + 1)];
      continue;
    }
    const next = args[at + 1];
    const hasValue = kind !== "none" && next !== undefined && !isOption(next);
    if (kind === "value" && !hasValue) {
      throw badArgument(`${flag} needs a value`);
    }
    yield [flag, hasValue ? next : ""];
    if (hasValue) at++;
  }
}

/** A hyphen by itself is a value: the standard input, or the output. */
function isOption(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

function unknownOption(flag: string, known: readonly string[]): StartError {
  const meant = known.find((name) => isNear(flag.toLowerCase(), name));
  return badArgument(
    `Unknown option ${flag}${meant === undefined ? "" : `, meant ${meant}?`}`,
  );
}

/** Whether a word is a beginning of another, or one letter is wrong. */
function isNear(word: string, other: string): boolean {
  if (word.length > 3 && other.startsWith(word)) return true;
  const shorter = Math.min(word.length, other.length);
  let start = 0;
  while (start < shorter && word[start] === other[start]) start++;
  let end = 0;
  while (
    end < shorter - start &&
    word[word.length - 1 - end] === other[other.length - 1 - end]
  ) end++;
  return Math.max(word.length, other.length) - start - end <= 1;
}

/**
 * The error of a command line.
 *
 * @param what What is wrong with it.
 * @returns It, to be thrown.
 */
export function badArgument(what: string): StartError {
  return new StartError("BAD_ARGUMENT", `${what} (--help tells what there is)`);
}
