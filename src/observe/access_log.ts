// AccessLog: a line for each request, once it is over. Lines are written many
// at a time. Each batch is appended to whatever file has the name at that
// moment: a file may be renamed, compressed or removed without a word to this
// process, and nothing has to be reopened.

import { StartError } from "../errors.ts";
import { permissionFor, requirePermissions } from "../server/address.ts";
import type { Exchange } from "../server/exchange.ts";
import { compileFormat } from "./log_format.ts";
import type { LogFormat } from "./log_format.ts";

/** How long a line waits for others. */
const BATCH_MS = 1_000;
/** Characters that are written without waiting. */
const BATCH_LENGTH = 64 * 1024;
/** Characters that wait for a disk or a reader; what comes then is lost. */
const MOST_WAITING = 8 * 1024 * 1024;
/** How long a start or a stop waits for a disk or a reader. */
const PATIENCE_MS = 5_000;

/** Events after which nothing more can be awaited. */
const LAST_EVENTS = ["unload", "error", "unhandledrejection"] as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What takes some of the bytes it is given. */
interface Output extends Disposable {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
}

/** Where lines go. */
interface Target {
  /** The most bytes that are written at once, unless a line has more. */
  readonly mostBytes: number;
  open(): Promise<Output>;
  openSync(): Output;
}

/** The outputs of the process, by their names. */
const OUTPUTS: Readonly<Record<string, () => Target>> = {
  "-": () => outputTarget(Deno.stdout),
  "stdout": () => outputTarget(Deno.stdout),
  "/dev/stdout": () => outputTarget(Deno.stdout),
  "stderr": () => outputTarget(Deno.stderr),
  "/dev/stderr": () => outputTarget(Deno.stderr),
};

/**
 * Whether a log goes to an output of the process.
 *
 * @param name Where it goes.
 * @returns Whether that is no file of its own.
 */
export function isOutput(name: string): boolean {
  return Object.hasOwn(OUTPUTS, name);
}

/** What an access log needs beside its options. */
export interface AccessLogParts {
  /** The name of the application's class. */
  readonly application: string;
  /** Writes a line to the server's own log. */
  report(message: string): void;
}

/** Writes a line for each request. */
export class AccessLog {
  readonly #file: LogFile;
  readonly #format: LogFormat;
  readonly #application: string;

  private constructor(file: LogFile, format: LogFormat, application: string) {
    this.#file = file;
    this.#format = format;
    this.#application = application;
  }

  /**
   * Opens the log.
   *
   * @param options Where, and what a line says.
   * @param parts What else is needed.
   * @returns The log.
   * @throws {StartError} Where the format is none, or it cannot be written.
   */
  static async open(
    options: { readonly accessLog: string; readonly accessFormat: string },
    { application, report }: AccessLogParts,
  ): Promise<AccessLog> {
    const format = compileFormat(options.accessFormat);
    const file = await LogFile.open(options.accessLog, report);
    return new AccessLog(file, format, application);
  }

  /**
   * Has a line written for a request when it is over.
   *
   * @param exchange The request, whose parameters are there.
   */
  watch(exchange: Exchange): void {
    const beganAt = Date.now();
    const began = performance.now();
    // They are gone when it is over.
    const params = new Map<string, string | null>();
    for (const name of this.#format.params) {
      params.set(name, exchange.latin1Param(name));
    }
    const log = () => {
      const durationMs = performance.now() - began;
      const endedAt = beganAt + durationMs;
      const application = this.#application;
      this.#file.write(
        this.#format.write({
          exchange,
          params,
          beganAt,
          endedAt,
          durationMs,
          application,
        }),
      );
    };
    exchange.completed.then(log, log);
  }

  /** Writes what waits, for a bounded time. */
  flush(): Promise<void> {
    return this.#file.flush();
  }
}

/** A file or an output that takes lines. */
class LogFile {
  readonly #name: string;
  readonly #target: Target;
  readonly #report: (message: string) => void;
  #waiting = "";
  /** What is being written, and where begins what the system was not given. */
  #batch: Uint8Array = new Uint8Array(0);
  #given = 0;
  #lost = 0;
  #hasFailed = false;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #writing: Promise<void> | null = null;

  private constructor(
    name: string,
    target: Target,
    report: (message: string) => void,
  ) {
    this.#name = name;
    this.#target = target;
    this.#report = report;
  }

  /**
   * Opens a log, to see that it can be written.
   *
   * @param name The path of a file, `stdout` or `stderr`.
   * @param report Tells what goes wrong later.
   * @returns It.
   * @throws {StartError} Where it cannot be written.
   */
  static async open(
    name: string,
    report: (message: string) => void,
  ): Promise<LogFile> {
    if (isOutput(name)) return new LogFile(name, OUTPUTS[name]!(), report);
    requirePermissions([permissionFor("write", name)]);
    const target = fileTarget(name);
    try {
      const opened = target.open().then((file) => file[Symbol.dispose]());
      await soon(opened, "nobody reads from it");
    } catch (error) {
      throw new StartError(
        "CANNOT_START",
        `Cannot write the log ${name}: ${messageOf(error)}`,
        { cause: error },
      );
    }
    return new LogFile(name, target, report);
  }

  /**
   * Adds a line.
   *
   * @param line ASCII, without its end.
   */
  write(line: string): void {
    if (this.#waiting.length + line.length >= MOST_WAITING) {
      this.#lost++;
      return;
    }
    this.#waiting += line + "\n";
    if (this.#timer === null) this.#arm();
    if (this.#waiting.length >= BATCH_LENGTH && !this.#hasFailed) this.#begin();
  }

  #arm(): void {
    for (const event of LAST_EVENTS) addEventListener(event, this.#last);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#begin();
    }, BATCH_MS);
    // The stop writes what waits: no reason to keep a process running.
    Deno.unrefTimer(this.#timer);
  }

  #disarm(): void {
    for (const event of LAST_EVENTS) removeEventListener(event, this.#last);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Writes what waits, unless a write is under way, which goes on to it. */
  #begin(): void {
    this.#writing ??= this.#write().finally(() => this.#writing = null);
  }

  async #write(): Promise<void> {
    while (this.#waiting !== "") {
      try {
        using output = await this.#target.open();
        await this.#writeBatch(output);
      } catch (error) {
        this.#failed(error);
        return;
      }
      this.#recovered();
    }
    this.#disarm();
  }

  async #writeBatch(output: Output): Promise<void> {
    // Not before, for what waits can still be written at the last moment.
    const bytes = this.#batch = encoder.encode(this.#waiting);
    this.#waiting = "";
    this.#given = 0;
    while (this.#given < bytes.length) {
      let at = this.#given;
      const end = this.#given = endOfPiece(bytes, at, this.#target.mostBytes);
      try {
        while (at < end) at += await output.write(bytes.subarray(at, end));
      } catch (error) {
        const rest = decoder.decode(bytes.subarray(at, end)) + this.#takeRest();
        this.#waiting = rest + this.#waiting;
        throw error;
      }
    }
  }

  /** Takes what the system was not given of what is being written. */
  #takeRest(): string {
    const rest = this.#batch.subarray(this.#given);
    this.#given = this.#batch.length;
    return decoder.decode(rest);
  }

  /** It is tried again; what was written is not. */
  #failed(error: unknown): void {
    if (!this.#hasFailed) {
      this.#report(
        `Cannot write the log ${this.#name}, trying again: ${messageOf(error)}`,
      );
    }
    this.#hasFailed = true;
    if (this.#timer === null) this.#arm();
  }

  #recovered(): void {
    if (this.#hasFailed) this.#report(`Writes the log ${this.#name} again`);
    this.#hasFailed = false;
    this.#reportLost();
  }

  #reportLost(): void {
    if (this.#lost === 0) return;
    this.#report(`${this.#lost} lines of the log ${this.#name} were lost`);
    this.#lost = 0;
  }

  /** The process ends at once. */
  readonly #last = (): void => {
    const lines = this.#takeRest() + this.#waiting;
    this.#waiting = "";
    try {
      const bytes = encoder.encode(lines);
      using output = this.#target.openSync();
      for (let at = 0; at < bytes.length;) {
        const end = endOfPiece(bytes, at, this.#target.mostBytes);
        at += output.writeSync(bytes.subarray(at, end));
      }
    } catch (error) {
      this.#lost += lines.split("\n").length - 1;
      this.#report(`Cannot write the log ${this.#name}: ${messageOf(error)}`);
    }
    this.#disarm();
    this.#reportLost();
  };

  /**
   * Writes all that waits, for a bounded time.
   *
   * @returns Settles when it is written, or given up, which is told.
   */
  async flush(): Promise<void> {
    this.#begin();
    try {
      await soon(this.#writing!, "it took too long");
    } catch (error) {
      this.#report(`Cannot write the log ${this.#name}: ${messageOf(error)}`);
    }
    if (this.#waiting === "") return;
    // It was tried, and failed.
    this.#lost += this.#waiting.split("\n").length - 1;
    this.#waiting = "";
    this.#disarm();
    this.#reportLost();
  }
}

function fileTarget(path: string): Target {
  return {
    mostBytes: Infinity,
    open: () => Deno.open(path, OPEN),
    openSync: () => Deno.openSync(path, OPEN),
  };
}

/** The file is for its owner and group: it tells who asked for what. */
const OPEN: Deno.OpenOptions = { append: true, create: true, mode: 0o640 };

/**
 * What a pipe takes in one piece (PIPE_BUF): where it is full, more of it comes
 * in pieces, with what other processes write between them.
 */
const PIPE_LENGTH = 4096;

/** An output of the process, which it may share with others. */
function outputTarget(to: typeof Deno.stdout): Target {
  const output: Output = {
    write: (bytes) => to.write(bytes),
    writeSync: (bytes) => to.writeSync(bytes),
    [Symbol.dispose]() {},
  };
  return {
    mostBytes: PIPE_LENGTH,
    open: () => Promise.resolve(output),
    openSync: () => output,
  };
}

const NEWLINE = 10;

/** Where what begins at an offset ends: whole lines, so many bytes at most. */
function endOfPiece(
  bytes: Uint8Array,
  start: number,
  mostBytes: number,
): number {
  const most = start + mostBytes;
  if (bytes.length <= most) return bytes.length;
  const end = bytes.lastIndexOf(NEWLINE, most - 1) + 1;
  // A line may be longer than that.
  return end > start ? end : bytes.indexOf(NEWLINE, start) + 1;
}

/** A promise's outcome, or an error where it takes too long. */
async function soon(promise: Promise<void>, why: string): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(why)), PATIENCE_MS);
  });
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
