// Web servers that run on what `smisk config` prints, with no more around it
// than it takes to run without the system's own configuration.

import { assert } from "@std/assert";
import { Application } from "../../src/application.ts";
import { config } from "../../src/cli/config.ts";
import type { ApplicationOptions } from "../../src/options.ts";
import { systemPath } from "../live/site.ts";
import { denoCache, IS_ROOT } from "../live/web_server.ts";
import type { WebServer } from "../live/web_server.ts";

/** A server as the tests of configurations need it. */
export interface Printed {
  /** What `smisk config` calls it. */
  readonly name: string;
  /** Its program. */
  readonly command: string;
  /** The arguments that have it check a configuration and end. */
  check(folder: string): string[];
  /** The arguments that start it. */
  run(folder: string): string[];
  /** Puts what is printed where it is looked for. */
  write(text: string, folder: string): Promise<void>;
  readonly portTaken: RegExp;
  readonly needs?: readonly string[];
  readonly stop?: Deno.Signal;
}

/** Says who it is, and what was asked for. */
export class Echo extends Application {
  readonly name: string;

  constructor(name: string, options: ApplicationOptions = {}) {
    super(options);
    this.name = name;
  }

  override service() {
    const { method, url } = this.request;
    this.response.headers.set("x-app", this.name);
    this.response.write(`${this.name} ${method} ${url.pathname}`);
  }
}

/** Has a server check the configuration that is in a folder. */
export async function check(server: Printed, folder: string): Promise<void> {
  const { success, stderr, stdout } = await new Deno.Command(server.command, {
    args: server.check(folder),
    env: {
      PATH: systemPath(),
      XDG_CONFIG_HOME: folder,
      XDG_DATA_HOME: folder,
    },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr) + decoder.decode(stdout));
}

const MODULES = "/usr/lib/apache2/modules";

export const SERVERS: readonly Printed[] = [
  {
    name: "nginx",
    command: "nginx",
    portTaken: /bind\(\) .*Address already in use/,
    check: (folder) => ["-t", ...nginxArgs(folder)],
    run: nginxArgs,
    async write(text, folder) {
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
events { worker_connections 64; }
http {
access_log off;
client_body_temp_path ${folder}/client_body;
fastcgi_temp_path ${folder}/fastcgi;
proxy_temp_path ${folder}/proxy;
uwsgi_temp_path ${folder}/uwsgi;
scgi_temp_path ${folder}/scgi;
${text}
}
`,
      );
    },
  },
  {
    name: "lighttpd",
    command: "lighttpd",
    portTaken: /Address already in use/,
    check: (folder) => ["-tt", "-f", `${folder}/lighttpd.conf`],
    run: (folder) => ["-D", "-f", `${folder}/lighttpd.conf`],
    async write(text, folder) {
      const own = text.replace("/var/cache/deno", await denoCache());
      await Deno.writeTextFile(
        `${folder}/lighttpd.conf`,
        `${own}\nserver.upload-dirs = ("${folder}")\n`,
      );
    },
  },
  {
    name: "apache",
    command: "apache2",
    portTaken: /Address already in use/,
    needs: [`${MODULES}/mod_fcgid.so`],
    check: (folder) => ["-t", "-f", `${folder}/apache.conf`],
    run: (folder) => ["-DFOREGROUND", "-f", `${folder}/apache.conf`],
    async write(text, folder) {
      const [, addresses] = /^<VirtualHost (.*)>$/m.exec(text)!;
      const [, modules] = /^# a2enmod (.*)$/m.exec(text)!;
      const needed = [...modules!.split(" "), ...ALWAYS];
      if (needed.includes("proxy_fcgi")) needed.unshift("proxy");
      if (needed.includes("proxy_balancer")) needed.unshift("slotmem_shm");
      await Deno.writeTextFile(
        `${folder}/apache.conf`,
        `ServerRoot ${folder}
PidFile ${folder}/apache.pid
DefaultRuntimeDir ${folder}
ServerName 127.0.0.1
${addresses!.split(" ").map((address) => `Listen ${address}`).join("\n")}
${IS_ROOT ? "User www-data\nGroup www-data" : ""}
ErrorLog /dev/stderr
StartServers 1
${
          needed.map((name) =>
            `LoadModule ${name}_module ${MODULES}/mod_${name}.so`
          ).join("\n")
        }
${
          needed.includes("fcgid")
            ? `FcgidIPCDir ${folder}/fcgid\nFcgidProcessTableFile ${folder}/fcgid_shm`
            : ""
        }
${text.replace("/var/cache/deno", await ownCache(folder))}`,
      );
    },
  },
  {
    name: "caddy",
    command: "caddy",
    portTaken: /address already in use/,
    stop: "SIGQUIT",
    check: (folder) => ["validate", ...caddyArgs(folder)],
    run: (folder) => ["run", ...caddyArgs(folder)],
    write: (text, folder) =>
      Deno.writeTextFile(
        `${folder}/Caddyfile`,
        `{
  admin off
  auto_https off
  storage file_system ${folder}/caddy
}
${text}`,
      ),
  },
  {
    name: "h2o",
    command: "h2o",
    portTaken: /Address already in use/,
    stop: "SIGINT",
    check: (folder) => ["-t", "-c", `${folder}/h2o.conf`],
    run: (folder) => ["-c", `${folder}/h2o.conf`],
    write: (text, folder) =>
      Deno.writeTextFile(
        `${folder}/h2o.conf`,
        `${IS_ROOT ? "user: root" : ""}\nnum-threads: 1\n${text}`,
      ),
  },
  {
    name: "haproxy",
    command: "haproxy",
    portTaken: /cannot bind socket .*Address already in use/,
    check: (folder) => ["-c", "-f", `${folder}/haproxy.cfg`],
    run: (folder) => ["-db", "-f", `${folder}/haproxy.cfg`],
    write: (text, folder) => Deno.writeTextFile(`${folder}/haproxy.cfg`, text),
  },
];

/** A cache of Deno, where whoever Apache runs as may write to it. */
async function ownCache(folder: string): Promise<string> {
  const path = `${folder}/deno`;
  await Deno.mkdir(path, { recursive: true });
  await Deno.chmod(path, 0o777);
  return path;
}

/** What of Apache's modules other configurations of the system load. */
const ALWAYS = ["mpm_event", "alias", "authz_core"];

function nginxArgs(folder: string): string[] {
  return ["-e", "stderr", "-p", folder, "-c", `${folder}/nginx.conf`];
}

function caddyArgs(folder: string): string[] {
  return ["--config", `${folder}/Caddyfile`, "--adapter", "caddyfile"];
}

/**
 * A server with a printed configuration, for startServer(): it listens on both
 * ports, for HTTP.
 */
export function printed(server: Printed, args: readonly string[]): WebServer {
  const { name, command, needs = [], portTaken, stop } = server;
  return {
    name,
    command,
    connects: true,
    starts: false,
    shown: "connects",
    logs: false,
    balances: false,
    portTaken,
    needs,
    ...stop === undefined ? {} : { stop },
    async configure({ folder, port, securePort }) {
      const listen = [port, securePort].flatMap((port) => [
        "--listen",
        `127.0.0.1:${port}`,
      ]);
      await server.write(config([name, ...listen, ...args]), folder);
      return server.run(folder);
    },
  };
}
