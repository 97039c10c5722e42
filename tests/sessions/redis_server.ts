// A Redis server for tests: on a Unix socket in a directory of its own, with
// nothing stored on disk.

import { isInstalled, Program } from "../support/program.ts";

/** A running Redis server. */
export class RedisServer implements AsyncDisposable {
  readonly directory: string;
  #program: Program | null = null;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Whether there is one to start. */
  static get isInstalled(): boolean {
    return isInstalled("redis-server");
  }

  /** Starts one. */
  static async start(args: string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await Deno.makeTempDir());
    await server.run(args);
    return server;
  }

  /** Its socket. */
  get path(): string {
    return `${this.directory}/redis.sock`;
  }

  /** Its process id. */
  get pid(): number {
    return this.#program!.pid;
  }

  /** Starts it again, after it was stopped. */
  async run(args: string[] = []): Promise<void> {
    this.#program = new Program("redis-server", {
      args: [
        ...["--port", "0", "--unixsocket", this.path, "--dir", this.directory],
        ...["--save", "", "--appendonly", "no", "--daemonize", "no"],
        ...args,
      ],
    });
    await this.#program.until(
      /The server is now ready to accept connections at/,
    );
  }

  /** Stops it. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    const program = this.#program;
    this.#program = null;
    await program?.stop(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.stop();
    } finally {
      await Deno.remove(this.directory, { recursive: true });
    }
  }
}
