// Group: a program with workers, as a test starts it and asks it.

import type { ServerStats } from "../../src/server/stats.ts";
import { Peer } from "../support/peer.ts";
import type { Target } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { request } from "../support/wire.ts";

/** The program beside this file. */
export const PROGRAM: string = new URL("program.ts", import.meta.url).pathname;

/** A reload starts several processes, one after another, on a busy machine. */
export const PATIENCE_MS = 100_000;

/** How a group is started. */
export interface GroupOptions {
  /** How many workers it is to have in all. */
  workers?: number;
  /** Arguments of the program; by default it listens on a free port. */
  args?: readonly string[];
  /** Arguments of Deno. */
  flags?: readonly string[];
  /** The program. */
  main?: string;
  env?: Record<string, string>;
}

/** What is told of a process. */
interface ProcessStatus extends ServerStats {
  pid: number;
  uptimeSeconds: number;
  memoryBytes: number;
}

/** The page of status, as JSON. */
export interface GroupStatus extends ProcessStatus {
  crashes: number;
  recycled: number;
  reloads: number;
  workers: (ProcessStatus & { worker: number; state: string })[];
}

/** A worker, and a connection to it. */
export interface Known {
  pid: number;
  peer: Peer;
}

/** A running program with workers. */
export class Group implements AsyncDisposable {
  readonly program: Program;
  /** Where it listens, in the order of its lines. */
  readonly targets: Target[] = [];
  readonly #workers: number;

  private constructor(program: Program, workers: number) {
    this.program = program;
    this.#workers = workers;
  }

  /** Starts a program, and does not wait. */
  static spawn({ workers = 2, ...options }: GroupOptions = {}): Program {
    const {
      args = ["--bind", "127.0.0.1:0", "--workers", String(workers)],
      flags = ["-A"],
      main = PROGRAM,
      env = {},
    } = options;
    return new Program(Deno.execPath(), {
      args: ["run", "--no-check", "--no-prompt", ...flags, main, ...args],
      env,
      deadlineMs: PATIENCE_MS,
    });
  }

  /** Starts a program, and waits until its workers are ready. */
  static async start(options: GroupOptions = {}): Promise<Group> {
    return await Group.of(Group.spawn(options), options.workers);
  }

  /** Waits until the workers of a program are ready. */
  static async of(program: Program, workers = 2): Promise<Group> {
    const group = new Group(program, workers);
    try {
      await program.until(/^\d+ workers? (?:is|are) ready$/);
    } catch (error) {
      await program.stop("SIGKILL");
      throw error;
    }
    for (const line of program.output) {
      const where = /^Listening for FastCGI on (.+)$/.exec(line)?.[1];
      if (where !== undefined && !where.startsWith("desc")) {
        group.targets.push(targetOf(where));
      }
    }
    return group;
  }

  /** A new connection, to whichever worker takes it. */
  connect(target: Target = this.targets[0]!): Promise<Peer> {
    return Peer.connect(target);
  }

  /** Asks whichever worker takes the connection. */
  async ask(path = "/", target?: Target): Promise<string> {
    using peer = await this.connect(target);
    return await askOn(peer, path);
  }

  /** A connection to each worker. */
  async each(target?: Target): Promise<Known[]> {
    const found: Known[] = [];
    for (let attempt = 0; found.length < this.#workers; attempt++) {
      if (attempt === 200) {
        throw new Error(`Only ${found.map(({ pid }) => pid)} answer`);
      }
      // While those that are known are busy, another takes the connection.
      for (const { peer } of found) await send(peer, "/spin");
      const peer = await this.connect(target);
      const pid = Number(await askOn(peer));
      for (const known of found) await known.peer.answer();
      if (found.some((known) => known.pid === pid)) peer.close();
      else found.push({ pid, peer });
    }
    return found;
  }

  /** A connection to each of two workers. */
  async both(): Promise<[Known, Known]> {
    const [one, other] = await this.each();
    return [one!, other!];
  }

  /** The process ids of all workers. */
  async pids(): Promise<number[]> {
    const found = await this.each();
    for (const { peer } of found) peer.close();
    return found.map(({ pid }) => pid);
  }

  /** What the page of status tells. */
  async status(): Promise<GroupStatus> {
    return JSON.parse(await this.ask("/status?json"));
  }

  /** Waits until the status is as it should be. */
  async until(
    fits: (status: GroupStatus) => boolean,
    what: string,
  ): Promise<GroupStatus> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const status = await this.status();
      if (fits(status)) return status;
      if (performance.now() > deadline) {
        throw new Error(`Waited for ${what}: ${JSON.stringify(status)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.stop();
  }
}

/** Sends a request for a path. */
export function send(peer: Peer, path: string, id = 1): Promise<void> {
  return peer.send(request({ id, params: { REQUEST_URI: path } }));
}

/** Asks for a path on a connection there is. */
export async function askOn(peer: Peer, path = "/", id = 1): Promise<string> {
  await send(peer, path, id);
  return (await peer.answer(id)).text;
}

function targetOf(where: string): Target {
  if (where.includes("/")) return { path: where };
  const [, hostname, port] = /^\[?(.*?)\]?:(\d+)$/.exec(where)!;
  return { hostname: hostname!, port: Number(port) };
}
