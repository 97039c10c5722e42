// Apache: a virtual host, such as /etc/apache2/sites-available/NAME.conf, with
// mod_proxy_fcgi; or with mod_fcgid, where it starts the program itself.

import { cannotPrint, hostAndPort, onlyBackend, refuse } from "./settings.ts";
import type { Backend, Settings } from "./settings.ts";

/**
 * Prints the configuration of Apache.
 *
 * @param settings What it is for.
 * @returns The text.
 * @throws {StartError} Where a value cannot stand in it.
 */
export function apacheConfig(settings: Settings): string {
  const { command, hosts, listen, root } = settings;
  const starts = command.length > 0;
  const addresses = listen.map(({ host, port }) =>
    hostAndPort(host ?? "*", port)
  );
  const inside = starts ? starting(settings) : connecting(settings);
  const [name, ...aliases] = hosts;
  return `# a2enmod ${starts ? "fcgid" : `proxy_fcgi env${balances(settings)}`}
# and Listen, in ports.conf, for ports that Apache does not listen on yet
<VirtualHost ${addresses.join(" ")}>
${name === undefined ? "" : `ServerName ${name}\n`}${
    aliases.length > 0 ? `ServerAlias ${aliases.join(" ")}\n` : ""
  }DocumentRoot ${quoted(root)}
# The longest header of a request: 8190 by default.
LimitRequestFieldSize 32768
# It answers %2F with 404 by default,
AllowEncodedSlashes NoDecode
${inside}</VirtualHost>
`;
}

function balances({ backends }: Settings): string {
  return backends.length > 1 ? " proxy_balancer lbmethod_byrequests" : "";
}

function connecting(settings: Settings): string {
  const { backends, mount, name } = settings;
  const parameters = "enablereuse=on flushpackets=on";
  const balancer = `balancer://${name}`;
  const target = backends.length > 1
    ? `ProxyPass ${quoted(mount || "/")} ${balancer}${
      mount === "" ? "/" : mount
    }`
    : `ProxyPass ${quoted(mount || "/")} ${
      quoted(urlOf(onlyBackend("Apache", settings), settings) + mount.slice(1))
    } ${parameters}`;
  const members = backends.length > 1
    ? `<Proxy ${balancer}>
${
      backends.map((backend, i) =>
        `  BalancerMember ${
          quoted(urlOf(backend, { ...settings, name: `${name}${i + 1}` }))
        } ${parameters} retry=1\n`
      ).join("")
    }</Proxy>
`
    : "";
  return `# drops the Content-Length of responses,
SetEnv ap_trust_cgilike_cl 1
${members}${target}
<Location ${quoted(mount || "/")}>
  # and keeps Authorization to itself.
  CGIPassAuth On
</Location>
`;
}

function urlOf(backend: Backend, { name }: Settings): string {
  if ("host" in backend) {
    return `fcgi://${hostAndPort(backend.host, backend.port)}/`;
  }
  // It is taken apart as a URL is, and cannot be escaped as one.
  refuse("Apache", backend.path, /[|?#]|\$\{/);
  return `unix:${backend.path}|fcgi://${name}/`;
}

function starting({ command, mount }: Settings): string {
  const [script, ...more] = command;
  if (more.length > 0 || !script!.startsWith("/")) {
    throw cannotPrint(
      `mod_fcgid starts a script, and "${
        command.join(" ")
      }" is none: write one, such as /srv/hello/hello.fcgi, that begins with #!/usr/bin/env -S deno run --allow-net`,
    );
  }
  refuse("mod_fcgid", script!, /\$\{|[?*[\]]/);
  const folder = script!.replace(/\/[^/]*$/, "") || "/";
  return `ScriptAlias ${quoted(mount || "/")} ${quoted(`${script}/`)}
# It passes no HOME on, so Deno must be told where its cache is.
FcgidInitialEnv DENO_DIR /var/cache/deno
# The longest body: 128 KiB by default.
FcgidMaxRequestLen 104857600
# It holds 64 KiB of a response back by default.
FcgidOutputBufferSize 0
<Directory ${quoted(folder)}>
  Options +ExecCGI
  SetHandler fcgid-script
  CGIPassAuth On
  Require all granted
</Directory>
`;
}

/** A value in quotes, where it needs them. */
function quoted(value: string): string {
  refuse("Apache", value, /\$\{/);
  return /^[\w./:@-]+$/.test(value)
    ? value
    : `"${value.replace(/["\\]/g, "\\$&")}"`;
}
