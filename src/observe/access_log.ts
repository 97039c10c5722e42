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

/** What takes bytes, all of them, and tells of each piece that it has them. */
interface Target {
  append(bytes: Uint8Array, took: (length: number) => void): Promise<void>;
  appendSync(bytes: Uint8Array): void;
}

/** The outputs of the process, by their names. */
const OUTPUTS: Readonly<Record<string, () => Target>> = {
  "-": () => new OutputTarget(Deno.stdout),
  "stdout": () => new OutputTarget(Deno.stdout),
  "/dev/stdout": () => new OutputTarget(Deno.stdout),
  "stderr": () => new OutputTarget(Deno.stderr),
  "/dev/stderr": () => new OutputTarget(Deno.stderr),
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
    const target = new FileTarget(name);
    try {
      const opened = target.append(new Uint8Array(0), () => {});
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
      const batch = this.#waiting;
      this.#waiting = "";
      let written = 0;
      try {
        await this.#target.append(encoder.encode(batch), (length) => {
          written += length;
        });
      } catch (error) {
        this.#failed(batch.slice(written), error);
        return;
      }
      this.#recovered();
    }
    this.#disarm();
  }

  /** Tried again with the next batch. */
  #failed(rest: string, error: unknown): void {
    this.#waiting = rest + this.#waiting;
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
    const batch = this.#waiting;
    this.#waiting = "";
    try {
      this.#target.appendSync(encoder.encode(batch));
    } catch (error) {
      this.#lost += batch.split("\n").length - 1;
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

class FileTarget implements Target {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async append(
    bytes: Uint8Array,
    took: (length: number) => void,
  ): Promise<void> {
    using file = await Deno.open(this.#path, OPEN);
    await writeAll(file, bytes, took);
  }

  appendSync(bytes: Uint8Array): void {
    using file = Deno.openSync(this.#path, OPEN);
    writeAllSync(file, bytes);
  }
}

/** The file is for its owner and group: it tells who asked for what. */
const OPEN: Deno.OpenOptions = { append: true, create: true, mode: 0o640 };

/**
 * What a pipe takes in one piece (PIPE_BUF): where it is full, more of it comes
 * in pieces, with what other processes write between them.
 */
const PIPE_LENGTH = 4096;

const NEWLINE = 10;

/** Whole lines, as many at a time as a pipe takes in one piece. */
function* pipefuls(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let start = 0; start < bytes.length;) {
    const most = start + PIPE_LENGTH;
    let end = bytes.length;
    if (end > most) {
      end = bytes.lastIndexOf(NEWLINE, most - 1) + 1;
      // A line that is longer than that.
      if (end <= start) end = bytes.indexOf(NEWLINE, start) + 1;
    }
    yield bytes.subarray(start, end);
    start = end;
  }
}

/** An output of the process, which it may share with others. */
class OutputTarget implements Target {
  readonly #output: typeof Deno.stdout;

  constructor(output: typeof Deno.stdout) {
    this.#output = output;
  }

  async append(
    bytes: Uint8Array,
    took: (length: number) => void,
  ): Promise<void> {
    for (const lines of pipefuls(bytes)) {
      await writeAll(this.#output, lines, took);
    }
  }

  appendSync(bytes: Uint8Array): void {
    for (const lines of pipefuls(bytes)) writeAllSync(this.#output, lines);
  }
}

async function writeAll(
  to: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
  took: (length: number) => void,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const length = await to.write(bytes.subarray(at));
    took(length);
    at += length;
  }
}

function writeAllSync(
  to: { writeSync(bytes: Uint8Array): number },
  bytes: Uint8Array,
): void {
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
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
