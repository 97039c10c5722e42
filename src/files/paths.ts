// The path of a file that is asked for: one that a program names, or one below
// a root, which a client may name.

import { HttpError } from "../errors.ts";

const { fileURLToPath } = await import("node:url");

/**
 * What a client is told of a file that there is none of, whatever the reason:
 * where paths lead is not its business.
 *
 * @param cause The reason.
 * @returns The error.
 */
export function noSuchFile(cause?: unknown): HttpError {
  return new HttpError(404, "There is no such file", { cause });
}

/**
 * The path of a directory or file that a program names.
 *
 * @param path A path, or a `file:` URL.
 * @returns The path.
 * @throws {TypeError} Where it is a URL of another kind.
 */
export function pathOf(path: string | URL): string {
  if (typeof path === "string") return path;
  if (path.protocol === "file:") return fileURLToPath(path);
  throw new TypeError(
    `Cannot send "${path.href}" without a root: the option root says which directory it is below`,
  );
}

/**
 * The path of a file below a root. That it leads nowhere else is seen by its
 * text alone: links are another matter.
 *
 * @param root The directory.
 * @param path The path below it; of a URL its path, decoded.
 * @param dotFiles Whether names may begin with a dot.
 * @returns The path.
 * @throws {HttpError} 404 where it leads out of the root, or names what is not
 * shown.
 */
export function pathBelow(
  root: string,
  path: string | URL,
  dotFiles: boolean,
): string {
  const names = typeof path === "string"
    ? path.split("/")
    : path.pathname.split("/").map(decode);
  // What ends with a slash asks for a directory.
  if (names.at(-1) === "" || names.at(-1) === ".") throw noSuchFile();
  const below: string[] = [];
  for (const name of names) {
    if (name === "" || name === ".") continue;
    if (name === ".." || /[/\\\0]/.test(name)) throw noSuchFile();
    if (name.startsWith(".") && !dotFiles && name !== ".well-known") {
      throw noSuchFile();
    }
    below.push(name);
  }
  if (below.length === 0) throw noSuchFile();
  return `${root.replace(/(?<=.)\/+$/, "")}/${below.join("/")}`;
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw noSuchFile();
  }
}

/**
 * Where a path is below a directory, both as they really are.
 *
 * @param directory The directory's real path.
 * @param path The file's.
 * @returns The rest of the path, null where it is elsewhere.
 */
export function restBelow(directory: string, path: string): string | null {
  const prefix = directory.endsWith("/") ? directory : `${directory}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : null;
}
