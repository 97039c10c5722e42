// Handing a file over: the header that has a web server send it in this
// program's place, where the application says that it may.
//
// What each server makes of the header was seen with nginx 1.22, lighttpd 1.4,
// Apache 2.4 with mod_xsendfile 0.12, Caddy 2.6 and H2O 2.2; see
// tests/files/hand_over_live_test.ts.

import type { HandOver } from "../options.ts";
import { restBelow } from "./paths.ts";

/** A header that has the file sent. */
export interface HandOverHeader {
  /** Its name. */
  readonly name: string;
  /** Its value. */
  readonly value: string;
  /**
   * Whether the server takes validators from the response: mod_xsendfile would
   * otherwise send the entity tag "0" with whatever file.
   */
  readonly takesValidators: boolean;
}

/** What a web server does with a file it is handed. */
interface Habits {
  /** What its SERVER_SOFTWARE begins with. */
  readonly software: RegExp;
  /** The header that it looks for. */
  readonly header: string;
  /** Whether it keeps a header of the response. */
  keeps(name: string): boolean;
  /** The rest of a path as it takes it, null where it does not. */
  write(rest: string): string | null;
  /** Whether it keeps ETag and Last-Modified. */
  readonly takesValidators: boolean;
  /** Whether it sends what belongs to HEAD, and no file. */
  readonly knowsHead: boolean;
}

const KEPT_BY_NGINX = new Set([
  "accept-ranges",
  "cache-control",
  "content-disposition",
  "content-type",
  "expires",
  "set-cookie",
  "x-accel-buffering",
  "x-accel-limit-rate",
]);

const HABITS: Readonly<Record<string, Habits>> = {
  nginx: {
    software: /^(?:nginx|openresty)\b/i,
    header: "x-accel-redirect",
    keeps: (name) => KEPT_BY_NGINX.has(name),
    write: escapePath,
    takesValidators: false,
    knowsHead: true,
  },
  lighttpd: {
    software: /^lighttpd\b/i,
    header: "x-sendfile",
    keeps: (name) => name !== "content-encoding",
    write: escapePath,
    takesValidators: true,
    knowsHead: true,
  },
  apache: {
    software: /^apache\b/i,
    header: "x-sendfile",
    keeps: (name) => name !== "content-encoding",
    // Version 0.12 takes the bytes as they are, later ones decode them.
    write: (rest) =>
      // deno-lint-ignore no-control-regex
      /[\x00-\x1f\x7f%]|\s$/.test(rest) ? null : bytesOf(rest),
    takesValidators: true,
    knowsHead: true,
  },
  caddy: {
    software: /^caddy\b/i,
    header: "x-accel-redirect",
    keeps: (name) => !/^(?:content-encoding|etag|last-modified)$/.test(name),
    // Its rewriting takes some of what escapes are made of for its own.
    write: (rest) => /^[\w.~/-]+$/.test(rest) ? rest : null,
    takesValidators: false,
    knowsHead: true,
  },
  h2o: {
    software: /^h2o\b/i,
    header: "x-reproxy-url",
    keeps: () => false,
    write: escapePath,
    takesValidators: false,
    // It asks itself with GET, and the file follows where nobody awaits it.
    knowsHead: false,
  },
};

function escapePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** UTF-8, a character per byte, as headers are written. */
function bytesOf(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** What is to be handed over. */
export interface HandOverFile {
  /** Its path. */
  readonly path: string;
  /** Whether the method is HEAD. */
  readonly isHead: boolean;
  /** The names of the headers that the response must have. */
  readonly headers: readonly string[];
  /** Whether the media type is what the server would say by itself. */
  readonly isTypeOwn: boolean;
}

/**
 * Looks for a header that has a web server send a file just as this program
 * would.
 *
 * @param software SERVER_SOFTWARE.
 * @param handOver What the application permits.
 * @param file The file.
 * @returns The header, null where there is none.
 */
export async function handOverHeader(
  software: string,
  handOver: HandOver,
  { path, isHead, headers, isTypeOwn }: HandOverFile,
): Promise<HandOverHeader | null> {
  for (const [server, places] of handOver) {
    const habits = HABITS[server]!;
    if (!habits.software.test(software)) continue;
    if (isHead && !habits.knowsHead) return null;
    for (const name of headers) {
      if (name === "content-type" && isTypeOwn) continue;
      if (!habits.keeps(name)) return null;
    }
    const realPath = await Deno.realPath(path);
    const found = await findPlace(realPath, places);
    if (found === null) return null;
    // Without a place of its own the file is known by its path.
    const [place, rest] = found[0] === "" ? ["", realPath.slice(1)] : found;
    const written = habits.write(rest);
    if (written === null) return null;
    return {
      name: habits.header,
      value: `${place.replace(/\/$/, "")}/${written}`,
      takesValidators: habits.takesValidators,
    };
  }
  return null;
}

/** The innermost directory that has a file: its place, and the rest. */
async function findPlace(
  path: string,
  places: readonly (readonly [directory: string, place: string])[],
): Promise<[place: string, rest: string] | null> {
  let found: [string, string] | null = null;
  for (const [directory, place] of places) {
    const real = await realPathOf(directory);
    const rest = real === null ? null : restBelow(real, path);
    if (rest === null || found !== null && rest.length >= found[1].length) {
      continue;
    }
    found = [place, rest];
  }
  return found;
}

/** Null for a directory that is not there, or not permitted to be looked at. */
async function realPathOf(directory: string): Promise<string | null> {
  const { state } = Deno.permissions.querySync({
    name: "read",
    path: directory,
  });
  if (state !== "granted") return null;
  try {
    return await Deno.realPath(directory);
  } catch {
    return null;
  }
}
