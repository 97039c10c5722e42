// Caddy: a site of a Caddyfile.

import { hostAndPort, refuse, withNotes } from "./settings.ts";
import type { Backend, Settings } from "./settings.ts";

/**
 * Prints the configuration of Caddy.
 *
 * @param settings What it is for.
 * @returns The text.
 * @throws {StartError} Where a value cannot stand in it.
 */
export function caddyConfig(settings: Settings): string {
  const { backends, hosts, listen, mount, name } = settings;
  const ports = [...new Set(listen.map(({ port }) => port))];
  const sites = (hosts.length > 0 ? hosts : [""]).flatMap((host) =>
    ports.map((port) => `http://${host}:${port}`)
  );
  const addresses = [
    ...new Set(listen.map(({ host }) => host).filter((host) => host !== null)),
  ];
  const matcher = mount === "" ? "" : `@${name} `;
  return withNotes(`${sites.join(", ")} {
${addresses.length > 0 ? `  bind ${addresses.join(" ")}\n` : ""}${
    mount === ""
      ? ""
      : `  @${name} path ${quoted(mount)} ${quoted(`${mount}/*`)}\n`
  }  reverse_proxy ${matcher}${backends.map(upstreamOf).join(" ")} {
${
    backends.length > 1
      ? "    lb_policy round_robin\n    lb_try_duration 2s\n    fail_duration 1s\n"
      : ""
  }    flush_interval -1\tholds a response back otherwise
    header_down -Status\tpasses the Status header on otherwise
    transport fastcgi {
      capture_stderr\tlogs what the program does; before 2.7 without effect
    }
  }
}
`);
}

function upstreamOf(backend: Backend): string {
  if ("host" in backend) return hostAndPort(backend.host, backend.port);
  // It replaces what stands in braces, and takes the rest for a port.
  refuse("Caddy", backend.path, /[{}:]/);
  return quoted(`unix/${backend.path}`);
}

/** A token in quotes, where it needs them; only a quote is escaped. */
function quoted(value: string): string {
  refuse("Caddy", value, /\\"|\\$/);
  return /^[\w./:*-]+$/.test(value)
    ? value
    : `"${value.replaceAll('"', '\\"')}"`;
}
