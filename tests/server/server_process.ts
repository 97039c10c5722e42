// ServerProcess: the application of program.ts as a process of its own.

import { assert } from "@std/assert";
import { Peer, within } from "../support/peer.ts";
import type { Target } from "../support/peer.ts";

const PROGRAM = new URL("./program.ts", import.meta.url).pathname;
const WITHOUT = new URL("./without_handles.ts", import.meta.url).pathname;
const FEW = new URL("./few_descriptors.ts", import.meta.url).pathname;
const decoder = new TextDecoder();

/** What a program is started with. */
export interface ProgramOptions {
  /** Its argument; with "net" it listens by `node:net`, as on a descriptor. */
  argument?: string;
  permissions?: string[];
  env?: Record<string, string>;
  /** Descriptors it may open. */
  descriptors?: number;
  /** The Unix socket it listens on, if not on TCP. */
  path?: string;
  /** Whether it finds handles below `node:net`. */
  hasHandles?: boolean;
}

/** The program while it runs. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #out: Promise<void>;
  readonly #error: Promise<string>;
  readonly #path: string | undefined;
  /** The port it has printed; 0 on a Unix socket. */
  readonly port: Promise<number>;
  readonly status: Promise<Deno.CommandStatus>;

  constructor(options: ProgramOptions = {}) {
    const {
      argument = "",
      permissions = ["--allow-net", "--allow-env"],
      env = {},
      descriptors,
      path,
      hasHandles = true,
    } = options;
    const words = [Deno.execPath(), "run", "--no-check", ...permissions];
    if (!hasHandles) words.push(`--preload=${WITHOUT}`);
    if (descriptors !== undefined) words.push(`--preload=${FEW}`);
    const where = path === undefined ? [] : [path];
    const limit = descriptors === undefined ? "" : `ulimit -n ${descriptors};`;
    this.#child = new Deno.Command("sh", {
      args: [
        "-c",
        `${limit} exec "$@"`,
        "sh",
        ...words,
        PROGRAM,
        argument,
        ...where,
      ],
      // The check for a new version ends a process that has no descriptor left.
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.status = this.#child.status;
    this.#path = path;
    const line = Promise.withResolvers<string>();
    this.port = line.promise.then(Number);
    this.#out = this.#read(line.resolve);
    this.#error = new Response(this.#child.stderr).text();
  }

  /** Reads its output to the end; the first line is told at once. */
  async #read(first: (line: string) => void): Promise<void> {
    let text = "";
    for await (const chunk of this.#child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes("\n")) first(text.split("\n")[0]!);
    }
    first("");
  }

  get pid(): number {
    return this.#child.pid;
  }

  async target(): Promise<Target> {
    const port = await within(this.port, "the program to listen");
    if (this.#path !== undefined) return { path: this.#path };
    assert(port > 0, `no port: ${port}`);
    return { hostname: "127.0.0.1", port };
  }

  async connect(): Promise<Peer> {
    return await Peer.connect(await this.target());
  }

  /** Stops it; what it wrote to its error output. */
  async stop(): Promise<string> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.status;
    await this.#out;
    return await this.#error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
