// Site: a web server that runs, in front of a program that answers.

import { DEADLINE_MS, within } from "../support/peer.ts";
import { isInstalled, Program } from "../support/program.ts";
import { makeCertificate } from "./folder.ts";
import { appCommand, PERMISSIONS } from "./program.ts";
import { lighttpd } from "./servers/lighttpd.ts";
import { nginx } from "./servers/nginx.ts";
import type { Behind, WebServer } from "./web_server.ts";

export { Folder } from "./folder.ts";
export { startApp } from "./program.ts";

/** A web server that answers. */
export class Site implements AsyncDisposable {
  /** The web server, with its error log. */
  readonly server: Program;
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** Where it listens for HTTPS. */
  readonly securePort: number;
  readonly #stop: Deno.Signal;

  constructor(
    server: Program,
    port: number,
    securePort: number,
    stop: Deno.Signal = "SIGTERM",
  ) {
    this.server = server;
    this.port = port;
    this.securePort = securePort;
    this.#stop = stop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop(this.#stop);
  }
}

const PAUSE_MS = 20;
const ATTEMPTS = 5;

/**
 * Starts a web server on free ports, and waits until it listens; where one of
 * them is taken meanwhile, on others.
 */
export async function startServer(
  webServer: WebServer,
  folder: string,
  behind: Behind,
): Promise<Site> {
  const certificate = `${folder}/certificate.pem`;
  await Deno.writeTextFile(certificate, await makeCertificate());
  for (let attempt = 1;; attempt++) {
    const [port, securePort] = freePorts(2) as [number, number];
    const place = { folder, port, securePort, certificate };
    const args = await webServer.configure(place, behind);
    const server = new Program(webServer.command, {
      args,
      // Caddy writes to what these name.
      env: {
        PATH: systemPath(),
        XDG_CONFIG_HOME: folder,
        XDG_DATA_HOME: folder,
      },
    });
    try {
      await untilListening(server, port);
      await untilListening(server, securePort);
      return new Site(server, port, securePort, webServer.stop);
    } catch (error) {
      await server.stop(webServer.stop);
      if (attempt < ATTEMPTS && webServer.portTaken.test(server.said)) continue;
      throw new Error(`${(error as Error).message}\n${server.said}`);
    }
  }
}

/** Ports that were free a moment ago. */
export function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  for (const listener of listeners) listener.close();
  return listeners.map(({ addr }) => addr.port);
}

/** Waits until a program listens itself: another one may have the port. */
async function untilListening(server: Program, port: number): Promise<void> {
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end;) {
    if (listensAt(server.pid, port)) return;
    if (server.hasEnded) throw new Error("The web server ended at its start");
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`The web server did not listen within ${DEADLINE_MS} ms`);
}

/** Whether a process has the socket that listens at a port of 127.0.0.1. */
function listensAt(pid: number, port: number): boolean {
  const address = `0100007F:${
    port.toString(16).toUpperCase().padStart(4, "0")
  }`;
  const inode = Deno.readTextFileSync("/proc/net/tcp").split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find(([, local, , state]) => local === address && state === LISTENS)?.[9];
  if (inode === undefined) return false;
  const folder = `/proc/${pid}/fd`;
  try {
    return Array.from(Deno.readDirSync(folder)).some(({ name }) =>
      linkOf(`${folder}/${name}`) === `socket:[${inode}]`
    );
  } catch {
    return false; // It has ended.
  }
}

const LISTENS = "0A";

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return ""; // Closed meanwhile.
  }
}

/** Web servers are not in everybody's PATH. */
export function systemPath(): string {
  return `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`;
}

/** What of some programs, files and web servers is missing. */
export function missing(needed: readonly (string | WebServer)[]): string[] {
  return needed
    .flatMap((one) =>
      typeof one === "string"
        ? [one]
        : ["openssl", one.command, ...one.needs ?? []]
    )
    .filter((name) => !(name.startsWith("/") ? isFile : isInstalled)(name));
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The name of a suite, which says where it cannot run. */
export function suiteName(command: string, what: string): string {
  return isInstalled(command)
    ? what
    : `${what} (not run: ${command} is not installed)`;
}

/** Starts nginx in front of a socket; it keeps its files in a folder. */
export function startNginx(folder: string, socket: string): Promise<Site> {
  return startServer(nginx, folder, { addresses: [socket] });
}

/** Starts lighttpd, which starts a program, by default the one under test. */
export function startLighttpd(
  folder: string,
  command: readonly string[] = appCommand({
    permissions: PERMISSIONS.inherited,
  }),
): Promise<Site> {
  return startServer(lighttpd, folder, { command });
}

/** The URL of a path. */
export function urlOf({ port }: Site, path: string): string {
  return `http://127.0.0.1:${port}${path}`;
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

/** The same over HTTPS, with the whole answer. */
export async function getSecurely(
  { securePort }: Site,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  using client = Deno.createHttpClient({ caCerts: [await makeCertificate()] });
  const url = `https://127.0.0.1:${securePort}${path}`;
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const response = await within(
    fetch(url, { ...init, client, signal }),
    `an answer to ${url}`,
  );
  // Read before the client is closed.
  return new Response(await response.bytes(), response);
}
