// examples/scale as its README starts it: three programs, HAProxy in front of
// them and Redis behind them. Each program has an address of its own, of this
// machine's loopback network, which stays free while it is down.

import { haproxy } from "../live/servers/haproxy.ts";
import { startServer } from "../live/site.ts";
import type { Site } from "../live/site.ts";
import type { WebServer } from "../live/web_server.ts";
import { RedisServer } from "../sessions/redis_server.ts";
import { DEADLINE_MS, within } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { withValues } from "../support/readme.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const EXAMPLE = `${ROOT}examples/scale`;
const PAUSE_MS = 20;
/** Connecting has as long as lies between two checks. */
const CHECKED = "proto fcgi check inter 3s fastinter 1s downinter 1s";

/** What the example calls its programs. */
export const NAMES = ["one", "two", "three"] as const;

/** One of them. */
export type Name = typeof NAMES[number];

/** What HAProxy tells of a program, by the names of its columns. */
export type Told = Readonly<Record<string, string>>;

/** All of it, running. */
export class Scaled implements AsyncDisposable {
  readonly #used = new AsyncDisposableStack();
  readonly #programs = new Map<Name, Program>();
  readonly #addresses: Record<Name, string>;
  readonly #folder: string;
  readonly #redis: RedisServer;
  #site!: Site;

  private constructor(folder: string, redis: RedisServer) {
    this.#folder = folder;
    this.#redis = this.#used.use(redis);
    const [a, b] = crypto.getRandomValues(new Uint8Array(2));
    // A port below those that are given to whoever asks for none of his own.
    const [one, two, three] = [1, 2, 3].map((i) => `127.${a}.${b}.${i}:29000`);
    this.#addresses = { one: one!, two: two!, three: three! };
  }

  /** Starts all, in a folder of the test's. */
  static async start(folder: string): Promise<Scaled> {
    const scaled = new Scaled(folder, await RedisServer.start());
    try {
      for (const name of NAMES) await scaled.run(name);
      scaled.#site = scaled.#used.use(
        await startServer(scaled.#haproxy, folder, {}),
      );
      // Until then HAProxy only supposes that they are there.
      for (const name of NAMES) {
        await scaled.until(
          name,
          "checked",
          ({ check_status }) => check_status === "L7OK",
        );
      }
      return scaled;
    } catch (error) {
      await scaled[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where HAProxy listens, on 127.0.0.1. */
  get port(): number {
    return this.#site.port;
  }

  /** A program, as it was last started. */
  program(name: Name): Program {
    return this.#programs.get(name)!;
  }

  /** Starts a program, by the command of the README. */
  async run(name: Name): Promise<Program> {
    const { env, words } = commandOf(name);
    const [command, ...args] = words;
    if (command !== "deno") throw new Error(`${name} starts with ${command}`);
    const redis = this.#redis.path;
    const program = new Program("env", {
      args: [
        ...["-C", ROOT, Deno.execPath(), args[0]!, "--no-prompt"],
        // Of a Redis on a Unix socket.
        ...[`--allow-read=${redis}`, `--allow-write=${redis}`],
        ...args.slice(1, args.indexOf("--bind") + 1),
        this.#addresses[name],
        ...args.slice(args.indexOf("--bind") + 2),
      ],
      env: { ...env, REDIS: redis },
    });
    this.#used.use(program);
    this.#programs.set(name, program);
    await program.until(
      args.includes("--workers") ? /^2 workers are ready$/ : /^Listening for/,
    );
    return program;
  }

  /** Asks HAProxy, on the socket for those who run it. */
  async ask(command: string): Promise<string> {
    const path = `${this.#folder}/haproxy.sock`;
    using conn = await Deno.connect({ transport: "unix", path });
    await conn.write(new TextEncoder().encode(`${command}\n`));
    let text = "";
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(16 * 1024);
    for (;;) {
      const n = await within(conn.read(buffer), `an answer to ${command}`);
      if (n === null) return text.trim();
      text += decoder.decode(buffer.subarray(0, n), { stream: true });
    }
  }

  /** What HAProxy tells of a program, or of another line of its table. */
  async told(line: Name | "BACKEND" | "FRONTEND"): Promise<Told> {
    const [head, ...rows] = (await this.ask("show stat")).split("\n");
    const names = head!.replace(/^# /, "").split(",");
    const row = rows.map((row) => row.split(",")).find(([, found]) =>
      found === (serverOf(line) ?? line)
    );
    return Object.fromEntries(names.map((name, i) => [name, row![i]!]));
  }

  /** Waits until HAProxy tells something of a program. */
  async until(
    name: Name,
    what: string,
    holds: (told: Told) => boolean,
  ): Promise<void> {
    const end = Date.now() + 3 * DEADLINE_MS;
    for (;;) {
      const told = await this.told(name);
      if (holds(told)) return;
      if (Date.now() > end) {
        throw new Error(`${name} is not ${what}: ${JSON.stringify(told)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** Has HAProxy send a program nothing more, or all again. */
  async set(name: Name, state: "drain" | "ready"): Promise<void> {
    const said = await this.ask(
      `set server scale/${serverOf(name)} state ${state}`,
    );
    if (said !== "") throw new Error(`HAProxy says ${said}`);
  }

  get #haproxy(): WebServer {
    return {
      ...haproxy,
      configure: async ({ folder, port, securePort }) => {
        const shown = Deno.readTextFileSync(`${EXAMPLE}/haproxy.cfg`);
        const path = `${folder}/haproxy.cfg`;
        await Deno.writeTextFile(
          path,
          withValues(shown, {
            "bind 127.0.0.1:8080":
              `bind 127.0.0.1:${port}\n  bind 127.0.0.1:${securePort}`,
            "unix@haproxy.sock": `${folder}/haproxy.sock`,
            // A machine that is busy with other tests is slow, and not dead.
            "timeout server 60s": "timeout server 60s\n  timeout check 15s",
            "127.0.0.1:9001 proto fcgi check inter 1s":
              `${this.#addresses.one} ${CHECKED}`,
            "127.0.0.1:9002 proto fcgi check inter 1s":
              `${this.#addresses.two} ${CHECKED}`,
            "127.0.0.1:9003 proto fcgi check inter 1s":
              `${this.#addresses.three} ${CHECKED}`,
          }),
        );
        return ["-db", "-f", path];
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#used[Symbol.asyncDispose]();
  }
}

/** What HAProxy calls a program. */
function serverOf(name: string): string | null {
  const i = (NAMES as readonly string[]).indexOf(name);
  return i < 0 ? null : `scale${i + 1}`;
}

/** The command that the README starts a program with. */
function commandOf(name: Name): {
  env: Record<string, string>;
  words: string[];
} {
  const text = Deno.readTextFileSync(`${EXAMPLE}/README.md`)
    .replaceAll(/ \\\n\s*/g, " ");
  const line = new RegExp(`^INSTANCE=${name} (.*)$`, "m").exec(text)![1]!;
  return { env: { INSTANCE: name }, words: line.split(" ") };
}
