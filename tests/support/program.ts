// Program: a process that a test started, with what it says, line by line. It
// is ended by its process id, and never outlives its scope.

import { DEADLINE_MS, within } from "./peer.ts";

/** How to start a program. */
export interface ProgramOptions {
  /** Its arguments. */
  args?: readonly string[];
  /** Its environment, besides that of the tests. */
  env?: Record<string, string>;
  /** How long it may take to say or do what is waited for. */
  deadlineMs?: number;
}

/** A running program. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #name: string;
  readonly #deadlineMs: number;
  readonly #reading: Promise<unknown>;
  readonly #watchers = new Set<() => void>();
  #isSilent = false;
  /** What it said so far, both outputs together. */
  readonly lines: string[] = [];
  /** What it said on the standard output. */
  readonly output: string[] = [];
  /** What it said on the error output. */
  readonly errors: string[] = [];

  /** Starts it. */
  constructor(command: string, options: ProgramOptions = {}) {
    const { args = [], env = {}, deadlineMs = DEADLINE_MS } = options;
    this.#deadlineMs = deadlineMs;
    this.#name = command.replace(/.*\//, "");
    this.#child = new Deno.Command(command, {
      args: [...args],
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = Promise.all([
      this.#read(this.#child.stdout, this.output),
      this.#read(this.#child.stderr, this.errors),
    ]).finally(() => {
      this.#isSilent = true;
      this.#wake();
    });
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Whether it has ended, with all that shares its outputs. */
  get hasEnded(): boolean {
    return this.#isSilent;
  }

  /** How it ended. */
  get status(): Promise<Deno.CommandStatus> {
    return within(
      this.#child.status,
      `${this.#name} to end`,
      this.#deadlineMs,
    );
  }

  async #read(
    output: ReadableStream<Uint8Array>,
    said: string[],
  ): Promise<void> {
    const text = output.pipeThrough(
      new TextDecoderStream() as TransformStream<Uint8Array, string>,
    );
    let rest = "";
    for await (const chunk of text) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      said.push(...lines);
      this.lines.push(...lines);
      this.#wake();
    }
    if (rest === "") return;
    said.push(rest);
    this.lines.push(rest);
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /**
   * Waits for a line, also one that was said before, or for so many; gives the
   * match of the last.
   */
  async until(pattern: RegExp, count = 1): Promise<RegExpExecArray> {
    try {
      return await within(
        this.hopedLine(pattern, count),
        `${this.#name} to say ${pattern}`,
        this.#deadlineMs,
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.said}`, {
        cause: error,
      });
    }
  }

  /** The same, of a line that may never come. */
  async hopedLine(pattern: RegExp, count = 1): Promise<RegExpExecArray> {
    let watcher = () => {};
    const found = new Promise<RegExpExecArray>((resolve, reject) => {
      watcher = () => {
        let found = 0;
        for (const line of this.lines) {
          const match = pattern.exec(line);
          if (match !== null && ++found === count) return resolve(match);
        }
        if (this.#isSilent) {
          reject(new Error(`${this.#name} ended and never said ${pattern}`));
        }
      };
      this.#watchers.add(watcher);
      watcher();
    });
    try {
      return await found;
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** All it said. */
  get said(): string {
    return this.lines.join("\n");
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits until it has ended by itself, and said all. */
  async end(): Promise<Deno.CommandStatus> {
    const status = await this.status;
    await within(
      this.#reading,
      `what ${this.#name} started to end`,
      this.#deadlineMs,
    );
    return status;
  }

  /**
   * Ends it, and waits until it and all that it started have ended: only then
   * do its outputs close.
   */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    try {
      this.signal(signal);
    } catch {
      // Ended already.
    }
    try {
      const status = await this.status;
      await within(
        this.#reading,
        `what ${this.#name} started to end`,
        this.#deadlineMs,
      );
      return status;
    } catch (error) {
      try {
        this.signal("SIGKILL");
      } catch {
        // Ended at last.
      }
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Whether a program is installed. */
export function isInstalled(command: string): boolean {
  const folders = `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`.split(":");
  return folders.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${command}`).isFile;
    } catch {
      return false;
    }
  });
}
