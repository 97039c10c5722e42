// The web servers that the tests run, in the order of the README's table.

import { fcgid, proxyFcgi } from "./servers/apache.ts";
import { caddy } from "./servers/caddy.ts";
import { h2o } from "./servers/h2o.ts";
import { haproxy } from "./servers/haproxy.ts";
import { lighttpd } from "./servers/lighttpd.ts";
import { nginx } from "./servers/nginx.ts";
import type { WebServer } from "./web_server.ts";

/** All of them. */
export const SERVERS: readonly WebServer[] = [
  nginx,
  lighttpd,
  proxyFcgi,
  fcgid,
  caddy,
  h2o,
  haproxy,
];
