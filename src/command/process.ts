// What of the process itself a command line asks for: where it is, what it lets
// others do with its files, and where its number is kept.

import { StartError } from "../errors.ts";
import {
  permissionFor,
  permissionsToListen,
  requirePermissions,
} from "../server/address.ts";
import { isOutput } from "../observe/access_log.ts";
import type { Need } from "../server/address.ts";
import type { ListenOptions } from "../server/listen_options.ts";

/** What a command line asks for. */
export interface ProcessPlan {
  /** Where to listen. */
  readonly bind: readonly ListenOptions[];
  /** Where to listen for HTTP, null for nowhere. */
  readonly http: ListenOptions | null;
  /** Where to go, null for nowhere else. */
  readonly chdir: string | null;
  /** The umask, null for the one there is. */
  readonly umask: number | null;
  /** The file for the process id, null for none. */
  readonly pidfile: string | null;
  /** Where logs go. */
  readonly observe: { readonly accessLog?: string };
}

/** What a program does with its process while it serves. */
export interface OwnProcess {
  /** It listens. */
  begin(): void;
  /** It has stopped. */
  end(): void;
}

/**
 * Does what comes before all else.
 *
 * @param plan What is asked for.
 * @returns What is to be done later.
 * @throws {StartError} `PERMISSION_MISSING`, or `CANNOT_START` where the system
 * refuses.
 */
export function prepare(plan: ProcessPlan): OwnProcess {
  const { chdir, umask, pidfile } = plan;
  requirePermissions(needsOf(plan));
  if (chdir !== null) attempt(`go to ${chdir}`, () => Deno.chdir(chdir));
  if (umask !== null) attempt("set the umask", () => Deno.umask(umask));
  return pidfile === null ? { begin() {}, end() {} } : new PidFile(pidfile);
}

/**
 * What a command line needs to be permitted.
 *
 * @param plan What is asked for.
 * @returns All of it, to be told at once.
 */
export function needsOf(plan: ProcessPlan): Need[] {
  const { bind, http, chdir, umask, pidfile, observe: { accessLog } } = plan;
  const needs: Need[] = [];
  if (chdir !== null) {
    needs.push(permissionFor("read", chdir, `go to ${chdir}`));
  }
  if (umask !== null) {
    const descriptor = { name: "sys" } as const;
    needs.push({ descriptor, what: "set the umask", value: null });
  }
  // A path of a flag begins where the program was started.
  const seen = (path: string) =>
    chdir === null || path.startsWith("/")
      ? path
      : `${chdir.replace(/\/$/, "")}/${path}`;
  for (const address of http === null ? bind : [...bind, http]) {
    needs.push(...permissionsToListen(
      "path" in address ? { ...address, path: seen(address.path) } : address,
    ));
  }
  if (pidfile !== null) {
    const path = seen(pidfile);
    const what = `keep the process id in ${path}`;
    needs.push(permissionFor("read", path, what));
    needs.push(permissionFor("write", path, what));
  }
  if (accessLog !== undefined && !isOutput(accessLog)) {
    const path = seen(accessLog);
    needs.push(permissionFor("write", path, `write the log ${path}`));
  }
  return needs;
}

/** A file that holds the process id, as supervisors read it. */
class PidFile implements OwnProcess {
  readonly #path: string;
  readonly #text = `${Deno.pid}\n`;

  constructor(path: string) {
    this.#path = path;
  }

  /** Only now: what is there is old, or else the address were in use. */
  begin(): void {
    attempt(
      `write the process id to ${this.#path}`,
      () => Deno.writeTextFileSync(this.#path, this.#text),
    );
  }

  end(): void {
    try {
      // A successor may have written its own meanwhile.
      const text = Deno.readTextFileSync(this.#path);
      if (text === this.#text) Deno.removeSync(this.#path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      console.error(
        `smisk: Cannot remove ${this.#path}: ${(error as Error).message}`,
      );
    }
  }
}

function attempt(what: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new StartError(
      "CANNOT_START",
      `Cannot ${what}: ${error instanceof Error ? error.message : error}`,
      { cause: error },
    );
  }
}
