// Confinement: whether a file that was opened is below a directory. A path can
// be looked at only step by step, while somebody who may write there swaps
// directories for links: compared once with what was opened, one of eight tries
// let him out. What follows is proof where nothing was changed of late, and
// elsewhere as good as proof.

import { noSuchFile, restBelow } from "./paths.ts";

/**
 * Milliseconds after which a change of a file or directory has surely got
 * another time than the one before: some file systems keep two seconds, and
 * those of other machines have clocks of their own.
 */
export const SETTLING_MS = 2000;

/** Looks at a path that is being changed: each leaves half of the luck. */
const LOOKS = 40;

/** What tells a file from all others. */
export interface Identity {
  /** The number of its device. */
  readonly dev: number;
  /** Its number there. */
  readonly ino: number | null;
}

/**
 * Makes sure that a file that was opened is below a directory.
 *
 * @param path The path it was opened by.
 * @param root The directory, which is trusted, as all that it is in.
 * @param opened What was opened.
 * @returns False where the path leads to another file by now.
 * @throws {HttpError} 404 where the path leads out of the directory.
 */
export async function isConfined(
  path: string,
  root: string,
  opened: Identity,
): Promise<boolean> {
  const [realRoot, realPath] = await Promise.all([
    Deno.realPath(root),
    Deno.realPath(path),
  ]);
  const rest = restBelow(realRoot, realPath);
  if (rest === null) throw noSuchFile();
  // In one turn, which is short: all of it has just been looked up.
  const now = Date.now();
  const below = `${root}/${rest}`;
  if (!isSame(Deno.lstatSync(below), opened)) return false;
  if (isStill(root, rest, now - SETTLING_MS)) return true;
  return holdsOut(path, realRoot, opened);
}

function isSame(found: Identity, { dev, ino }: Identity): boolean {
  return found.dev === dev && found.ino === ino;
}

/**
 * Whether no directory on the way to a file has been changed since a time: then
 * the look before was at what is there. From the innermost to the root, for what
 * a directory says is true as long as those around it are seen unchanged later.
 */
function isStill(root: string, rest: string, since: number): boolean {
  const names = rest.split("/");
  for (let depth = names.length - 1; depth >= 0; depth--) {
    const directory = [root, ...names.slice(0, depth)].join("/");
    const { isDirectory, ctime } = depth === 0
      ? Deno.statSync(directory)
      : Deno.lstatSync(directory);
    if (!isDirectory || ctime === null || ctime.getTime() > since) return false;
  }
  return true;
}

/**
 * Whether a path leads into a directory, and to the file that was opened,
 * whichever of both is asked. Who swaps links would have to guess each time
 * which it is.
 */
function holdsOut(path: string, realRoot: string, opened: Identity): boolean {
  for (const random of crypto.getRandomValues(new Uint8Array(LOOKS))) {
    if (random < 128) {
      if (restBelow(realRoot, Deno.realPathSync(path)) === null) {
        throw noSuchFile();
      }
    } else if (!isSame(Deno.statSync(path), opened)) return false;
  }
  return true;
}
