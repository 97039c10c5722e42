// What a configuration is printed for. Every value has been checked here, once:
// a server's own file has only to quote it, or to refuse what it cannot have.

import { StartError } from "../../errors.ts";

/** Where a program listens, as a web server connects to it. */
export type Backend =
  | { readonly path: string }
  | { readonly host: string; readonly port: number };

/** Where a web server is to listen. */
export interface Frontend {
  /** The address, null for all. An IPv6 address is without brackets. */
  readonly host: string | null;
  readonly port: number;
}

/** What a configuration is for. */
export interface Settings {
  /** What it calls the program: letters, digits, `-` and `_`. */
  readonly name: string;
  /** Where the program listens: at least one. */
  readonly backends: readonly Backend[];
  /** Where the web server is to listen: at least one. */
  readonly listen: readonly Frontend[];
  /** The hosts it answers for, in lower case; none for all. */
  readonly hosts: readonly string[];
  /** The path the program answers below; empty for all. */
  readonly mount: string;
  /** The document root, for servers that must have one. */
  readonly root: string;
  /** The path of a ping, null for none. */
  readonly ping: string | null;
  /** How many workers the program has, null where nothing is said. */
  readonly workers: number | null;
  /** How many addresses the program counts up, null where nothing is said. */
  readonly spawn: number | null;
  /** The command that starts it, empty where somebody else does. */
  readonly command: readonly string[];
  /** Whom the program runs as. */
  readonly user: string;
  /** Which of several files of one server is wanted. */
  readonly unit: "service" | "socket" | "socket-service";
}

/** Prints the configuration of one server. */
export type WriteConfig = (settings: Settings) => string;

/** The longest path of a Unix socket on Linux, its NUL aside. */
const MOST_PATH_BYTES = 107;

/**
 * The error of a value that a configuration cannot have.
 *
 * @param message What cannot be, and what to do.
 * @returns It, to be thrown.
 */
export function cannotPrint(message: string): StartError {
  return new StartError("BAD_ARGUMENT", message);
}

/**
 * Checks a path.
 *
 * @param flag What it was given with.
 * @param path The path.
 * @returns It.
 * @throws {StartError} Where it is not absolute, or has what no configuration
 * can.
 */
export function checkPath(flag: string, path: string): string {
  checkText(flag, path);
  if (!path.startsWith("/")) {
    throw cannotPrint(
      `${flag}: "${path}" is not absolute, and a web server runs elsewhere: write it from /`,
    );
  }
  return path;
}

/**
 * Checks the path of a Unix socket.
 *
 * @param flag What it was given with.
 * @param path The path.
 * @returns It.
 * @throws {StartError} As of {@linkcode checkPath}, and where it is too long.
 */
export function checkSocket(flag: string, path: string): string {
  checkPath(flag, path);
  const { length } = new TextEncoder().encode(path);
  if (length > MOST_PATH_BYTES) {
    throw cannotPrint(
      `${flag}: a path of ${length} bytes is too long for a socket, which takes ${MOST_PATH_BYTES}`,
    );
  }
  return path;
}

/**
 * Checks that a value stays in its line.
 *
 * @param flag What it was given with.
 * @param text The value.
 * @returns It.
 * @throws {StartError} Where it has a control character.
 */
export function checkText(flag: string, text: string): string {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(text)) {
    throw cannotPrint(
      `${flag}: ${
        JSON.stringify(text)
      } has a control character, which no configuration can have`,
    );
  }
  return text;
}

/**
 * Refuses characters that a server cannot have in a value, however quoted.
 *
 * @param server The server.
 * @param value The value.
 * @param characters What it cannot have.
 * @throws {StartError} Where the value has one.
 */
export function refuse(
  server: string,
  value: string,
  characters: RegExp,
): void {
  const found = characters.exec(value)?.[0];
  if (found === undefined) return;
  throw cannotPrint(
    `${server} cannot have ${
      JSON.stringify(found)
    } in ${value}: use a path without`,
  );
}

/**
 * Refuses more than one address, for servers that know only one.
 *
 * @param server The server.
 * @param settings The settings.
 * @returns The one.
 * @throws {StartError} Where there are more.
 */
export function onlyBackend(server: string, settings: Settings): Backend {
  const { backends } = settings;
  if (backends.length === 1) return backends[0]!;
  throw cannotPrint(
    `${server} connects to one address only, and ${backends.length} are given: put HAProxy between, or choose another web server`,
  );
}

/**
 * Writes a TCP address.
 *
 * @param host The host; IPv6 without brackets.
 * @param port The port.
 * @returns It, with brackets where it needs them.
 */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Puts notes behind lines, at one column: a line and its note are parted by a
 * tab.
 *
 * @param text The lines.
 * @returns The same, aligned.
 */
export function withNotes(text: string): string {
  return text.split("\n").map((line) => {
    const [code, note] = line.split("\t");
    return note === undefined ? line : `${code!.padEnd(53)} # ${note}`;
  }).join("\n");
}
