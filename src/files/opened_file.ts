// OpenedFile: a regular file that is open, and known to be where it should be.
//
// `node:fs` rather than `Deno.open`, which would wait for a writer where
// somebody has put a FIFO in the file's place. What a path leads to can change
// at any moment, so it is opened first and looked at then.

import type { Stats } from "node:fs";
import { FastCgiError, HttpError } from "../errors.ts";
import { isConfined, SETTLING_MS } from "./confinement.ts";
import { noSuchFile } from "./paths.ts";

const { closeSync, constants, fstatSync, open, read } = await import("node:fs");

/** How often a file is opened that is replaced at that very moment. */
const MOST_TRIES = 3;

/** What says that there is nothing to be had at a path. */
const NOTHING = new Set([
  "ENOENT", // Nothing.
  "ENOTDIR", // A file in place of a directory.
  "ELOOP", // Links in a circle.
  "ENAMETOOLONG",
  "EINVAL", // No name of the file system's.
  "ENXIO", // A socket, or a device that is not there.
  "EISDIR",
]);

/** A regular file that is open for reading. */
export class OpenedFile {
  readonly #descriptor: number;
  readonly #stats: Stats;
  /** The path it was opened by. */
  readonly path: string;

  private constructor(descriptor: number, stats: Stats, path: string) {
    this.#descriptor = descriptor;
    this.#stats = stats;
    this.path = path;
  }

  /**
   * Opens a file.
   *
   * @param path Its path.
   * @param root The directory it must be in, links resolved; null for any.
   * @returns The file, to be closed.
   * @throws {HttpError} 404 where there is none, 403 where the system does not
   * let it be read.
   * @throws {FastCgiError} `PERMISSION_MISSING` where the runtime does not.
   */
  static async open(path: string, root: string | null): Promise<OpenedFile> {
    if (path.includes("\0")) throw noSuchFile();
    if (root !== null) requirePermission(root);
    requirePermission(path);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const file = await OpenedFile.#open(path);
      try {
        if (!file.#stats.isFile()) throw noSuchFile();
        if (root === null) return file;
        if (await isConfined(path, root, file.#stats)) return file;
      } catch (error) {
        file.close();
        throw error instanceof HttpError ? error : translate(error);
      }
      file.close();
    }
    throw noSuchFile();
  }

  static async #open(path: string): Promise<OpenedFile> {
    const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
    const descriptor = await new Promise<number>((resolve, reject) =>
      open(path, flags, (error, descriptor) => {
        if (error === null) resolve(descriptor);
        else reject(translate(error));
      })
    );
    try {
      return new OpenedFile(descriptor, fstatSync(descriptor), path);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /** Its bytes, when it was opened. */
  get size(): number {
    return this.#stats.size;
  }

  /** When it last changed, in milliseconds. */
  get modified(): number {
    return this.#stats.mtimeMs;
  }

  /** Whether its time tells every change: not where one was just now. */
  get hasSettled(): boolean {
    return Date.now() - this.modified >= SETTLING_MS;
  }

  /** Whether it is as it was when it was opened. */
  get isUnchanged(): boolean {
    const { size, mtimeMs } = fstatSync(this.#descriptor);
    return size === this.size && mtimeMs === this.modified;
  }

  /**
   * Fills bytes with those of the file. It must not be closed meanwhile: the
   * descriptor may be another file's by then.
   *
   * @param bytes What to fill.
   * @param position Where in the file.
   * @returns Settles when they are full.
   * @throws {FastCgiError} `FILE_CHANGED` where the file has become shorter.
   */
  async fill(bytes: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const count = await new Promise<number>((resolve, reject) =>
        read(
          this.#descriptor,
          bytes,
          at,
          bytes.length - at,
          position + at,
          (error, count) => {
            if (error === null) resolve(count);
            else reject(error);
          },
        )
      );
      if (count === 0) throw this.changed();
      at += count;
    }
  }

  /** What is thrown where it is no longer what was begun. */
  changed(): FastCgiError {
    return new FastCgiError(
      "FILE_CHANGED",
      `Cannot send the whole of ${this.path}: it changed meanwhile`,
    );
  }

  /** Closes it. */
  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Refuses what the runtime would ask somebody at a terminal for. */
function requirePermission(path: string): void {
  const { state } = Deno.permissions.querySync({ name: "read", path });
  if (state === "granted") return;
  throw new FastCgiError(
    "PERMISSION_MISSING",
    `Cannot read ${path}: run with --allow-read=${path}`,
  );
}

/** The error of the system, as one that says what it means here. */
function translate(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  // It was permitted, so the path leads to what no permission but all of them
  // opens, such as a device.
  if (error.name === "NotCapable") return noSuchFile(error);
  const { code } = error as { code?: string };
  if (code === "EACCES" || code === "EPERM") {
    return new HttpError(403, "This file may not be read", { cause: error });
  }
  return code !== undefined && NOTHING.has(code) ? noSuchFile(error) : error;
}
