// smisk check: says what is wrong with a socket or a FastCGI server, a sentence
// for each thing it finds, and what to do about it.

import { badArgument, readWords } from "../command/arguments.ts";
import type { Kinds } from "../command/arguments.ts";
import {
  formatAddress,
  permissionsToConnect,
  requirePermissions,
} from "../server/address.ts";
import type { Need } from "../server/address.ts";
import type {
  TcpListenOptions,
  UnixListenOptions,
} from "../server/listen_options.ts";
import { printable } from "./ask.ts";
import { checkAnswer } from "./check_answer.ts";
import { checkSocketFile } from "./check_socket.ts";
import { Findings } from "./findings.ts";
import { readAddressOf, readTimeout } from "./get.ts";
import { sniff } from "./sniff.ts";

const KINDS: Kinds = {
  "--path": "value",
  "--script": "value",
  "--user": "value",
  "--timeout": "value",
  "--help": "none",
};

/** What `smisk check --help` prints. */
const HELP = `Usage: smisk check ADDR [OPTIONS]

Connects to ADDR, asks what is there, sends a request, and says what is wrong
and what to do about it, in a line for each thing it finds.

  --path PATH      What the request asks for (/)
  --script FILE    SCRIPT_FILENAME of the request, as PHP-FPM sees it
  --user USER      Say whether this user, the web server's, may connect
  --timeout MS     How long an answer is waited for (5000)

Status: 0 where there is no problem, 1 where there is one, 2 where an argument
is wrong.
`;

/** How long what needs no thought may take, on a machine that has other work. */
const PROBE_MS = 2_500;

/** Where to look. */
type Address = TcpListenOptions | UnixListenOptions;

/**
 * Checks, and prints.
 *
 * @param args The arguments behind `check`.
 * @returns The status to exit with.
 * @throws {StartError} Where an argument is wrong, or a permission is missing.
 */
export async function check(args: readonly string[]): Promise<number> {
  const operands: string[] = [];
  const given = new Map<string, string>();
  for (const [flag, value] of readWords(args, KINDS)) {
    if (flag === null) operands.push(value);
    else if (given.has(flag)) throw badArgument(`${flag} is given twice`);
    else given.set(flag, value);
  }
  if (given.has("--help")) {
    console.log(HELP.trimEnd());
    return 0;
  }
  const [where, ...more] = operands;
  if (where === undefined) throw badArgument("smisk check needs an address");
  if (more.length > 0) throw badArgument(`Unexpected argument "${more[0]}"`);
  const path = given.get("--path") ?? "/";
  if (!/^\/[!-~]*$/.test(path)) {
    throw badArgument(`--path: "${path}" is no path of a URL such as /`);
  }
  const address = readAddressOf(where);
  const user = given.get("--user") ?? null;
  if (user !== null && !("path" in address)) {
    throw badArgument("--user is for Unix sockets: TCP knows no users");
  }
  const findings = new Findings(({ level, text }) =>
    // What a server says of itself may be in it.
    console.log(`${level.padEnd(8)} ${printable(text)}`)
  );
  await checkAddress(address, findings, {
    path,
    script: given.get("--script"),
    user,
    timeoutMs: readTimeout(given.get("--timeout") ?? "5000"),
  });
  return findings.problems > 0 ? 1 : 0;
}

/** How a check is done. */
interface CheckOptions {
  readonly path: string;
  readonly script: string | undefined;
  readonly user: string | null;
  readonly timeoutMs: number;
}

async function checkAddress(
  given: Address,
  findings: Findings,
  options: CheckOptions,
): Promise<void> {
  // What listens everywhere is looked for here.
  const address: Address = "port" in given && given.hostname === "0.0.0.0"
    ? { ...given, hostname: "127.0.0.1" }
    : given;
  const where = formatAddress(address);
  requirePermissions(needsOf(address));
  if (
    "path" in address &&
    !await checkSocketFile(address.path, options.user, findings)
  ) return;
  const { timeoutMs } = options;
  const conn = await connect(address, where, timeoutMs, findings);
  if (conn === null) return;
  let found;
  try {
    found = await sniff(conn, Math.min(timeoutMs, PROBE_MS));
  } finally {
    conn.close();
  }
  switch (found.kind) {
    case "other":
      findings.problem(otherProtocol(where, found.protocol, found.text));
      return;
    case "fastcgi":
      findings.ok(`It speaks FastCGI: ${describeValues(found.values)}`);
      break;
    case "no values":
      findings.ok(
        "It speaks FastCGI, and knows no FCGI_GET_VALUES: a connection carries one request at a time",
      );
      break;
    case "broken":
      findings.problem(
        `It breaks the protocol: FCGI_GET_VALUES is answered with a record of type ${found.type}, which is none of the two answers to it`,
      );
      break;
    case "silent":
    case "closed":
      if (await speaksHttp(address, timeoutMs)) {
        findings.problem(otherProtocol(where, "HTTP", ""));
        return;
      }
      findings.warning(
        found.kind === "silent"
          ? "It does not answer FCGI_GET_VALUES, as it should: leave out option get-values where HAProxy is in front, for its requests would hang"
          : `It closes the connection ${
            found.isReset ? "with a reset " : ""
          }at FCGI_GET_VALUES: it may not be FastCGI, or let only other clients in (--allow, FCGI_WEB_SERVER_ADDRS, listen.allowed_clients of PHP-FPM)`,
      );
  }
  await checkAnswer(address, findings, options);
}

/** To connect, and of a Unix socket to look at what leads there. */
function needsOf(address: Address): Need[] {
  const needs = permissionsToConnect(address);
  return "path" in address
    ? [
      ...needs.filter(({ descriptor }) => descriptor.name !== "read"),
      {
        descriptor: { name: "read" },
        what: `look at ${address.path} and the directories above it`,
        value: null,
      },
    ]
    : needs;
}

function describeValues(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([name, value]) =>
    `${name}=${value}`
  );
  const isShared = values.FCGI_MPXS_CONNS === "1";
  return `${
    pairs.join(", ") || "it tells nothing of itself"
  }; a connection carries ${
    isShared ? "many requests at once" : "one request at a time"
  }`;
}

async function connect(
  address: Address,
  where: string,
  timeoutMs: number,
  findings: Findings,
): Promise<Deno.Conn | null> {
  try {
    const conn = await reach(address, timeoutMs);
    findings.ok(`Somebody listens on ${where}`);
    return conn;
  } catch (error) {
    findings.problem(whyUnreachable(address, where, error));
    return null;
  }
}

/** Connects within a time. */
async function reach(
  address: Address,
  timeoutMs: number,
): Promise<Deno.Conn> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Deno.errors.TimedOut(`within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const connecting: Promise<Deno.Conn> = "path" in address
    ? Deno.connect({ transport: "unix", path: address.path })
    : Deno.connect({ hostname: address.hostname!, port: address.port });
  try {
    return await Promise.race([connecting, late.promise]);
  } catch (error) {
    connecting.then((conn) => conn.close(), () => {});
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function whyUnreachable(
  address: Address,
  where: string,
  error: unknown,
): string {
  const isUnix = "path" in address;
  if (error instanceof Deno.errors.ConnectionRefused) {
    return isUnix
      ? `Nobody listens on ${where} any more: the program that made it is gone. Start it again, which replaces the file`
      : `Nobody listens on ${where}: start the program, or look for its address in the line it prints`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `This user may not connect to ${where}: run the check as the web server's user, or see --mode of the program`;
  }
  if (error instanceof Deno.errors.TimedOut) {
    return isUnix
      ? `${where} takes no connection: its queue is full, for the program is stuck or has too few workers`
      : `${where} does not answer: a firewall may drop what is sent to it, or the machine is down`;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (/os error 11\b|temporarily unavailable/i.test(message)) {
    return `${where} takes no connection: its queue is full, for the program is stuck or has too few workers`;
  }
  if (/lookup|resolve|name or service/i.test(message)) {
    return `There is no host ${
      isUnix ? where : address.hostname
    }: its name cannot be resolved`;
  }
  return `${where} cannot be connected to: ${message}`;
}

function otherProtocol(where: string, protocol: string, text: string): string {
  const said = text === "" ? "" : ` (it said ${JSON.stringify(text)})`;
  const what = protocol === "HTTP"
    ? `${protocol} is spoken on ${where}${said}, not FastCGI: use it with proxy_pass and the like, or give the address of --bind, not of --http`
    : `${protocol} is spoken on ${where}${said}, not FastCGI: look for the right address in the line the program prints`;
  return what[0]!.toUpperCase() + what.slice(1);
}

/** Whether HTTP is answered, by a server that says nothing to anything else. */
async function speaksHttp(
  address: Address,
  timeoutMs: number,
): Promise<boolean> {
  let conn: Deno.Conn;
  try {
    conn = await reach(address, timeoutMs);
  } catch {
    return false;
  }
  // Closing it ends a read that waits.
  const timer = setTimeout(() => conn.close(), Math.min(timeoutMs, PROBE_MS));
  try {
    const request = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
    await conn.write(new TextEncoder().encode(request));
    const buffer = new Uint8Array(16);
    const length = await conn.read(buffer) ?? 0;
    return new TextDecoder().decode(buffer.subarray(0, length))
      .startsWith("HTTP/");
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    try {
      conn.close();
    } catch {
      // By the timer.
    }
  }
}
