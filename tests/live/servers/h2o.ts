// H2O, as the README configures it.

import { block, withValues } from "../../support/readme.ts";
import { IS_ROOT, onlyAddress, scriptOf } from "../web_server.ts";
import type { WebServer } from "../web_server.ts";

export const h2o: WebServer = {
  name: "H2O",
  command: "h2o",
  connects: true,
  starts: true,
  shown: "connects",
  logs: true,
  balances: false,
  stop: "SIGINT",
  portTaken: /Address already in use/,
  async configure(place, behind) {
    const { folder, port, securePort, certificate } = place;
    const shown = withValues(block("yaml"), {
      "listen: 80": `listen: {host: 127.0.0.1, port: ${port}}
listen:
  host: 127.0.0.1
  port: ${securePort}
  ssl: {certificate-file: ${certificate}, key-file: ${certificate}}`,
      "      /:": `      ${behind.mount ?? "/"}:`,
      "fastcgi.connect: { port: /run/hello.sock, type: unix }":
        behind.command === undefined
          ? connecting(onlyAddress(behind))
          : `fastcgi.spawn: exec ${await scriptOf(folder, behind.command)}`,
    });
    await Deno.writeTextFile(
      `${folder}/h2o.conf`,
      `${IS_ROOT ? "user: root" : ""}
num-threads: 1
${shown}
`,
    );
    return ["-c", `${folder}/h2o.conf`];
  },
};

function connecting(address: string): string {
  if (address.startsWith("/")) {
    return `fastcgi.connect: {port: ${address}, type: unix}`;
  }
  const [host, port] = address.split(":");
  return `fastcgi.connect: {host: ${host}, port: ${port}, type: tcp}`;
}
