// nginx: a file for the `http` context, such as /etc/nginx/conf.d/NAME.conf.

import { hostAndPort, withNotes } from "./settings.ts";
import type { Backend, Settings } from "./settings.ts";

/**
 * Prints the configuration of nginx.
 *
 * @param settings What it is for.
 * @returns The text.
 * @throws {StartError} Where a value cannot stand in it.
 */
export function nginxConfig(settings: Settings): string {
  const { backends, hosts, listen, mount, name } = settings;
  const also = backends.length > 1 ? " fail_timeout=1s" : "";
  const lines = (all: readonly string[], indent: string) =>
    all.map((line) => `${indent}${line};\n`).join("");
  return withNotes(
    `map $http_host $and_port {\tDebian's HTTP_HOST leaves the port out
  default "";
  ~(?<port>:[0-9]+)$ $port;
}
upstream ${name} {
${
      lines(
        backends.map((backend) => `server ${serverOf(backend)}${also}`),
        "  ",
      )
    }  keepalive 16;
}
server {
${
      lines(
        listen.map(({ host, port }) =>
          `listen ${host === null ? port : hostAndPort(host, port)}`
        ),
        "  ",
      )
    }${
      hosts.length > 0 ? `  server_name ${hosts.join(" ")};\n` : ""
    }  client_max_body_size 100m;\t1m by default
  large_client_header_buffers 4 32k;\tlongest header of a request; 8k by default
  location ${mount === "" ? "/" : quoted(mountPattern(mount), "~ ")} {
    include fastcgi_params;
    fastcgi_param HTTP_HOST $host$and_port;
    fastcgi_keep_conn on;\tneeds the keepalive above
    fastcgi_buffer_size 32k;\tlongest header block; 4k by default
    fastcgi_buffers 8 32k;
    fastcgi_pass ${name};
  }
}
`,
  );
}

function mountPattern(mount: string): string {
  return `^${mount.replace(/[^\w/-]/g, "\\$&")}(?:/|$)`;
}

function serverOf(backend: Backend): string {
  if ("host" in backend) return hostAndPort(backend.host, backend.port);
  return quoted(`unix:${backend.path}`);
}

/** A value in quotes, where it needs them. */
function quoted(value: string, before = ""): string {
  return /^[\w./:-]+$/.test(value)
    ? before + value
    : `${before}"${value.replace(/["\\]/g, "\\$&")}"`;
}
