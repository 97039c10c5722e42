// Apache with either of its modules for FastCGI, as the README configures it.

import { blocks, withValues } from "../../support/readme.ts";
import { denoCache, IS_ROOT, scriptOf } from "../web_server.ts";
import type { Place, WebServer } from "../web_server.ts";

const MODULES = "/usr/lib/apache2/modules";

const SHARED = {
  command: "apache2",
  portTaken: /Address already in use/,
} as const;

export const proxyFcgi: WebServer = {
  ...SHARED,
  name: "Apache, mod_proxy_fcgi",
  connects: true,
  starts: false,
  shown: "connects",
  logs: true,
  asksAuthorizer: "TCP",
  balances: true,
  async configure(place, { addresses = [], authorizer, mount = "" }) {
    const members = addresses.map((address, i) =>
      address.startsWith("/")
        ? `unix:${address}|fcgi://hello${i}${mount || "/"}`
        : `fcgi://${address}${mount || "/"}`
    );
    const isOne = members.length === 1;
    const shown = withValues(blocks("apache")[0]!, {
      "ProxyPass /": `ProxyPass ${mount || "/"}`,
      '"unix:/run/hello.sock|fcgi://hello/" enablereuse=on flushpackets=on':
        isOne ? `"${members[0]}" ${REUSING}` : "balancer://hello/",
    });
    if (!isOne) {
      return await write(place, {
        modules: [...PROXY, ...BALANCING],
        global: `<Proxy balancer://hello>
${members.map((to) => `BalancerMember "${to}" ${REUSING} retry=1`).join("\n")}
</Proxy>`,
        shown,
      });
    }
    if (authorizer === undefined) {
      return await write(place, { modules: PROXY, shown });
    }
    return await write(place, {
      modules: [...PROXY, "authn_core", "authnz_fcgi", "authz_user"],
      global: `AuthnzFcgiDefineProvider authn guard fcgi://${authorizer}/`,
      shown: `${shown}
<Location /guarded/>
  AuthType none
  AuthnzFcgiCheckAuthnProvider guard Authoritative On RequireBasicAuth Off UserExpr "%{reqenv:AUTH_USER}"
  Require valid-user
</Location>`,
    });
  },
};

/** How the README has it connect. */
const REUSING = "enablereuse=on flushpackets=on";

const BALANCING = ["proxy_balancer", "slotmem_shm", "lbmethod_byrequests"];

const PROXY = ["authz_core", "env", "proxy", "proxy_fcgi"];

export const fcgid: WebServer = {
  ...SHARED,
  name: "Apache, mod_fcgid",
  connects: false,
  starts: true,
  shown: "starts",
  logs: true,
  asksAuthorizer: "command",
  balances: false,
  changesUser: true,
  needs: [`${MODULES}/mod_fcgid.so`],
  async configure(place, behind) {
    const { authorizer, command, processes = 4, mount = "" } = behind;
    const { folder } = place;
    const script = await scriptOf(folder, command);
    const shown = withValues(blocks("apache")[1]!, {
      "ScriptAlias / /srv/hello/hello.fcgi/": mount === ""
        ? `ScriptAlias / ${script}/`
        : `ScriptAlias ${mount} ${script}`,
      "/srv/hello>": `${folder}>`,
      "DENO_DIR /var/cache/deno": `DENO_DIR ${await cache(folder)}`,
    });
    // Of its own path, or else it asks about PATH_INFO as well.
    const guard = `ScriptAlias /guarded/ ${script}/
<Location /guarded/>
  FcgidAccessChecker ${script}
  FcgidAccessCheckerAuthoritative On
</Location>`;
    return await write(place, {
      modules: ["alias", "authz_core", "fcgid"],
      global: `FcgidIPCDir ${folder}/fcgid
FcgidProcessTableFile ${folder}/fcgid_shm
FcgidMaxProcessesPerClass ${processes}`,
      shown: authorizer === undefined ? shown : `${guard}\n${shown}`,
    });
  },
};

/** Deno's cache, where whoever Apache runs as may write to it. */
async function cache(folder: string): Promise<string> {
  if (!IS_ROOT) return await denoCache();
  const path = `${folder}/deno`;
  await Deno.mkdir(path, { recursive: true });
  await Deno.chmod(path, 0o777);
  return path;
}

/** What of a configuration is not the same for both. */
interface Settings {
  modules: readonly string[];
  /** Of the server as a whole. */
  global?: string;
  /** Of each host. */
  shown: string;
}

async function write(
  { folder, port, securePort, certificate }: Place,
  { modules, global = "", shown }: Settings,
): Promise<string[]> {
  const loaded = ["mpm_event", "ssl", "http2", ...modules].map((name) =>
    `LoadModule ${name}_module ${MODULES}/mod_${name}.so`
  );
  await Deno.writeTextFile(
    `${folder}/apache.conf`,
    `ServerRoot ${folder}
PidFile ${folder}/apache.pid
DefaultRuntimeDir ${folder}
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
Listen 127.0.0.1:${securePort}
${IS_ROOT ? "User www-data\nGroup www-data" : ""}
ErrorLog /dev/stderr
StartServers 1
${loaded.join("\n")}
Protocols h2 http/1.1
DocumentRoot ${folder}
${global}
<VirtualHost 127.0.0.1:${port}>
${shown}
</VirtualHost>
<VirtualHost 127.0.0.1:${securePort}>
SSLEngine on
SSLCertificateFile ${certificate}
${shown}
</VirtualHost>
`,
  );
  return ["-DFOREGROUND", "-f", `${folder}/apache.conf`];
}
