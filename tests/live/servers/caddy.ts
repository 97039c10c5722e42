// Caddy, as the README configures it.

import { block, withValues } from "../../support/readme.ts";
import type { WebServer } from "../web_server.ts";

export const caddy: WebServer = {
  name: "Caddy",
  command: "caddy",
  connects: true,
  starts: false,
  shown: "connects",
  logs: false,
  balances: true,
  stop: "SIGQUIT",
  portTaken: /address already in use/,
  async configure(place, { addresses = [], mount }) {
    const { folder, port, securePort, certificate } = place;
    const shown = block("caddy");
    const site = (address: string, inside: string) =>
      withValues(shown, {
        "http://:80": address,
        "unix//run/hello.sock {": `${addresses.map(upstream).join(" ")} {${
          addresses.length > 1 ? BALANCING : ""
        }`,
        "  reverse_proxy": `  bind 127.0.0.1\n${inside}\n  reverse_proxy${
          mount === undefined ? "" : ` ${mount}*`
        }`,
      });
    await Deno.writeTextFile(
      `${folder}/Caddyfile`,
      `{
  admin off
  auto_https off
  storage file_system ${folder}/caddy
}
${site(`http://:${port}`, "")}
${site(`https://:${securePort}`, `  tls ${certificate} ${certificate}`)}
`,
    );
    return ["run", "--config", `${folder}/Caddyfile`, "--adapter", "caddyfile"];
  },
};

function upstream(address: string): string {
  return address.startsWith("/") ? `unix/${address}` : address;
}

/** A request goes to the next one where one is gone. */
const BALANCING = `
    lb_policy round_robin
    lb_try_duration 5s
    lb_try_interval 50ms
    fail_duration 1s`;
