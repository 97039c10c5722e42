// smisk get: asks a FastCGI server for a path, as a web server does, and prints
// what it answers.

import { badArgument, readWords } from "../command/arguments.ts";
import type { Kinds } from "../command/arguments.ts";
import { FastCgiError, StartError } from "../errors.ts";
import type { FastCGIRole } from "../client/client.ts";
import {
  formatAddress,
  parseAddress,
  permissionFor,
  requirePermissions,
} from "../server/address.ts";
import { ask, printable } from "./ask.ts";
import type { Answered, Listener, Question } from "./ask.ts";

const KINDS: Kinds = {
  "--method": "value",
  "--header": "value",
  "--param": "value",
  "--data": "value",
  "--body": "value",
  "--script": "value",
  "--role": "value",
  "--timeout": "value",
  "--include": "none",
  "--verbose": "none",
  "--help": "none",
};

/** What `smisk get --help` prints. */
const HELP = `Usage: smisk get ADDR PATH [OPTIONS]

Asks the FastCGI server at ADDR for PATH, or for the path of a whole URL, and
prints the body of its answer. Its error stream goes to the error output.

  --method METHOD       The method (GET; POST where there is a body)
  --header NAME:VALUE   A header of the request; may be repeated
  --param NAME=VALUE    A parameter, in place of what is sent; may be repeated
  --data TEXT           The body
  --body FILE           The body, out of a file; - is the standard input
  --script FILE         What PHP-FPM is told to run: SCRIPT_FILENAME, and others
  --role ROLE           responder, authorizer or filter (responder)
  --timeout MS          Give up after so long without a byte (10000)
  --include             Print the header as well
  --verbose             Tell what is sent and how it ends, on the error output

Status: 0 answered; 1 no answer, or none that is whole; 2 a wrong argument;
3 answered with 400 to 599; 4 FCGI_END_REQUEST has another status than 0.
`;

/** Answered, and the status is one of an error. */
const HTTP_ERROR = 3;
/** Answered, and FCGI_END_REQUEST tells of an error. */
const APP_ERROR = 4;

/** Errors of whoever is there, if anybody is. */
const MORE_BY_CHECK: readonly string[] = [
  "CONNECT_FAILED",
  "CONNECT_TIMEOUT",
  "CLOSED",
  "READ_TIMEOUT",
  "BAD_RESPONSE",
];

/** What FCGI_END_REQUEST says (FastCGI 1.0, section 5.5). */
const PROTOCOL_STATUSES = [
  "FCGI_REQUEST_COMPLETE",
  "FCGI_CANT_MPX_CONN",
  "FCGI_OVERLOADED",
  "FCGI_UNKNOWN_ROLE",
];

/**
 * Asks, and prints.
 *
 * @param args The arguments behind `get`.
 * @returns The status to exit with.
 * @throws {StartError} `BAD_ARGUMENT` where an argument is wrong.
 */
export async function get(args: readonly string[]): Promise<number> {
  const asked = await readGet(args);
  if (asked === null) {
    console.log(HELP.trimEnd());
    return 0;
  }
  const { address, question, isIncluded, isVerbose } = asked;
  try {
    const answered = await ask(
      address,
      question,
      listenerOf(isIncluded, isVerbose),
    );
    if (isVerbose) tellEnd(answered);
    const { header: { status }, end } = answered;
    if (status >= 400) return HTTP_ERROR;
    return end?.appStatus === 0 && end.protocolStatus === 0 ? 0 : APP_ERROR;
  } catch (error) {
    // Whoever read the output has had enough.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    if (!(error instanceof FastCgiError) || error instanceof StartError) {
      throw error;
    }
    const hint = MORE_BY_CHECK.includes(error.code)
      ? `: smisk check ${formatAddress(address)} tells more`
      : "";
    // One flag stands for all these options.
    const what = error.message.replace(
      /\b(?:connect|read|write)TimeoutMs\b/,
      "--timeout",
    );
    console.error(`smisk: ${printable(what)}${hint}`);
    return 1;
  }
}

/** What is asked, and how it is told. */
interface Get {
  readonly address: ReturnType<typeof parseAddress>;
  readonly question: Question;
  readonly isIncluded: boolean;
  readonly isVerbose: boolean;
}

/** Reads the command line; null where only help is wanted. */
async function readGet(args: readonly string[]): Promise<Get | null> {
  const operands: string[] = [];
  const headers: [name: string, value: string][] = [];
  const params: Record<string, string> = {};
  const one = new Map<string, string>();
  for (const [flag, value] of readWords(args, KINDS)) {
    if (flag === null) operands.push(value);
    else if (flag === "--header") headers.push(readHeader(value));
    else if (flag === "--param") {
      const [, name, text] = /^([^=]+)=(.*)$/s.exec(value) ?? [];
      if (name === undefined) {
        throw badArgument(`--param: "${value}" is no NAME=VALUE`);
      }
      params[name] = text!;
    } else if (one.has(flag)) throw badArgument(`${flag} is given twice`);
    else one.set(flag, value);
  }
  if (one.has("--help")) return null;
  const [where, target, ...more] = operands;
  if (where === undefined || target === undefined) {
    throw badArgument("smisk get needs an address and a path");
  }
  if (more.length > 0) throw badArgument(`Unexpected argument "${more[0]}"`);
  const script = one.get("--script");
  const body = await readBody(one.get("--data"), one.get("--body"));
  const question = {
    method: one.get("--method") ?? (body === null ? "GET" : "POST"),
    target,
    headers,
    params: { ...scriptParams(script, target), ...params },
    body,
    role: readRole(one.get("--role") ?? "responder"),
    timeoutMs: readTimeout(one.get("--timeout") ?? "10000"),
    mostMs: Infinity,
  };
  checkQuestion(question);
  return {
    address: readAddressOf(where),
    question,
    isIncluded: one.has("--include"),
    isVerbose: one.has("--verbose"),
  };
}

/**
 * Reads the address of a server.
 *
 * @param text The address.
 * @returns It.
 * @throws {StartError} `BAD_ARGUMENT` where it is none.
 */
export function readAddressOf(text: string): ReturnType<typeof parseAddress> {
  try {
    return parseAddress(text);
  } catch (error) {
    throw badArgument((error as Error).message);
  }
}

/** What makes a request at all: told now, rather than amid the asking. */
function checkQuestion({ headers, method, target }: Question): void {
  const url = target.startsWith("/") ? `http://localhost${target}` : target;
  if (!/^https?:/.test(url) || !URL.canParse(url)) {
    throw badArgument(
      `"${target}" is no path: write one from /, or a URL from http://`,
    );
  }
  try {
    new Request(url, { method, headers: headers.map((pair) => [...pair]) });
  } catch (error) {
    throw badArgument(`Cannot ask so: ${(error as Error).message}`);
  }
}

function readHeader(text: string): [name: string, value: string] {
  const [, name, value] = /^([^:\s]+):\s*(.*)$/s.exec(text) ?? [];
  if (name !== undefined) return [name, value!];
  throw badArgument(`--header: "${text}" is no NAME:VALUE`);
}

function readRole(text: string): FastCGIRole {
  if (text === "responder" || text === "authorizer" || text === "filter") {
    return text;
  }
  throw badArgument(
    `--role: "${text}" is no role: write responder, authorizer or filter`,
  );
}

/**
 * Reads a time.
 *
 * @param text The milliseconds.
 * @returns Them.
 * @throws {StartError} `BAD_ARGUMENT` where they are none.
 */
export function readTimeout(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw badArgument(`--timeout: "${text}" is no number of milliseconds`);
}

/**
 * What a web server says of a script. Where the path has its name, what is
 * behind that is PATH_INFO; elsewhere the script is one that answers for every
 * path, in the document root.
 *
 * @param script The file, undefined for none.
 * @param target Path and query, or a whole URL.
 * @returns The parameters.
 */
export function scriptParams(
  script: string | undefined,
  target: string,
): Record<string, string> {
  if (script === undefined) return {};
  const path = unescaped(
    target.replace(/^https?:\/\/[^/?#]*/, "").replace(/[?#].*/s, ""),
  );
  const file = script.slice(script.lastIndexOf("/"));
  const at = `${path}/`.indexOf(`${file}/`);
  const name = at < 0 ? file : path.slice(0, at + file.length);
  return {
    SCRIPT_FILENAME: script,
    SCRIPT_NAME: name,
    PATH_INFO: at < 0 ? "" : path.slice(name.length),
    DOCUMENT_ROOT: script.slice(
      0,
      -(script.endsWith(name) ? name : file).length,
    ) || "/",
  };
}

/** A path as CGI has it. */
function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The body as a whole: PHP takes one of unknown length for none. */
async function readBody(
  text: string | undefined,
  file: string | undefined,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (text !== undefined && file !== undefined) {
    throw badArgument("There is one body: give --data or --body, not both");
  }
  if (text !== undefined) return new TextEncoder().encode(text);
  if (file === undefined) return null;
  if (file === "-") return await new Response(Deno.stdin.readable).bytes();
  requirePermissions([permissionFor("read", file)]);
  try {
    return await Deno.readFile(file);
  } catch (error) {
    throw new StartError(
      "CANNOT_START",
      `Cannot read the body out of ${file}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function listenerOf(isIncluded: boolean, isVerbose: boolean): Listener {
  const decoder = new TextDecoder();
  return {
    params(params) {
      if (!isVerbose) return;
      for (const [name, value] of params) {
        const text = typeof value === "string" ? value : decoder.decode(value);
        console.error(`> ${printable(`${name}=${text}`)}`);
      }
    },
    async header(text) {
      if (isVerbose) {
        for (const line of text.trimEnd().split("\n")) {
          console.error(`< ${printable(line)}`);
        }
      }
      if (isIncluded) {
        await write(Uint8Array.from(text, (char) => char.charCodeAt(0)));
      }
    },
    body: write,
    stderr: (line) => console.error(isVerbose ? `! ${line}` : line),
  };
}

/** Writes all of it; a console would change what is no text. */
async function write(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await Deno.stdout.write(bytes.subarray(at));
  }
}

function tellEnd({ bodyBytes, end, headerMs, totalMs }: Answered): void {
  const { appStatus, protocolStatus } = end!;
  const name = PROTOCOL_STATUSES[protocolStatus] ??
    `unknown protocol status ${protocolStatus}`;
  console.error(
    `= FCGI_END_REQUEST: application status ${appStatus}, ${name}; ${bodyBytes} bytes of body, header after ${
      headerMs.toFixed(1)
    } ms, end after ${totalMs.toFixed(1)} ms`,
  );
}
