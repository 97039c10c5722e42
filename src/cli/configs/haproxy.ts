// HAProxy: a whole configuration.

import { hostAndPort, refuse, withNotes } from "./settings.ts";
import type { Backend, Settings } from "./settings.ts";

/**
 * Prints the configuration of HAProxy.
 *
 * @param settings What it is for.
 * @returns The text.
 * @throws {StartError} Where a value cannot stand in it.
 */
export function haproxyConfig(settings: Settings): string {
  const { backends, hosts, listen, mount, name, ping, root } = settings;
  const isBalanced = backends.length > 1;
  const conditions = [
    ...hosts.length > 0
      ? [`{ hdr(host),field(1,:) -i ${hosts.join(" ")} }`]
      : [],
  ];
  const uses = mount === ""
    ? conditions.length > 0 ? [conditions.join(" ")] : []
    : [`{ path ${quoted(mount)} }`, `{ path_beg ${quoted(`${mount}/`)} }`].map(
      (path) => [...conditions, path].join(" "),
    );
  return withNotes(`global
  tune.bufsize 65536\tlongest header of a request, with all others
defaults
  mode http
  http-reuse always\tshares connections among clients
  timeout connect 5s
  timeout client 60s
  timeout server 60s
fcgi-app ${name}
  docroot ${quoted(root)}
  pass-header Authorization\tdrops it otherwise
  option get-values
  option max-reqs 64\tat once on a connection; 1 by default
  log-stderr stderr format raw daemon\tdrops what is logged otherwise
frontend web
${
    listen.map(({ host, port }) =>
      `  bind ${host === null ? `:${port}` : hostAndPort(host, port)}\n`
    ).join("")
  }${
    uses.length === 0
      ? `  default_backend ${name}\n`
      : uses.map((use) => `  use_backend ${name} if ${use}\n`).join("")
  }backend ${name}
  use-fcgi-app ${name}
${
    isBalanced
      ? `  balance roundrobin
  option redispatch 1\tto another server at once
  retry-on conn-failure empty-response\talso where a kept connection closes
  http-request disable-l7-retry unless METH_GET\tbut only what may be asked twice
`
      : ""
  }${
    ping === null ? "" : `  option httpchk
  http-check send meth GET uri ${quoted(ping)} ver HTTP/1.1 hdr Host ${
      hosts[0] ?? "localhost"
    }
`
  }${
    backends.map((backend, i) =>
      `  server ${name}${isBalanced ? i + 1 : ""} ${
        serverOf(backend)
      } proto fcgi${ping === null ? "" : " check inter 1s"}\n`
    ).join("")
  }`);
}

function serverOf(backend: Backend): string {
  if ("host" in backend) return hostAndPort(backend.host, backend.port);
  // In an address it stands for a variable, whatever is before it.
  refuse("HAProxy", backend.path, /\$/);
  return `unix@${quoted(backend.path)}`;
}

/** A word: a backslash takes whatever meaning the next character has. */
function quoted(value: string): string {
  return value.replace(/[\s"'\\#$]/g, "\\$&");
}
