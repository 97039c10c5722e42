// An example run as its configurations say, on ports that are free: the test
// changes those, and nothing else.

import { Folder } from "../live/folder.ts";
import { freePorts, systemPath } from "../live/site.ts";
import { IS_ROOT } from "../live/web_server.ts";
import { DEADLINE_MS } from "../support/peer.ts";
import { Program } from "../support/program.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const ATTEMPTS = 5;
const PAUSE_MS = 20;

/** The web servers there are configurations for. */
export type Server = "nginx" | "lighttpd";

/** An example behind a web server. */
export interface Example extends AsyncDisposable {
  /** The URL of its root, without the last slash. */
  readonly url: string;
}

/** How an example is started. */
export interface ExampleOptions {
  /** Folders of it that its comment has copied to where nginx works. */
  copies?: readonly string[];
  /** The environment of the application. */
  env?: Record<string, string>;
  /** A path that is there once all is started. */
  ready?: string;
}

/** Starts an example behind a web server; where a port is taken, on others. */
export async function startExample(
  name: string,
  server: Server,
  options: ExampleOptions = {},
): Promise<Example> {
  for (let attempt = 1;; attempt++) {
    const [http, fastcgi] = freePorts(2) as [number, number];
    const folder = new Folder();
    const programs = server === "nginx"
      ? await startNginx(name, folder.path, http, fastcgi, options)
      : await startLighttpd(name, folder.path, http, fastcgi, options);
    const example = {
      url: `http://127.0.0.1:${http}`,
      async [Symbol.asyncDispose]() {
        for (const program of programs) await program.stop();
        await folder[Symbol.asyncDispose]();
      },
    };
    try {
      await untilReady(example.url + (options.ready ?? "/"), programs);
      return example;
    } catch (error) {
      const said = programs.map((program) => program.said).join("\n");
      await example[Symbol.asyncDispose]();
      if (attempt < ATTEMPTS && /in use/i.test(said)) continue;
      throw new Error(`${(error as Error).message}\n${said}`);
    }
  }
}

/** The commands of the comment that a configuration begins with. */
function commandsOf(text: string): string[] {
  const joined = text.replaceAll(" \\\n#", "");
  return Array.from(joined.matchAll(/^# {3}(\S.*)$/gm), ([, line]) => line!);
}

async function startNginx(
  name: string,
  folder: string,
  http: number,
  fastcgi: number,
  { copies = [], env = {} }: ExampleOptions,
): Promise<Program[]> {
  const text = await Deno.readTextFile(`${ROOT}examples/${name}/nginx.conf`);
  const deno = commandsOf(text).find((line) => line.startsWith("deno run "))!;
  const site = `${folder}/site`;
  await Deno.mkdir(site);
  for (const copied of copies) {
    await copyAll(`${ROOT}examples/${name}/${copied}`, `${site}/${copied}`);
  }
  const config = `${folder}/nginx.conf`;
  await Deno.writeTextFile(
    config,
    text.replaceAll("127.0.0.1:8080", `127.0.0.1:${http}`)
      .replaceAll("127.0.0.1:9000", `127.0.0.1:${fastcgi}`),
  );
  const [, ...words] = deno.split(/\s+/);
  const app = new Program("env", {
    // The address is the test's: the comment's is the default.
    args: ["-C", ROOT, Deno.execPath(), "run", "--no-prompt"].concat(
      words.includes("--allow-env") ? [] : "--allow-env=SMISK_BIND",
      words.slice(1),
    ),
    env: { SMISK_BIND: `127.0.0.1:${fastcgi}`, ...env },
  });
  const nginx = new Program("nginx", {
    args: ["-p", site, "-c", config, ...IS_ROOT ? ["-g", "user root;"] : []],
    env: { PATH: systemPath() },
  });
  return [nginx, app];
}

async function startLighttpd(
  name: string,
  folder: string,
  http: number,
  fastcgi: number,
  { env = {} }: ExampleOptions,
): Promise<Program[]> {
  const text = await Deno.readTextFile(`${ROOT}examples/${name}/lighttpd.conf`);
  const config = `${folder}/lighttpd.conf`;
  await Deno.writeTextFile(
    config,
    text.replace("server.port = 8080", `server.port = ${http}`)
      .replace('"port" => 9000', `"port" => ${fastcgi}`),
  );
  const lighttpd = new Program("env", {
    args: ["-C", ROOT, "lighttpd", "-D", "-f", config],
    env: { PATH: systemPath(), ...env },
  });
  return [lighttpd];
}

async function copyAll(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Waits until the application answers through the web server. */
async function untilReady(url: string, programs: Program[]): Promise<void> {
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end;) {
    if (programs.some((program) => program.hasEnded)) {
      throw new Error("A program ended at its start");
    }
    const status = await statusOf(url);
    if (status > 0 && status < 500) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`There was no answer within ${DEADLINE_MS} ms`);
}

/** The status of an answer, 0 where nobody answers. */
async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.status;
  } catch {
    return 0;
  }
}
