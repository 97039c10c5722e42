// lighttpd, as the README configures it: it starts the program. In front of
// programs that listen it has the same settings without the start.

import { block, withValues } from "../../support/readme.ts";
import { denoCache, scriptOf } from "../web_server.ts";
import type { Behind, Place, WebServer } from "../web_server.ts";

export const lighttpd: WebServer = {
  name: "lighttpd",
  command: "lighttpd",
  connects: true,
  starts: true,
  shown: "starts",
  asksAuthorizer: "Unix",
  logs: true,
  balances: true,
  portTaken: /Address already in use/,
  needs: ["/usr/lib/lighttpd/mod_openssl.so"],
  async configure(place, behind) {
    const { folder, port, securePort, certificate } = place;
    const shown = withValues(block("lighttpd"), {
      "server.port = 80": `server.port = ${port}\nserver.bind = "127.0.0.1"`,
      '"/srv/hello"': `"${folder}"`,
    });
    const [settings, hosts] = shown.split("fastcgi.server = ");
    const server = behind.command === undefined
      ? connecting(behind)
      : await starting(place, behind, hosts!);
    await Deno.writeTextFile(
      `${folder}/lighttpd.conf`,
      `${settings}
server.upload-dirs = ("${folder}")
server.modules += ( "mod_openssl" )
$SERVER["socket"] == "127.0.0.1:${securePort}" {
  ssl.engine = "enable"
  ssl.pemfile = "${certificate}"
}
fastcgi.server = ${server}
${guard(behind)}
`,
    );
    return ["-D", "-f", `${folder}/lighttpd.conf`];
  },
};

function guard({ authorizer }: Behind): string {
  if (authorizer === undefined) return "";
  return `fastcgi.server += ( "/guarded/" => ((
  ${lighttpdHost(authorizer)}, "mode" => "authorizer" )) )`;
}

async function starting(
  { folder }: Place,
  { command, processes = 1, mount = "/" }: Behind,
  hosts: string,
): Promise<string> {
  return withValues(hosts, {
    '"/" =>': `"${mount}" =>`,
    "/usr/bin/deno run --allow-net /srv/hello/hello.ts": await scriptOf(
      folder,
      command,
    ),
    "/run/hello.sock": `${folder}/started.sock`,
    '"max-procs" => 1': `"max-procs" => ${processes}`,
    "/var/cache/deno": await denoCache(),
  });
}

function connecting({ addresses = [], mount = "/" }: Behind): string {
  const hosts = addresses.map((address) => `(${lighttpdHost(address)})`);
  return `( "${mount}" => (${
    hosts.join(", ")
  }) )\nfastcgi.balance = "round-robin"`;
}

/** What lighttpd is told of a program that listens. */
export function lighttpdHost(address: string): string {
  const colon = address.lastIndexOf(":");
  const where = address.startsWith("/")
    ? `"socket" => "${address}"`
    : `"host" => "${address.slice(0, colon)}", "port" => ${
      address.slice(colon + 1)
    }`;
  return `${where}, "check-local" => "disable", "fix-root-scriptname" => "enable", "disable-time" => 1`;
}
