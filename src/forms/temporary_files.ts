// TemporaryFiles: the files that one request has on disk, from the first byte of
// an upload until the request has ended. None of them is named after anything
// that a client sent.

import { FastCgiError } from "../errors.ts";
import type { Exchange } from "../server/exchange.ts";

/** Begins the name of every temporary file; 64 random bits follow. */
const PREFIX = "smisk-upload-";

/** How much of a file is read at once. */
const READ_LENGTH = 64 * 1024;

/** Where it is told what could not be removed. */
export interface Reporter {
  /** Writes a line to the server's own log. */
  report(message: string): void;
}

/** The files of one request. */
export class TemporaryFiles {
  readonly #exchange: Exchange;
  readonly #reporter: Reporter;
  readonly #directory: string | undefined;
  readonly #files = new Set<TemporaryFile>();
  #isOver = false;

  /**
   * Creates what holds the files; there are none yet.
   *
   * @param exchange The request.
   * @param reporter Where it is told what could not be removed.
   * @param directory Where they are made; in the system's by default.
   */
  constructor(exchange: Exchange, reporter: Reporter, directory?: string) {
    this.#exchange = exchange;
    this.#reporter = reporter;
    this.#directory = directory;
  }

  /** Refuses what comes when the files are gone, or about to. */
  check(): void {
    if (!this.#isOver) return;
    throw this.#exchange.abortReason ?? new TypeError(
      "Cannot use an uploaded file: its request has ended. Call move() before it does for what is to be kept",
    );
  }

  /**
   * Makes an empty file that nobody but the program's user can read.
   *
   * @returns The file, open for writing.
   * @throws {FastCgiError} `PERMISSION_MISSING` or `UPLOAD_FAILED`.
   */
  async create(): Promise<TemporaryFile> {
    let dir = this.#directory;
    // The system's own is not told to everybody: where it must be asked for,
    // it is named, so that what is asked for is what is used.
    if (dir === undefined && !isGranted("write")) dir = systemDirectory();
    if (dir !== undefined) demand("write", dir, dir);
    let path = "";
    try {
      path = await Deno.makeTempFile(
        dir === undefined ? { prefix: PREFIX } : { prefix: PREFIX, dir },
      );
      const writing = await Deno.open(path, { write: true });
      const file = new TemporaryFile(this, path, writing);
      this.#files.add(file);
      return file;
    } catch (error) {
      if (path !== "") await Deno.remove(path).catch(() => {});
      throw uploadFailed(error, dir ?? "the system's temporary directory");
    }
  }

  /** Removes all files but those that were moved. Never fails. */
  async remove(): Promise<void> {
    this.#isOver = true;
    for (const file of this.#files) {
      try {
        await file.remove();
      } catch (error) {
        // The application took it away by its path.
        if (error instanceof Deno.errors.NotFound) continue;
        this.#reporter.report(
          `Cannot remove the temporary file ${file.path}: ${messageOf(error)}`,
        );
      }
    }
    this.#files.clear();
  }
}

/** One file. */
export class TemporaryFile {
  readonly #files: TemporaryFiles;
  #writing: Deno.FsFile | null;
  readonly #readings = new Set<Deno.FsFile>();
  /** What is under way: the file is not removed amid it. */
  readonly #pending = new Set<Promise<unknown>>();
  #moving: Promise<unknown> = Promise.resolve();
  #isMoved = false;
  /** Where it is. */
  path: string;
  /** Its bytes so far. */
  size = 0;

  /**
   * Takes over a file that was made.
   *
   * @param files The files of its request.
   * @param path Where it is.
   * @param writing The file, open for writing.
   */
  constructor(files: TemporaryFiles, path: string, writing: Deno.FsFile) {
    this.#files = files;
    this.path = path;
    this.#writing = writing;
  }

  /**
   * Writes at its end.
   *
   * @param bytes The bytes.
   * @throws {FastCgiError} `UPLOAD_FAILED` where the system cannot.
   */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) {
        at += await this.#writing!.write(bytes.subarray(at));
      }
    } catch (error) {
      throw uploadFailed(error, this.path);
    }
    this.size += bytes.length;
  }

  /** All was written. */
  close(): void {
    this.#writing?.close();
    this.#writing = null;
  }

  /**
   * Its bytes, from the first.
   *
   * @returns The stream, which opens the file once it is read.
   */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let file: Deno.FsFile | null = null;
    const close = () => {
      if (file !== null && this.#readings.delete(file)) file.close();
    };
    return new ReadableStream({
      pull: async (controller) => {
        const buffer = new Uint8Array(READ_LENGTH);
        try {
          this.#files.check();
          file ??= await this.#follow(this.#open());
          const length = await this.#follow(file.read(buffer));
          if (length === null) {
            close();
            controller.close();
          } else controller.enqueue(buffer.subarray(0, length));
        } catch (error) {
          close();
          // Closed underneath, as the request has ended.
          this.#files.check();
          throw error;
        }
      },
      cancel: close,
    }, { highWaterMark: 0 });
  }

  async #open(): Promise<Deno.FsFile> {
    demand("read", this.path, folderOf(this.path));
    const file = await Deno.open(this.path);
    this.#readings.add(file);
    return file;
  }

  #follow<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work);
    const forget = () => this.#pending.delete(work);
    work.then(forget, forget);
    return work;
  }

  /**
   * Moves it, for good.
   *
   * @param to The path; what is there is replaced.
   */
  move(to: string): Promise<void> {
    const moving = this.#follow(this.#moving.then(() => this.#move(to)));
    // One that fails does not keep the next from being tried.
    this.#moving = moving.catch(() => {});
    return moving;
  }

  async #move(to: string): Promise<void> {
    this.#files.check();
    demand("read", this.path, folderOf(this.path));
    demand("write", this.path, folderOf(this.path));
    demand("write", to, folderOf(to));
    try {
      await Deno.rename(this.path, to);
    } catch (error) {
      if (!isOtherFileSystem(error)) throw error;
      await this.#copy(to);
    }
    this.path = to;
    this.#isMoved = true;
  }

  /** To another file system, where nobody sees it before it is whole. */
  async #copy(to: string): Promise<void> {
    const part = `${to}.${crypto.randomUUID()}.part`;
    try {
      await Deno.copyFile(this.path, part);
      await Deno.rename(part, to);
    } catch (error) {
      await Deno.remove(part).catch(() => {});
      throw error;
    }
    await Deno.remove(this.path);
  }

  /** Removes it, unless it was moved; a move that has begun ends first. */
  async remove(): Promise<void> {
    this.close();
    await Promise.allSettled(this.#pending);
    for (const file of this.#readings) file.close();
    this.#readings.clear();
    if (!this.#isMoved) await Deno.remove(this.path);
  }
}

function isOtherFileSystem(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EXDEV";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function uploadFailed(error: unknown, where: string): FastCgiError {
  return new FastCgiError(
    "UPLOAD_FAILED",
    `Cannot store an upload in ${where}: ${messageOf(error)}`,
    { cause: error },
  );
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || (path[0] === "/" ? "/" : ".");
}

/** Whether a permission is there, without asking for it. */
function isGranted(name: "read" | "write", path?: string): boolean {
  const descriptor = path === undefined ? { name } : { name, path };
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/**
 * Checks a permission without asking for it.
 *
 * @param name The permission.
 * @param path What it is wanted for.
 * @param folder What the flag is to be given.
 * @throws {FastCgiError} `PERMISSION_MISSING`, naming the flag.
 */
function demand(name: "read" | "write", path: string, folder: string): void {
  if (isGranted(name, path)) return;
  throw new FastCgiError(
    "PERMISSION_MISSING",
    `No permission to ${name} uploaded files in ${folder}: add --allow-${name}=${folder}`,
  );
}

/** Where the system has temporary files, as far as that may be known. */
function systemDirectory(): string {
  const { state } = Deno.permissions.querySync({
    name: "env",
    variable: "TMPDIR",
  });
  return state === "granted" && Deno.env.get("TMPDIR") || "/tmp";
}
