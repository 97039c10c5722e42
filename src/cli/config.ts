// smisk config: prints the configuration of a web server, or of systemd, for a
// program that listens somewhere.

import { badArgument, readWords } from "../command/arguments.ts";
import type { Kinds } from "../command/arguments.ts";
import { countUp } from "../command/count_up.ts";
import { DEFAULT_ADDRESS, parseAddress } from "../server/address.ts";
import type {
  ListenOptions,
  TcpListenOptions,
} from "../server/listen_options.ts";
import { apacheConfig } from "./configs/apache.ts";
import { caddyConfig } from "./configs/caddy.ts";
import { h2oConfig } from "./configs/h2o.ts";
import { haproxyConfig } from "./configs/haproxy.ts";
import { lighttpdConfig } from "./configs/lighttpd.ts";
import { nginxConfig } from "./configs/nginx.ts";
import { checkPath, checkSocket, checkText } from "./configs/settings.ts";
import type {
  Backend,
  Frontend,
  Settings,
  WriteConfig,
} from "./configs/settings.ts";
import { systemdConfig } from "./configs/systemd.ts";

/** A server, and which options mean anything to it. */
interface Server {
  readonly write: WriteConfig;
  readonly uses: readonly string[];
  /** Whether it can start the program. */
  readonly starts: boolean;
  /** Whether it chooses the address of what it starts. */
  readonly chooses?: boolean;
}

const WEB = ["--spawn", "--listen", "--host", "--mount"];

const SERVERS: Readonly<Record<string, Server>> = {
  nginx: { write: nginxConfig, uses: WEB, starts: false },
  lighttpd: {
    write: lighttpdConfig,
    uses: [...WEB, "--root", "--workers"],
    starts: true,
  },
  apache: {
    write: apacheConfig,
    uses: [...WEB, "--root"],
    starts: true,
    chooses: true,
  },
  caddy: { write: caddyConfig, uses: WEB, starts: false },
  h2o: { write: h2oConfig, uses: WEB, starts: true, chooses: true },
  haproxy: {
    write: haproxyConfig,
    uses: [...WEB, "--root", "--ping"],
    starts: false,
  },
  systemd: {
    write: systemdConfig,
    uses: ["--unit", "--user", "--workers", "--spawn"],
    starts: true,
  },
};

const KINDS: Kinds = {
  "--bind": "value",
  "--name": "value",
  "--listen": "value",
  "--host": "value",
  "--mount": "value",
  "--root": "value",
  "--ping": "value",
  "--workers": "value",
  "--spawn": "value",
  "--user": "value",
  "--unit": "value",
  "--help": "none",
};

/** What `smisk config --help` prints. */
export const CONFIG_HELP = `Usage: smisk config SERVER [OPTIONS] [-- COMMAND]

Prints what ${Object.keys(SERVERS).slice(0, -1).join(", ")}
or systemd is to be configured with, for a program that listens on --bind.

  --bind ADDR     Where the program listens, as it was told itself; repeatable
  --name NAME     What the program is called there (hello)
  --listen ADDR   Where the web server listens: port, host:port; repeatable (80)
  --host NAME     Answer for this host alone; repeatable
  --mount PATH    Answer below this path alone
  --root DIR      Document root, where the server must have one (/srv/NAME)
  --ping PATH     haproxy: the program's --ping, to see whether it is there
  --workers N     systemd, lighttpd: how many workers or processes serve
  --spawn N       The program's own --spawn: so many addresses from each --bind
  --user USER     systemd: whom it runs as, and who may connect (www-data)
  --unit UNIT     systemd: service, socket, or socket-service (service)

With a COMMAND lighttpd, apache and h2o start the program themselves; systemd
needs one. Nothing is written or restarted: put it where the server looks.
`;

/**
 * Makes what `smisk config` prints.
 *
 * @param args The arguments behind `config`.
 * @returns The text.
 * @throws {StartError} `BAD_ARGUMENT` where an argument is wrong, or the server
 * cannot be configured so.
 */
export function config(args: readonly string[]): string {
  const given = new Map<string, string[]>();
  const [server, ...command] = [...operands(args, given)];
  if (given.has("--help")) return CONFIG_HELP;
  const names = Object.keys(SERVERS).join(", ");
  if (server === undefined) {
    throw badArgument(`smisk config needs a server: ${names}`);
  }
  if (!Object.hasOwn(SERVERS, server)) {
    throw badArgument(`"${server}" is no server that is known: write ${names}`);
  }
  const { chooses, starts, uses, write } = SERVERS[server]!;
  for (const flag of given.keys()) {
    if (flag !== "--bind" && flag !== "--name" && !uses.includes(flag)) {
      const why = flag === "--ping"
        ? ": haproxy alone asks a FastCGI program by itself whether it is well"
        : "";
      throw badArgument(`${flag} means nothing to ${server}${why}`);
    }
  }
  if (command.length > 0 && !starts) {
    throw badArgument(
      `${server} starts no program, and is given the command "${
        command.join(" ")
      }"`,
    );
  }
  const where = ["--bind", "--spawn"].find((flag) => given.has(flag));
  if (command.length > 0 && chooses && where !== undefined) {
    throw badArgument(
      `${where} means nothing to ${server} where it starts the program, for it chooses the address itself`,
    );
  }
  return write(settingsOf(server, given, command));
}

function* operands(
  args: readonly string[],
  given: Map<string, string[]>,
): Generator<string> {
  for (const [flag, value] of readWords(args, KINDS)) {
    if (flag === null) yield value;
    else if (given.has(flag)) given.get(flag)!.push(value);
    else given.set(flag, [value]);
  }
}

function settingsOf(
  server: string,
  flags: ReadonlyMap<string, readonly string[]>,
  command: readonly string[],
): Settings {
  const all = (flag: string) => flags.get(flag) ?? [];
  const one = <T>(flag: string, standard: T, read: (text: string) => T): T => {
    const [text, ...more] = all(flag);
    if (more.length > 0) throw badArgument(`${flag} is given twice`);
    return text === undefined ? standard : read(text);
  };
  const name = one("--name", "hello", (text) => {
    if (/^[a-z][\w-]*$/i.test(text)) return text;
    throw badArgument(
      `--name: "${text}" is no name: write letters, digits, - and _`,
    );
  });
  const spawn = one<number | null>("--spawn", null, readSpawn);
  const given = all("--bind").map((text) => readAddress("--bind", text));
  const addresses = given.length > 0 ? given : [DEFAULT_ADDRESS];
  // systemd's program counts by itself.
  const counted = countUp(addresses, server === "systemd" ? null : spawn);
  const listen = all("--listen").map(readFrontend);
  return {
    name,
    backends: counted.flat().map(backendOf),
    listen: listen.length > 0 ? listen : [{ host: null, port: 80 }],
    hosts: all("--host").map(readHost),
    mount: one("--mount", "", readMount),
    root: one("--root", `/srv/${name}`, (text) => checkPath("--root", text)),
    ping: one<string | null>("--ping", null, readPing),
    workers: one<number | null>("--workers", null, readWorkers),
    spawn,
    command: command.map((word) => checkText("The command", word)),
    user: one("--user", "www-data", readUser),
    unit: one("--unit", "service", readUnit),
  };
}

/** How a web server connects to an address. */
function backendOf(address: ListenOptions): Backend {
  if ("path" in address) {
    return { path: checkSocket("--bind", address.path) };
  }
  const { hostname = "", port } = address as TcpListenOptions;
  // What listens everywhere is connected to here.
  const host = hostname === "0.0.0.0"
    ? "127.0.0.1"
    : hostname === "::"
    ? "::1"
    : hostname;
  return { host: checkHost("--bind", host), port: checkPort("--bind", port) };
}

function readFrontend(text: string): Frontend {
  if (/^\d+$/.test(text)) {
    return { host: null, port: checkPort("--listen", Number(text)) };
  }
  const address = readAddress("--listen", text);
  if ("path" in address) {
    throw badArgument(`--listen: "${text}" is no port, host:port or :port`);
  }
  const { hostname, port } = address;
  return {
    host: hostname === "0.0.0.0" ? null : checkHost("--listen", hostname!),
    port: checkPort("--listen", port),
  };
}

function readAddress(flag: string, text: string) {
  try {
    return parseAddress(checkText(flag, text));
  } catch (error) {
    const { message } = error as Error;
    throw message.startsWith(flag) ? error : badArgument(`${flag}: ${message}`);
  }
}

function checkPort(flag: string, port: number): number {
  if (port >= 1 && port <= 0xffff) return port;
  throw badArgument(`${flag}: ${port} is no port to connect to`);
}

function checkHost(flag: string, host: string): string {
  if (/^(?:[a-z\d](?:[a-z\d.-]*[a-z\d])?|[\da-f:.]+)$/i.test(host)) return host;
  throw badArgument(`${flag}: "${host}" is no host`);
}

function readHost(text: string): string {
  if (
    /^[a-z\d](?:[a-z\d-]*[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]*[a-z\d])?)*$/i.test(
      text,
    )
  ) {
    return text.toLowerCase();
  }
  throw badArgument(
    `--host: "${text}" is no name of a host: write one such as www.example.org`,
  );
}

function readMount(text: string): string {
  const mount = text.replace(/\/$/, "");
  if (mount === "" || /^(?:\/[\w.~-]+)+$/.test(mount)) return mount;
  throw badArgument(
    `--mount: "${text}" is no path such as /app: it has letters, digits, and ._~- between slashes`,
  );
}

function readPing(text: string): string {
  if (/^\/[!-"$->@-~]*$/.test(text)) return text;
  throw badArgument(`--ping: "${text}" is no path of a URL such as /ping`);
}

function readWorkers(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw badArgument(`--workers: "${text}" is no number of workers`);
}

function readSpawn(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw badArgument(`--spawn: "${text}" is no number of addresses`);
}

function readUser(text: string): string {
  if (/^[a-z_][\w-]*$/i.test(text)) return text;
  throw badArgument(`--user: "${text}" is no name of a user`);
}

function readUnit(text: string): Settings["unit"] {
  if (text === "service" || text === "socket" || text === "socket-service") {
    return text;
  }
  throw badArgument(
    `--unit: "${text}" is no unit: write service, socket or socket-service`,
  );
}
