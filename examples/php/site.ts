// What a URL of the example stands for: a script of PHP, a static file, or
// nothing. PHP executes whatever SCRIPT_FILENAME names, so that the rules are
// these:
//
// - A script is a regular file whose name ends in `.php`, found below the root
//   by its real path, so that neither `..` nor a symbolic link leads out of it.
//   What follows it in the path is PATH_INFO.
// - Below `uploads`, and where a link leads there, nothing is executed, and no
//   source is shown.
// - Names that begin with a dot, and the other names that PHP may have, are not
//   there at all.
// - What no file answers for goes to `/index.php`.

import { FastCgiError } from "@smisk/smisk/client";
import type { FastCGIClient } from "@smisk/smisk/client";
import { sendStatic } from "./static.ts";

/** How a site is served. */
export interface PhpSiteOptions {
  /** The client of PHP-FPM. */
  readonly php: FastCGIClient;
  /** The folder that is served. */
  readonly root: string;
  /** Paths below which nothing is executed, such as `/uploads/`. */
  readonly uploads: readonly string[];
}

/** What a path stands for. */
type Found =
  | { readonly script: string; readonly name: string; readonly info: string }
  | { readonly file: string; readonly isUpload: boolean }
  | { readonly folder: string }
  | null;

/** Bodies without a Content-Length that are held for PHP to learn theirs. */
const BUFFER_BYTES = 8 * 1024 * 1024;

/** Methods that are handed on. */
const METHODS: ReadonlySet<string> = new Set(
  ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
);

/** Names of sources that PHP, or a web server, may be set up to execute. */
const SOURCE = /\.(?:ph(?:p\d?|ps|tml?|ar)|inc|cgi|pl|py|sh)(?:~|\.\w+)?$/i;

/**
 * Makes the handler for `Deno.serve`.
 *
 * @param options What is served.
 * @returns The handler.
 */
export async function phpSite(
  { php, root, uploads }: PhpSiteOptions,
): Promise<
  (
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ) => Promise<Response>
> {
  const site = new Site(await Deno.realPath(root), uploads);
  return async (request, { remoteAddr }) => {
    const coding = request.headers.get("transfer-encoding") ?? "chunked";
    if (
      !METHODS.has(request.method) || coding.trim().toLowerCase() !== "chunked"
    ) return text(501, "Not implemented");
    const url = URL.parse(request.url);
    const path = url === null ? null : pathOf(url);
    if (path === null) return text(400, "Bad request");
    const found = await site.find(path);
    if (found === null) return text(404, "Not found");
    if ("folder" in found) {
      // Made of its parts: `//other.example` would lead elsewhere.
      const location = found.folder + url!.search;
      return new Response(null, { status: 301, headers: { location } });
    }
    if ("file" in found) return await sendStatic(request, found);
    try {
      return await php.fetch(request, {
        DOCUMENT_ROOT: site.root,
        SCRIPT_FILENAME: found.script,
        SCRIPT_NAME: found.name,
        PATH_INFO: found.info === "" ? null : found.info,
        REDIRECT_STATUS: "200",
        REMOTE_ADDR: remoteAddr.hostname,
        REMOTE_PORT: String(remoteAddr.port),
      }, { bufferBytes: BUFFER_BYTES, needsLength: true });
    } catch (error) {
      if (request.signal.aborted) return new Response(null, { status: 502 });
      console.error(`${request.method} ${request.url}: ${error}`);
      const status = error instanceof FastCgiError ? error.status : 502;
      return text(status, "PHP did not answer");
    }
  };
}

function text(status: number, message: string): Response {
  return new Response(`${message}\n`, { status });
}

/** The parts of a path, decoded; null where it is none. */
function pathOf(url: URL): string[] | null {
  // A slash that is escaped would be one to the file system alone.
  if (/%2f|%5c|%00/i.test(url.pathname)) return null;
  try {
    const parts = decodeURIComponent(url.pathname).split("/").slice(1);
    // The last is empty where the path ends with a slash.
    const last = parts.pop()!;
    return [...parts.filter((part) => part !== ""), last];
  } catch {
    return null;
  }
}

/** The files below a root. */
class Site {
  readonly root: string;
  readonly #uploads: readonly string[];

  constructor(root: string, uploads: readonly string[]) {
    this.root = root;
    this.#uploads = uploads;
  }

  async find(parts: readonly string[]): Promise<Found> {
    if (parts.some((part) => part.startsWith(".") || part.includes("\\"))) {
      return null;
    }
    const path = `/${parts.join("/")}`;
    for (let i = 0; i < parts.length; i++) {
      if (!parts[i]!.endsWith(".php")) continue;
      const name = `/${parts.slice(0, i + 1).join("/")}`;
      const real = await this.#real(name, "isFile");
      if (real === null) continue;
      if (this.#isUpload(name) || this.#isUpload(real)) return null;
      const info = parts.slice(i + 1).map((part) => `/${part}`).join("");
      return { script: this.root + real, name, info };
    }
    const isFolder = path.endsWith("/");
    const folder = await this.#real(path, "isDirectory");
    if (folder !== null && !isFolder) {
      return { folder: `/${parts.map(encodeURIComponent).join("/")}/` };
    }
    if (folder !== null) {
      const index = await this.find([...parts.slice(0, -1), "index.html"]);
      if (index !== null && "file" in index) return index;
      const script = `${path}index.php`;
      const real = await this.#real(script, "isFile");
      if (real !== null && !this.#isUpload(script) && !this.#isUpload(real)) {
        return { script: this.root + real, name: script, info: "" };
      }
    }
    const real = isFolder ? null : await this.#real(path, "isFile");
    const isUpload = this.#isUpload(path) ||
      real !== null && this.#isUpload(real);
    if (real !== null && !SOURCE.test(path) && !SOURCE.test(real)) {
      return { file: this.root + real, isUpload };
    }
    if (real !== null || isUpload) return null;
    const front = await this.#real("/index.php", "isFile");
    return front === null || this.#isUpload(front)
      ? null
      : { script: this.root + front, name: "/index.php", info: "" };
  }

  /** The path below the root that a path really has; null where it has none. */
  async #real(
    path: string,
    kind: "isFile" | "isDirectory",
  ): Promise<string | null> {
    try {
      const real = await Deno.realPath(this.root + path);
      if (!`${real}/`.startsWith(`${this.root}/`)) return null;
      return (await Deno.stat(real))[kind]
        ? real.slice(this.root.length)
        : null;
    } catch {
      // It is not there, a part of it is no folder, or it may not be read.
      return null;
    }
  }

  #isUpload(path: string): boolean {
    return this.#uploads.some((folder) => `${path}/`.startsWith(folder));
  }
}
