// Listening on a Unix socket: the file that another run left behind, the one
// that is in use, its permissions and its owner.

import { StartError } from "../errors.ts";
import type { UnixListenOptions } from "./listen_options.ts";
import { requirePermission, startError } from "./start_error.ts";
import type { TransportListener } from "./transport.ts";

/** How long a socket file's listener is given to show that it lives. */
const PROBE_TIMEOUT_MS = 3_000;

/**
 * Listens on a Unix socket. A file whose listener is gone is replaced; one
 * that is in use, or that is no socket, is left alone. The runtime removes the
 * file when the listener is closed.
 *
 * @param options The path, and the file's permissions and owner.
 * @returns The listening socket.
 * @throws {StartError} Where that cannot be.
 */
export function listenUnix(options: UnixListenOptions): TransportListener {
  const { path } = options;
  for (const name of ["read", "write"] as const) {
    requirePermission({ name, path }, `${name} ${path}`, path);
  }
  requirePermission(
    { name: "net", host: `unix:${path}` },
    `listen on ${path}`,
    `unix:${path}`,
  );
  const ids = [idOf(options.owner, "passwd"), idOf(options.group, "group")];
  const listener = bind(path);
  try {
    if (options.mode !== undefined) Deno.chmodSync(path, options.mode);
    const [uid, gid] = ids;
    if (uid !== null || gid !== null) {
      Deno.chownSync(path, uid ?? null, gid ?? null);
    }
  } catch (error) {
    listener.close();
    throw new StartError(
      "CANNOT_LISTEN",
      `Cannot set the permissions or owner of ${path}: ${
        error instanceof Error ? error.message : error
      }`,
      { cause: error },
    );
  }
  return listener as unknown as TransportListener;
}

function bind(path: string): Deno.Listener {
  try {
    return Deno.listen({ transport: "unix", path });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) {
      throw startError(error, path);
    }
    if (!Deno.lstatSync(path).isSocket) {
      throw new StartError(
        "ADDRESS_IN_USE",
        `Cannot listen on ${path}: there is a file that is no socket, which is not replaced`,
        { cause: error },
      );
    }
    if (isAlive(path)) throw startError(error, path);
  }
  try {
    Deno.removeSync(path);
    return Deno.listen({ transport: "unix", path });
  } catch (error) {
    throw startError(error, path);
  }
}

// Runs in a worker, where nothing else is known.
const PROBE = `onmessage = async ({ data: { path, answer } }) => {
  let isAlive = 1;
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) isAlive = 2;
  }
  Atomics.store(answer, 0, isAlive);
  Atomics.notify(answer, 0);
};`;

/**
 * Whether somebody listens on a socket file: connecting tells, and only that.
 * To listen is synchronous and to connect is not, so that a worker connects
 * while this thread waits: 30 ms, where a file is in the way. In doubt it
 * lives, for a live one must not be removed.
 */
function isAlive(path: string): boolean {
  const answer = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `data:application/javascript,${encodeURIComponent(PROBE)}`,
    { type: "module" },
  );
  try {
    worker.postMessage({ path, answer });
    Atomics.wait(answer, 0, 0, PROBE_TIMEOUT_MS);
    return answer[0] !== 2;
  } finally {
    worker.terminate();
  }
}

/** The number of a user or group; null where none is wanted. */
function idOf(
  name: string | number | undefined,
  database: "passwd" | "group",
): number | null {
  if (name === undefined) return null;
  if (typeof name === "number") return name;
  if (/^\d+$/.test(name)) return Number(name);
  const path = `/etc/${database}`;
  requirePermission({ name: "read", path }, `read ${path}`, path);
  for (const line of Deno.readTextFileSync(path).split("\n")) {
    const fields = line.split(":");
    if (fields[0] === name) return Number(fields[2]);
  }
  throw new StartError(
    "CANNOT_LISTEN",
    `Cannot give a socket to "${name}": ${path} does not have it`,
  );
}
