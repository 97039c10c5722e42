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
  balances: false,
  async configure(place, behind) {
    const address = onlyAddress(behind);
    const modules = ["env", "proxy", "proxy_fcgi", "authz_core"];
    const shown = withValues(blocks("apache")[0]!, {
      "unix:/run/hello.sock|fcgi://hello/": address.startsWith("/")
        ? `unix:${address}|fcgi://hello/`
        : `fcgi://${address}/`,
    });
    return await write(place, modules, shown);
  },
};

export const fcgid: WebServer = {
  ...SHARED,
  name: "Apache, mod_fcgid",
  connects: false,
  starts: true,
  shown: "starts",
  logs: true,
  balances: false,
  changesUser: true,
  needs: [`${MODULES}/mod_fcgid.so`],
  async configure(place, behind) {
    const { folder } = place;
    const script = await scriptOf(folder, behind.command);
    const shown = withValues(blocks("apache")[1]!, {
      "/srv/hello/hello.fcgi/": `${script}/`,
      "/srv/hello>": `${folder}>`,
      "DENO_DIR /var/cache/deno": `DENO_DIR ${await cache(folder)}`,
    });
    const { processes = 4 } = behind;
    return await write(
      place,
      ["alias", "authz_core", "fcgid"],
      shown,
      `FcgidIPCDir ${folder}/fcgid
FcgidProcessTableFile ${folder}/fcgid_shm
FcgidMaxProcessesPerClass ${processes}`,
    );
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

async function write(
  { folder, port, securePort, certificate }: Place,
  modules: readonly string[],
  shown: string,
  more = "",
): Promise<string[]> {
  const loaded = ["mpm_event", "ssl", "http2", ...modules];
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
${
      loaded.map((name) =>
        `LoadModule ${name}_module ${MODULES}/mod_${name}.so`
      )
        .join("\n")
    }
Protocols h2 http/1.1
DocumentRoot ${folder}
${more}
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
