// What can be said of a socket before anybody connects to it: whether there is
// one, and who may.

import type { Findings } from "./findings.ts";

/** What a user needs to connect: to write the socket. */
const WRITE = 0o2;
/** What a user needs of each directory above. */
const SEARCH = 0o1;

/** A file, as far as its permissions go. */
interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A user, and the groups that user is in. */
interface User {
  readonly name: string;
  readonly uid: number;
  readonly gids: ReadonlySet<number>;
}

/**
 * Looks at the file of a Unix socket.
 *
 * @param path The path.
 * @param userName Who is to connect, null for nobody in particular.
 * @param findings Takes what is found.
 * @returns Whether it is worth connecting to.
 */
export async function checkSocketFile(
  path: string,
  userName: string | null,
  findings: Findings,
): Promise<boolean> {
  const absolute = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(absolute);
  } catch (error) {
    findings.problem(await whyNot(absolute, error));
    return false;
  }
  if (!info.isSocket) {
    findings.problem(
      `${path} is ${
        info.isDirectory
          ? "a directory"
          : info.isFile
          ? "a regular file"
          : "no socket"
      }, not a socket: look for the path in the line the program prints when it starts`,
    );
    return false;
  }
  const entry = entryOf(absolute, info);
  const names = await Names.read();
  findings.ok(`${path} is a socket; ${names.whoMayWrite(entry)}`);
  const above = await entriesAbove(absolute);
  if (userName !== null) {
    checkUser(userName, names, [...above, entry], findings);
  } else if ((entry.mode & WRITE) === 0 && (entry.mode & WRITE << 3) === 0) {
    findings.warning(
      `Nobody but ${
        names.user(entry.uid)
      } may connect to ${path}, and web servers run as another user, such as www-data: start the program with --mode 0660 and as a group that the web server is in, and name the web server's user with --user to have this checked`,
    );
  }
  return true;
}

/** Why a path cannot be looked at. */
async function whyNot(path: string, error: unknown): Promise<string> {
  const above = await existingAbove(path);
  if (error instanceof Deno.errors.NotFound) {
    const folder = path.replace(/\/[^/]*$/, "") || "/";
    return above === folder
      ? `There is no ${path}: the program does not run, or listens elsewhere. Start it, or look for the path in the line it prints`
      : `There is no ${path}, for there is not even the directory ${folder}: make it, or look for the path in the line the program prints`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `This user may not look at ${path}: ${above} lets in others. Run the check as the web server's user`;
  }
  const why = error instanceof Error ? error.message : String(error);
  return `${path} cannot be looked at: ${why}`;
}

/** The deepest directory on the way to a path that there is. */
async function existingAbove(path: string): Promise<string> {
  for (let at = path;;) {
    at = at.replace(/\/[^/]*$/, "");
    if (at === "") return "/";
    try {
      await Deno.stat(at);
      return at;
    } catch {
      // Further up.
    }
  }
}

function entryOf(path: string, info: Deno.FileInfo): Entry {
  return {
    path,
    mode: (info.mode ?? 0o777) & 0o777,
    uid: info.uid ?? 0,
    gid: info.gid ?? 0,
  };
}

/** The directories above a path, from the root on. */
async function entriesAbove(path: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  const parts = (await Deno.realPath(path)).split("/").slice(1, -1);
  for (let count = 0; count <= parts.length; count++) {
    const folder = `/${parts.slice(0, count).join("/")}`;
    entries.push(entryOf(folder, await Deno.stat(folder)));
  }
  return entries;
}

function checkUser(
  name: string,
  names: Names,
  entries: readonly Entry[],
  findings: Findings,
): void {
  const user = names.find(name);
  if (user === null) {
    findings.problem(
      `There is no user ${name} on this machine: look at what the web server's configuration says of its user`,
    );
    return;
  }
  const socket = entries.at(-1)!;
  for (const entry of entries) {
    const isSocket = entry === socket;
    if (user.uid === 0 || mayUse(user, entry, isSocket ? WRITE : SEARCH)) {
      continue;
    }
    findings.problem(
      isSocket
        ? `${name} may not connect to ${entry.path} (${
          names.describe(entry)
        }): start the program with --mode 0660 and as a group that ${name} is in`
        : `${name} may not enter ${entry.path} (${
          names.describe(entry)
        }), and so not reach the socket: chmod o+x ${entry.path}, or put the socket elsewhere`,
    );
    return;
  }
  findings.ok(`${name} may connect to it`);
}

function mayUse(user: User, entry: Entry, right: number): boolean {
  const shift = user.uid === entry.uid ? 6 : user.gids.has(entry.gid) ? 3 : 0;
  return (entry.mode >> shift & right) !== 0;
}

/** The users and groups of the machine, as far as its files tell them. */
class Names {
  readonly #users: readonly (readonly string[])[];
  readonly #groups: readonly (readonly string[])[];

  private constructor(users: string, groups: string) {
    const rows = (text: string) =>
      text.split("\n").map((line) => line.split(":"));
    this.#users = rows(users);
    this.#groups = rows(groups);
  }

  static async read(): Promise<Names> {
    const read = (path: string) => Deno.readTextFile(path).catch(() => "");
    return new Names(await read("/etc/passwd"), await read("/etc/group"));
  }

  user(uid: number): string {
    return this.#users.find((row) => row[2] === String(uid))?.[0] ??
      `user ${uid}`;
  }

  #group(gid: number): string {
    return this.#groups.find((row) => row[2] === String(gid))?.[0] ??
      String(gid);
  }

  find(name: string): User | null {
    const row = this.#users.find((row) => row[0] === name);
    if (row === undefined) return null;
    const gids = this.#groups
      .filter((group) => group[3]?.split(",").includes(name))
      .map((group) => Number(group[2]));
    return {
      name,
      uid: Number(row[2]),
      gids: new Set([Number(row[3]), ...gids]),
    };
  }

  describe({ gid, mode, uid }: Entry): string {
    return `mode ${mode.toString(8).padStart(4, "0")} of ${
      this.user(uid)
    } and the group ${this.#group(gid)}`;
  }

  whoMayWrite(entry: Entry): string {
    const { gid, mode, uid } = entry;
    if ((mode & WRITE) !== 0) return "everybody may connect";
    const who = [
      ...(mode & WRITE << 6) === 0 ? [] : [this.user(uid)],
      ...(mode & WRITE << 3) === 0 ? [] : [`the group ${this.#group(gid)}`],
    ];
    return who.length === 0
      ? "nobody may connect"
      : `${who.join(" and ")} may connect`;
  }
}
