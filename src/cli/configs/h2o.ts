// H2O: a whole configuration, as YAML. It starts the program itself where it is
// given the command.

import { cannotPrint, hostAndPort, onlyBackend } from "./settings.ts";
import type { Backend, Settings } from "./settings.ts";

/**
 * Prints the configuration of H2O.
 *
 * @param settings What it is for.
 * @returns The text.
 * @throws {StartError} Where a value cannot stand in it.
 */
export function h2oConfig(settings: Settings): string {
  const { command, hosts, listen, mount } = settings;
  const names = hosts.length === 0
    ? ["default"]
    : hosts.flatMap((host) =>
      listen.map(({ port }) =>
        port === 80 ? host : `"${hostAndPort(host, port)}"`
      )
    );
  const handler = command.length > 0
    ? `fastcgi.spawn: ${
      quoted(["exec", ...command.map(shellQuoted)].join(" "))
    }`
    : `fastcgi.connect: ${connecting(onlyBackend("H2O", settings))}`;
  if (command.length > 0 && settings.workers !== null) {
    throw cannotPrint(
      "H2O starts one program: give it --workers itself, behind the command",
    );
  }
  return `${
    listen.map(({ host, port }) =>
      host === null
        ? `listen: ${port}\n`
        : `listen: { host: ${quoted(host)}, port: ${port} }\n`
    ).join("")
  }hosts:
${
    names.map((name) =>
      `  ${name}:
    paths:
      ${mount === "" ? "/" : quoted(mount)}:
        ${handler}
        fastcgi.timeout.keepalive: 60000 # ms; 0, the default, keeps none
`
    ).join("")
  }`;
}

function connecting(backend: Backend): string {
  return "path" in backend
    ? `{ port: ${quoted(backend.path)}, type: unix }`
    : `{ host: ${quoted(backend.host)}, port: ${backend.port}, type: tcp }`;
}

/** A value in quotes, where it needs them: those of JSON are YAML's too. */
function quoted(value: string): string {
  return /^[/a-z][\w./-]*$/.test(value) ? value : JSON.stringify(value);
}

/** A word, as a shell takes it. */
function shellQuoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word)
    ? word
    : `'${word.replaceAll("'", `'\\''`)}'`;
}
