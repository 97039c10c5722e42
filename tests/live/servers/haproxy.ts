// HAProxy, as the README configures it.

import { block, withValues } from "../../support/readme.ts";
import type { WebServer } from "../web_server.ts";

export const haproxy: WebServer = {
  name: "HAProxy",
  command: "haproxy",
  connects: true,
  starts: false,
  shown: "connects",
  logs: true,
  balances: true,
  portTaken: /cannot bind socket .*Address already in use/,
  async configure(place, { addresses = [], mount }) {
    const { folder, port, securePort, certificate } = place;
    const shown = withValues(block("haproxy"), {
      "bind :80": `bind 127.0.0.1:${port}
  bind 127.0.0.1:${securePort} ssl crt ${certificate} alpn h2,http/1.1`,
      "  docroot /srv/hello": [
        "  docroot /srv/hello",
        ...mount === undefined ? [] : [`  path-info ^(${mount})(/.*)$`],
      ].join("\n"),
      "  server hello unix@/run/hello.sock proto fcgi": [
        ...addresses.length > 1 ? BALANCING : [],
        ...addresses.map(server),
      ].join("\n"),
    });
    await Deno.writeTextFile(`${folder}/haproxy.cfg`, `${shown}\n`);
    return ["-db", "-f", `${folder}/haproxy.cfg`];
  },
};

/** A request goes to the next one where one is gone. */
const BALANCING = [
  "  balance roundrobin",
  "  option redispatch 1",
  "  retries 3",
  "  retry-on conn-failure empty-response response-timeout",
];

function server(address: string, i: number): string {
  const where = address.startsWith("/") ? `unix@${address}` : address;
  return `  server hello${i} ${where} proto fcgi`;
}
