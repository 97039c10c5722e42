// nginx, as the README configures it.

import { block, withValues } from "../../support/readme.ts";
import { IS_ROOT } from "../web_server.ts";
import type { WebServer } from "../web_server.ts";

export const nginx: WebServer = {
  name: "nginx",
  command: "nginx",
  connects: true,
  starts: false,
  shown: "connects",
  logs: true,
  balances: true,
  portTaken: /bind\(\) .*Address already in use/,
  async configure(place, { addresses = [], mount = "" }) {
    const { folder, port, securePort, certificate } = place;
    const servers = addresses.map((address) =>
      address.startsWith("/") ? `unix:${address}` : address
    );
    const shown = withValues(block("nginx"), {
      "listen 80;": `listen 127.0.0.1:${port};
listen 127.0.0.1:${securePort} ssl http2;
ssl_certificate ${certificate};
ssl_certificate_key ${certificate};`,
      "location / {": mount === "" ? "location / {" : `location ${mount} {
fastcgi_split_path_info ^(${mount})(/.*)$;
fastcgi_param PATH_INFO $fastcgi_path_info;`,
      "server unix:/run/hello.sock;": servers.map((server) =>
        `server ${server} fail_timeout=1s;`
      ).join("\n"),
    });
    await Deno.copyFile(
      "/etc/nginx/fastcgi_params",
      `${folder}/fastcgi_params`,
    );
    await Deno.writeTextFile(
      `${folder}/nginx.conf`,
      `${IS_ROOT ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
access_log off;
client_body_temp_path ${folder}/client_body;
fastcgi_temp_path ${folder}/fastcgi;
proxy_temp_path ${folder}/proxy;
uwsgi_temp_path ${folder}/uwsgi;
scgi_temp_path ${folder}/scgi;
${shown}
}
`,
    );
    return ["-e", "stderr", "-p", folder, "-c", `${folder}/nginx.conf`];
  },
};
