// A folder of files to be sent, and what asks for them.

import type { SendFileOptions } from "../../mod.ts";
import { ask } from "../support/ask.ts";
import type { Asked } from "../support/ask.ts";
import { randomBytes, seeded } from "../support/random.ts";
import type { RunningOptions } from "../support/running.ts";

/** A time that no file system takes for now. */
export const LONG_AGO = new Date("2024-03-01T12:34:56.000Z");

/** What `Last-Modified` says of it. */
export const LONG_AGO_TEXT = "Fri, 01 Mar 2024 12:34:56 GMT";

/** A folder that is removed with all that is in it. */
export class Files implements Disposable {
  /** Its path, links resolved. */
  readonly path: string = Deno.realPathSync(Deno.makeTempDirSync());

  /** Writes a file, and the folders it is in; gives its path. */
  write(
    name: string,
    content: string | Uint8Array,
    modified: Date = LONG_AGO,
  ): string {
    const path = `${this.path}/${name}`;
    Deno.mkdirSync(path.replace(/\/[^/]*$/, ""), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    Deno.utimeSync(path, modified, modified);
    return path;
  }

  /** The descriptors of this process that are open on something in it. */
  get open(): string[] {
    const found: string[] = [];
    for (const { name } of Deno.readDirSync("/proc/self/fd")) {
      try {
        const target = Deno.readLinkSync(`/proc/self/fd/${name}`);
        if (target.startsWith(this.path)) found.push(target);
      } catch {
        // It was closed meanwhile.
      }
    }
    return found;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Bytes of which no two parts are alike. */
export function noise(length: number): Uint8Array<ArrayBuffer> {
  return randomBytes(seeded(length), length);
}

/** A request for a file. */
export interface FileQuestion extends RunningOptions {
  /** Parameters, such as HTTP_RANGE. */
  params?: Record<string, string>;
  /** What `sendFile()` is given. */
  send?: SendFileOptions;
}

/** Asks a service that sends one file. */
export function askFile(
  path: string | URL,
  { params = {}, send, ...options }: FileQuestion = {},
): Promise<Asked> {
  return ask(
    (_, response) => response.sendFile(path, send),
    { params },
    options,
  );
}
