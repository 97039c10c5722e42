// Form: what a request's form holds, as an application sees it.

import type { TemporaryFile } from "./temporary_files.ts";

/** A form that was sent: its fields, and the files that came with it. */
export interface Form {
  /** The fields, in order; a name may be there many times. */
  readonly fields: URLSearchParams;
  /** The files, in order; none of an urlencoded form. */
  readonly files: UploadedFiles;
}

/** How a form is read: a directory, and limits in place of the application's. */
export interface FormOptions {
  /**
   * Where files are stored until the request ends. On the file system of the
   * place they are moved to, moving copies nothing.
   *
   * @default The system's directory for temporary files (`TMPDIR`).
   */
  directory?: string;
  /** In place of the application's `maxFormBytes`. */
  maxFormBytes?: number;
  /** In place of the application's `maxUploadBytes`. */
  maxUploadBytes?: number;
  /** In place of the application's `maxFormParts`. */
  maxFormParts?: number;
}

/**
 * The files of a form. A file input in which nothing was chosen has none.
 *
 * @example Keep what was uploaded
 * ```ts
 * import { Application } from "@smisk/smisk";
 *
 * class MyApp extends Application {
 *   override async service() {
 *     const { files } = await this.request.form();
 *     for (const [field, file] of files) {
 *       await file.move(`/srv/uploads/${crypto.randomUUID()}`);
 *       this.response.write(`${field}: ${file.size} bytes\n`);
 *     }
 *   }
 * }
 * new MyApp();
 * ```
 */
export class UploadedFiles implements Iterable<[string, UploadedFile]> {
  readonly #entries: readonly (readonly [string, UploadedFile])[];

  /** @ignore */
  constructor(entries: readonly (readonly [string, UploadedFile])[]) {
    this.#entries = entries;
  }

  /** How many there are. */
  get size(): number {
    return this.#entries.length;
  }

  /**
   * The first file of a field.
   *
   * @param field The field's name.
   * @returns The file, null where there is none.
   */
  get(field: string): UploadedFile | null {
    return this.getAll(field)[0] ?? null;
  }

  /**
   * All files of a field.
   *
   * @param field The field's name.
   * @returns The files, in order.
   */
  getAll(field: string): UploadedFile[] {
    return this.#entries.filter(([name]) => name === field)
      .map(([, file]) => file);
  }

  /** Each file with its field's name, in order. */
  *[Symbol.iterator](): Generator<[string, UploadedFile], void, undefined> {
    for (const [name, file] of this.#entries) yield [name, file];
  }
}

/**
 * A file that was uploaded. It is stored under a name of its own, readable by
 * the program's user alone, and removed when the request ends, however it
 * ends, unless it was moved.
 */
export class UploadedFile {
  readonly #file: TemporaryFile;
  /**
   * The name that the client gave it, as it was sent: perhaps empty, or
   * `../../etc/passwd`. It is there to be shown and stored as text, and must
   * be part of no path.
   */
  readonly name: string;
  /**
   * The media type that the client claims, `application/octet-stream` where
   * it claims none. Nothing has checked it.
   */
  readonly type: string;

  /** @ignore */
  constructor(name: string, type: string, file: TemporaryFile) {
    this.name = name;
    this.type = type;
    this.#file = file;
  }

  /** Its length in bytes. */
  get size(): number {
    return this.#file.size;
  }

  /** Where it is: a temporary file, or what it was moved to. */
  get path(): string {
    return this.#file.path;
  }

  /**
   * Its bytes, from the first, as often as wanted until the request ends.
   *
   * @returns The stream. Reading it fails with a `TypeError` once the request
   * has ended, or with the reason of `request.signal`; and with a
   * {@linkcode FastCgiError} `PERMISSION_MISSING` without `--allow-read`.
   */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#file.stream();
  }

  /**
   * Keeps it: moves it to a path, whole or not at all. What is there is
   * replaced. On another file system it is copied, and only the program's user
   * can read it (mode 0600), as before.
   *
   * @param to The path, or a `file:` URL; never made of
   * {@linkcode UploadedFile.name}.
   * @throws {TypeError} Once the request has ended; with the reason of
   * `request.signal` where it was given up.
   * @throws {FastCgiError} `PERMISSION_MISSING` without `--allow-read` and
   * `--allow-write` for both places.
   * @throws {Error} What the system says, such as `Deno.errors.NotFound` where
   * there is no such directory. The file is where it was.
   */
  async move(to: string | URL): Promise<void> {
    if (typeof to !== "string") {
      const { fileURLToPath } = await import("node:url");
      to = fileURLToPath(to);
    }
    await this.#file.move(to);
  }
}
