// Asking with a form: one request on the wire, and what its service saw of it
// and left on disk.

import type { Form, FormOptions } from "../../mod.ts";
import { ask, latin1 } from "../support/ask.ts";
import type { Asked } from "../support/ask.ts";
import type { RunningOptions } from "../support/running.ts";

/** A form as a service saw it. */
export interface SeenForm {
  fields: [name: string, value: string][];
  /** The content is a character per byte. */
  files: [field: string, name: string, type: string, content: string][];
}

/** What came of a request with a form. */
export interface AskedForm extends Asked {
  /** The form, null where it could not be read. */
  form: SeenForm | null;
  /** What reading it failed with, null where it did not. */
  error: unknown;
  /** Files there were as soon as it had failed. */
  stored: string[];
  /** Files there were after the request. */
  left: string[];
}

/** A request with a form, and how its application is set up. */
export interface FormQuestion extends RunningOptions {
  /** The Content-Type; that of `parts()` by default, null for none. */
  type?: string | null;
  /** Other parameters. */
  params?: Record<string, string>;
  /** What `form()` is given besides a directory. */
  form?: FormOptions;
}

/** The Content-Type of what `parts()` makes. */
export const MULTIPART = "multipart/form-data; boundary=b";
/** That of the other kind of form. */
export const URLENCODED = "application/x-www-form-urlencoded";

/**
 * The bytes of a multipart form with the boundary `b`.
 *
 * @param all The parts, header and content with an empty line between; a
 * character per byte, and `\n` for a line end in the header.
 */
export function parts(...all: string[]): Uint8Array<ArrayBuffer> {
  const text = all.map((part) => {
    const end = part.indexOf("\n\n");
    const head = part.slice(0, end).replaceAll("\n", "\r\n");
    return `--b\r\n${head}\r\n\r\n${part.slice(end + 2)}\r\n`;
  });
  return latin1(`${text.join("")}--b--\r\n`);
}

/** A part that is a field. */
export function field(name: string, value: string): string {
  return `Content-Disposition: form-data; name="${name}"\n\n${value}`;
}

/** A part that is a file. */
export function file(
  name: string,
  filename: string,
  content: string,
  type = "text/plain",
): string {
  return `Content-Disposition: form-data; name="${name}"; filename="${filename}"\n` +
    `Content-Type: ${type}\n\n${content}`;
}

/** Reads a form whole, its files included. */
export async function seen({ fields, files }: Form): Promise<SeenForm> {
  const all: SeenForm = { fields: [...fields], files: [] };
  for (const [name, file] of files) {
    let content = "";
    for await (const chunk of file.stream()) {
      for (const byte of chunk) content += String.fromCharCode(byte);
    }
    all.files.push([name, file.name, file.type, content]);
  }
  return all;
}

/** The names of the files in a folder. */
export function namesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name);
}

/** A folder of a test's own. */
export class Folder implements AsyncDisposable {
  readonly path: string = Deno.makeTempDirSync();

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Sends a form to a service that reads it. */
export async function askForm(
  body: string | Uint8Array,
  { type = MULTIPART, params = {}, form: options = {}, ...running }:
    FormQuestion = {},
): Promise<AskedForm> {
  await using folder = new Folder();
  const { path } = folder;
  let form: SeenForm | null = null;
  let error: unknown = null;
  let stored: string[] = [];
  const asked = await ask(
    async (request) => {
      try {
        form = await seen(await request.form({ directory: path, ...options }));
      } catch (thrown) {
        error = thrown;
        stored = namesIn(path);
        throw thrown;
      }
    },
    {
      body: typeof body === "string" ? latin1(body) : body,
      params: type === null ? params : { CONTENT_TYPE: type, ...params },
    },
    running,
  );
  return { ...asked, form, error, stored, left: namesIn(path) };
}
