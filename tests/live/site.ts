// Site: a real web server in front of the program under test, with the
// configuration that the README shows.

import { DEADLINE_MS, within } from "../support/peer.ts";
import { isInstalled, Program } from "../support/program.ts";
import { block, withValues } from "../support/readme.ts";

/** The permissions that each kind of address needs, as the README says. */
export const PERMISSIONS = {
  inherited: ["--allow-net"],
  unix: ["--allow-net", "--allow-read", "--allow-write"],
} as const;

/** The command that runs the program under test. */
export function appCommand(permissions: readonly string[]): string[] {
  const path = new URL("app.ts", import.meta.url).pathname;
  return [Deno.execPath(), "run", "--no-prompt", ...permissions, path];
}

/** A folder that is removed with all that is in it. */
export class Folder implements AsyncDisposable {
  readonly path: string = Deno.makeTempDirSync();

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Starts a program on a Unix socket, by default the one under test. */
export async function startApp(
  socket: string,
  command: readonly string[] = appCommand(PERMISSIONS.unix),
): Promise<Program> {
  const [name, ...args] = command;
  const app = new Program(name!, { args: [...args, "--bind", socket] });
  try {
    await app.until(new RegExp(socket));
  } catch (error) {
    await app.stop();
    throw error;
  }
  return app;
}

/** The name of a suite, which says where it cannot run. */
export function suiteName(command: string, what: string): string {
  return isInstalled(command)
    ? what
    : `${what} (not run: ${command} is not installed)`;
}

/** A web server that answers. */
export interface Site {
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** The web server, with its error log. */
  readonly server: Program;
}

/** The URL of a path. */
export function urlOf(site: Site, path: string): string {
  return `http://127.0.0.1:${site.port}${path}`;
}

/** Starts nginx in front of a socket; it keeps its files in a folder. */
export async function startNginx(
  folder: string,
  socket: string,
): Promise<Site> {
  await Deno.copyFile("/etc/nginx/fastcgi_params", `${folder}/fastcgi_params`);
  return await onFreePort(async (port) => {
    const shown = withValues(block("nginx"), {
      "listen 80;": `listen 127.0.0.1:${port};`,
      "unix:/run/hello.sock": `unix:${socket}`,
    });
    await Deno.writeTextFile(
      `${folder}/nginx.conf`,
      `${Deno.uid() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr notice;
events { worker_connections 256; }
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
    const args = ["-e", "stderr", "-p", folder, "-c", `${folder}/nginx.conf`];
    return {
      server: new Program("nginx", { args, env: { PATH: systemPath() } }),
      listens: /start worker process /,
      cannot: /bind\(\) .*Address already in use/,
    };
  });
}

/** Starts lighttpd, which starts a program, by default the one under test. */
export async function startLighttpd(
  folder: string,
  command: readonly string[] = appCommand(PERMISSIONS.inherited),
): Promise<Site> {
  // lighttpd splits a command at blanks and knows no quotes.
  const wrapper = `${folder}/app`;
  const quoted = command.map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(wrapper, `#!/bin/sh\nexec ${quoted}\n`);
  await Deno.chmod(wrapper, 0o755);
  return await onFreePort(async (port) => {
    const shown = withValues(block("lighttpd"), {
      "server.port = 80": `server.port = ${port}\nserver.bind = "127.0.0.1"`,
      '"/srv/hello"': `"${folder}"`,
      "/usr/bin/deno run --allow-net /srv/hello/hello.ts": wrapper,
      "/run/hello.sock": `${folder}/app.sock`,
      "/var/cache/deno": await denoDir(),
    });
    await Deno.writeTextFile(
      `${folder}/lighttpd.conf`,
      `${shown}\nserver.upload-dirs = ("${folder}")\n`,
    );
    const args = ["-D", "-f", `${folder}/lighttpd.conf`];
    return {
      server: new Program("lighttpd", { args, env: { PATH: systemPath() } }),
      listens: /server started/,
      cannot: /Address already in use/,
    };
  });
}

/** Web servers are not in everybody's PATH. */
function systemPath(): string {
  return `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`;
}

async function denoDir(): Promise<string> {
  const info = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json"],
  }).output();
  return JSON.parse(new TextDecoder().decode(info.stdout)).denoDir;
}

/** A server that is starting. */
interface Starting {
  server: Program;
  /** What it says once it listens. */
  listens: RegExp;
  /** What it says where another program was faster. */
  cannot: RegExp;
}

/** Starts a server on a free port: one that is taken meanwhile, on another. */
async function onFreePort(
  start: (port: number) => Promise<Starting>,
): Promise<Site> {
  for (let attempt = 1;; attempt++) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const { server, listens, cannot } = await start(port);
    try {
      await server.until(listens);
      return { port, server };
    } catch (error) {
      await server.stop();
      if (attempt === 5 || !cannot.test(server.said)) throw error;
    }
  }
}

/** A request that gets an answer within the tests' deadline. */
export async function get(
  site: Site,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  return await within(
    fetch(urlOf(site, path), { redirect: "manual", ...init, signal }),
    `an answer to ${path}`,
  );
}
