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
  async configure(place, { addresses = [] }) {
    const { folder, port, securePort, certificate } = place;
    const shown = block("caddy");
    const site = (address: string, inside: string) =>
      withValues(shown, {
        "http://:80": address,
        "unix//run/hello.sock": addresses.map((address) =>
          address.startsWith("/") ? `unix/${address}` : address
        ).join(" "),
        "  reverse_proxy": `  bind 127.0.0.1\n${inside}\n  reverse_proxy`,
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
