// lighttpd: a whole configuration, or a file that it includes. It starts the
// program itself where it is given the command.

import { cannotPrint, hostAndPort, refuse, withNotes } from "./settings.ts";
import type { Backend, Settings } from "./settings.ts";

/**
 * Prints the configuration of lighttpd.
 *
 * @param settings What it is for.
 * @returns The text.
 * @throws {StartError} Where a value cannot stand in it.
 */
export function lighttpdConfig(settings: Settings): string {
  const { backends, command, hosts, listen, mount, root, workers } = settings;
  if (workers !== null && command.length === 0) {
    throw cannotPrint(
      "--workers is for the processes that lighttpd starts: give it the command behind --, or --workers to the program",
    );
  }
  const [first, ...others] = listen;
  const programs = command.length > 0
    ? [starting(settings)]
    : backends.map((backend) => connecting(backend, backends.length > 1));
  const server = `fastcgi.server = ( ${quoted(mount || "/")} => ((
${programs.map((lines) => lines.join(",\n")).join("\n), (\n")}
)) )
${
    programs.length > 1
      ? 'fastcgi.balance = "round-robin"\tthe first gets all while it can, otherwise\n'
      : ""
  }`;
  const conditions = [
    ...hosts.length > 0
      ? [`$HTTP["host"] =~ ${quoted(hostPattern(hosts))}`]
      : [],
    ...mount === "" ? [] : [`$HTTP["url"] =~ ${quoted(mountPattern(mount))}`],
  ];
  return withNotes(`server.port = ${first!.port}
${
    first!.host === null
      ? ""
      : `server.bind = ${quoted(bracketed(first!.host))}\n`
  }${
    others.map(({ host, port }) =>
      `$SERVER["socket"] == ${
        quoted(host === null ? `:${port}` : hostAndPort(host, port))
      } { }\n`
    ).join("")
  }server.document-root = ${quoted(root)}
server.modules += ( "mod_fastcgi" )
server.max-request-field-size = 32768\tlongest header of a request; 8192 by default
server.stream-response-body = 1\t0 holds a response back until it is whole
${conditions.map((condition) => `${condition} {\n`).join("")}${server}${
    "}\n".repeat(conditions.length)
  }`);
}

function connecting(backend: Backend, isOneOfMany: boolean): string[] {
  return [
    ...where(backend),
    '  "check-local" => "disable"',
    '  "fix-root-scriptname" => "enable"',
    ...isOneOfMany ? ['  "disable-time" => 1'] : [],
  ];
}

function starting({ backends, command, workers }: Settings): string[] {
  const [backend] = backends;
  if (backends.length !== 1 || !("path" in backend!)) {
    throw cannotPrint(
      "lighttpd starts a program on one Unix socket: give it with --bind /path/to.sock",
    );
  }
  for (const word of command) {
    refuse("A command of lighttpd", word, /[\s"'\\]|^$/);
  }
  return [
    `  "bin-path" => ${quoted(command.join(" "))}`,
    ...where(backend),
    `  "max-procs" => ${workers ?? 1}`,
    '  "check-local" => "disable"',
    '  "fix-root-scriptname" => "enable"',
    '  "bin-environment" => ( "DENO_DIR" => "/var/cache/deno" )',
    '  "bin-copy-environment" => ( "PATH" )',
  ];
}

function where(backend: Backend): string[] {
  return "path" in backend ? [`  "socket" => ${quoted(backend.path)}`] : [
    `  "host" => ${quoted(backend.host)}`,
    `  "port" => ${backend.port}`,
  ];
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function hostPattern(hosts: readonly string[]): string {
  const names = hosts.map((host) => host.replaceAll(".", "\\."));
  return `^(${names.join("|")})(:[0-9]+)?$`;
}

function mountPattern(mount: string): string {
  return `^${mount.replace(/[^\w/-]/g, "\\$&")}(/|$)`;
}

/** A value in quotes, where only a quote is escaped. */
function quoted(value: string): string {
  refuse("lighttpd", value, /\\"|\\$/);
  return `"${value.replaceAll('"', '\\"')}"`;
}
