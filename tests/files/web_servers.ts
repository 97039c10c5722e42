// The web servers that files are handed over to, with the configurations of
// servers/ as they stand, but for paths and ports.

import { IS_ROOT, onlyAddress } from "../live/web_server.ts";
import type { Behind, Place, WebServer } from "../live/web_server.ts";
import { withValues } from "../support/readme.ts";

/** A web server, and what it does with a file that it is handed. */
export interface FileServer extends WebServer {
  /** What the suites of it are called. */
  readonly label: string;
  /** Whether it keeps a header that it does not know. */
  readonly keepsHeaders: boolean;
  /** Whether it keeps the names of downloads, and cookies. */
  readonly keepsDownloads: boolean;
  /** Whether it keeps names of other than plain characters. */
  readonly takesNames: boolean;
}

/** What is the same of all of them. */
const SHARED = {
  connects: true,
  starts: false,
  shown: "connects",
  logs: true,
  balances: false,
  keepsHeaders: true,
  keepsDownloads: true,
  takesNames: true,
} as const;

/** A configuration of servers/, with other values. */
async function shown(
  name: string,
  values: Record<string, string>,
): Promise<string> {
  const url = new URL(`servers/${name}`, import.meta.url);
  // What comments say is of the values that are shown.
  const text = (await Deno.readTextFile(url)).replace(/^\s*#.*\n/gm, "");
  return withValues(text, values);
}

/** Writes a configuration; gives its path. */
async function write(
  { folder }: Place,
  name: string,
  text: string,
): Promise<string> {
  const path = `${folder}/${name}`;
  await Deno.writeTextFile(path, text);
  return path;
}

const nginx: FileServer = {
  ...SHARED,
  name: "nginx",
  label: "nginx",
  command: "nginx",
  keepsHeaders: false,
  portTaken: /bind\(\) .*Address already in use/,
  async configure(place: Place, behind: Behind) {
    const { folder, port, securePort } = place;
    const text = await shown("nginx.conf", {
      "listen 80;": `listen 127.0.0.1:${port}; listen 127.0.0.1:${securePort};`,
      "unix:/run/app.sock": `unix:${onlyAddress(behind)}`,
      "include fastcgi_params;": "include /etc/nginx/fastcgi_params;",
      "alias /srv/files/;": `alias ${folder}/files/;`,
    });
    const stores = ["client_body", "fastcgi", "proxy", "uwsgi", "scgi"];
    const path = await write(
      place,
      "nginx.conf",
      `${IS_ROOT ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr notice;
events { worker_connections 256; }
http {
access_log off;
${stores.map((name) => `${name}_temp_path ${folder}/${name};`).join("\n")}
${text}
}
`,
    );
    return ["-e", "stderr", "-p", folder, "-c", path];
  },
};

const lighttpd: FileServer = {
  ...SHARED,
  name: "lighttpd",
  label: "lighttpd",
  command: "lighttpd",
  portTaken: /Address already in use/,
  async configure(place: Place, behind: Behind) {
    const { folder, port, securePort } = place;
    const text = await shown("lighttpd.conf", {
      "server.port = 80": `server.port = ${port}
server.bind = "127.0.0.1"
$SERVER["socket"] == "127.0.0.1:${securePort}" { }`,
      "/var/empty": folder,
      "/run/app.sock": onlyAddress(behind),
      "/srv/files/": `${folder}/files/`,
    });
    return ["-D", "-f", await write(place, "lighttpd.conf", text)];
  },
};

const apache: FileServer = {
  ...SHARED,
  name: "Apache",
  label: "Apache with mod_xsendfile",
  command: "apache2",
  takesNames: false,
  needs: ["/usr/lib/apache2/modules/mod_xsendfile.so"],
  portTaken: /Address already in use/,
  async configure(place: Place, behind: Behind) {
    const { folder, port, securePort } = place;
    const text = await shown("apache.conf", {
      "Listen 80": `Listen 127.0.0.1:${port}\nListen 127.0.0.1:${securePort}`,
      "unix:/run/app.sock": `unix:${onlyAddress(behind)}`,
      "XSendFilePath /srv/files": `XSendFilePath ${folder}/files`,
    });
    const path = await write(
      place,
      "apache.conf",
      `ServerRoot ${folder}
PidFile ${folder}/apache.pid
DefaultRuntimeDir ${folder}
ServerName 127.0.0.1
${IS_ROOT ? "User www-data\nGroup www-data" : ""}
ErrorLog /dev/stderr
StartServers 1
${text}
`,
    );
    return ["-DFOREGROUND", "-f", path];
  },
};

const caddy: FileServer = {
  ...SHARED,
  name: "Caddy",
  label: "Caddy",
  command: "caddy",
  takesNames: false,
  stop: "SIGQUIT",
  portTaken: /address already in use/,
  async configure(place: Place, behind: Behind) {
    const { folder, port, securePort } = place;
    const text = await shown("Caddyfile", {
      ":80 {": `http://:${port}, http://:${securePort} {\n\tbind 127.0.0.1`,
      "unix//run/app.sock": `unix/${onlyAddress(behind)}`,
      "/srv/files": `${folder}/files`,
    });
    const path = await write(
      place,
      "Caddyfile",
      `{
	admin off
	auto_https off
	storage file_system ${folder}/caddy
}
${text}
`,
    );
    return ["run", "--config", path, "--adapter", "caddyfile"];
  },
};

const h2o: FileServer = {
  ...SHARED,
  name: "H2O",
  label: "H2O",
  command: "h2o",
  keepsHeaders: false,
  keepsDownloads: false,
  stop: "SIGINT",
  portTaken: /Address already in use/,
  async configure(place: Place, behind: Behind) {
    const { folder, port, securePort } = place;
    const text = await shown("h2o.conf", {
      "listen: {port: 80}": `listen: {host: 127.0.0.1, port: ${port}}
    listen: {host: 127.0.0.1, port: ${securePort}}`,
      "port: /run/app.sock": `port: ${onlyAddress(behind)}`,
      "port: /run/files.sock": `port: ${folder}/files.sock`,
      "file.dir: /srv/files": `file.dir: ${folder}/files`,
    });
    const path = await write(
      place,
      "h2o.conf",
      `${IS_ROOT ? "user: root" : ""}\nnum-threads: 1\n${text}`,
    );
    return ["-c", path];
  },
};

/** All of them. */
export const FILE_SERVERS: readonly FileServer[] = [
  nginx,
  lighttpd,
  apache,
  caddy,
  h2o,
];
