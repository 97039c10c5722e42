// Apache with either of its modules for FastCGI, as the README configures it.

import { blocks, withValues } from "../../support/readme.ts";
import { denoCache, IS_ROOT, onlyAddress, scriptOf } from "../web_server.ts";
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
  balances: false,
  async configure(place, behind) {
    const { authorizer } = behind;
    const address = onlyAddress(behind);
    const shown = withValues(blocks("apache")[0]!, {
      "unix:/run/hello.sock|fcgi://hello/": address.startsWith("/")
        ? `unix:${address}|fcgi://hello/`
        : `fcgi://${address}/`,
    });
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
  async configure(place, { authorizer, command, processes = 4 }) {
    const { folder } = place;
    const script = await scriptOf(folder, command);
    const shown = withValues(blocks("apache")[1]!, {
      "/srv/hello/hello.fcgi/": `${script}/`,
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
