// Addresses: what a user writes, to a listening socket: on TCP, on a Unix socket
// with whatever file is in its place, or inherited. Nothing here prompts for a
// permission: one that is missing is named in the error.

import { StartError } from "../errors.ts";
import { listenInherited } from "./inherited.ts";
import type {
  ListenOptions,
  TcpListenOptions,
  UnixListenOptions,
} from "./listen_options.ts";
import type { TransportListener } from "./transport.ts";
import { UnixListener } from "./unix_listener.ts";

/** Where to listen if nothing tells. */
export const DEFAULT_ADDRESS: TcpListenOptions = {
  hostname: "127.0.0.1",
  port: 9000,
};

/**
 * Reads an address: `host:port`, `:port` and `*:port` (any host),
 * `[::1]:9000`, `/path.sock`, `unix:/path.sock`.
 *
 * @param text The address.
 * @returns Where to listen.
 * @throws {StartError} `BAD_ADDRESS` where it is none.
 */
export function parseAddress(
  text: string,
): TcpListenOptions | UnixListenOptions {
  const isUnix = text.startsWith("unix:") && text.length > 5;
  const path = isUnix ? text.slice(5) : text;
  if (isUnix || path.includes("/")) return { path };
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9a-f:.%]+)\]|([^:[\]]*)):(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 0xffff) {
    throw new StartError(
      "BAD_ADDRESS",
      `"${text}" is no address: write host:port, :port, [ipv6]:port, /path/to.sock or unix:/path/to.sock`,
    );
  }
  const hostname = bracketed ??
    (plain === "" || plain === "*" ? "0.0.0.0" : plain!);
  return { hostname, port };
}

/**
 * Writes an address, as {@linkcode parseAddress} reads it.
 *
 * @param address Where something listens.
 * @returns The text.
 */
export function formatAddress(address: ListenOptions | Deno.Addr): string {
  if ("fd" in address) return `descriptor ${address.fd}`;
  if ("path" in address) {
    return address.path.includes("/") ? address.path : `unix:${address.path}`;
  }
  const { hostname = DEFAULT_ADDRESS.hostname!, port } =
    address as TcpListenOptions;
  return hostname.includes(":")
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
}

/**
 * Listens.
 *
 * @param options Where.
 * @returns The listening socket.
 * @throws {StartError} Where that cannot be: `ADDRESS_IN_USE`,
 * `PERMISSION_MISSING`, `BAD_ADDRESS` or `CANNOT_LISTEN`.
 */
export function listen(options: ListenOptions): TransportListener {
  if ("fd" in options) return listenInherited(options.fd);
  if ("path" in options) return listenUnix(options);
  return listenTcp(options);
}

function listenTcp(options: TcpListenOptions): TransportListener {
  const { hostname = DEFAULT_ADDRESS.hostname!, port } = options;
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new StartError(
      "BAD_ADDRESS",
      `Cannot listen on ${
        formatAddress({ hostname, port })
      }: a port is a whole number of 0 to 65535`,
    );
  }
  const where = formatAddress({ hostname, port });
  requirePermissions(permissionsToListen(options));
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    throw startError(error, where);
  }
}

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
function listenUnix(options: UnixListenOptions): TransportListener {
  const { path } = options;
  requirePermissions(permissionsToListen(options));
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
  return new UnixListener(listener, path);
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
  requirePermissions([permissionFor("read", path)]);
  for (const line of Deno.readTextFileSync(path).split("\n")) {
    const fields = line.split(":");
    if (fields[0] === name) return Number(fields[2]);
  }
  throw new StartError(
    "CANNOT_LISTEN",
    `Cannot give a socket to "${name}": ${path} does not have it`,
  );
}

/** A permission, and what it is for. */
export interface Need {
  /** The permission. */
  descriptor: Deno.PermissionDescriptor;
  /** What needs it, as in "No permission to ...". */
  what: string;
  /** What its flag is to be given; null for the flag alone. */
  value: string | null;
}

/**
 * What it takes to listen.
 *
 * @param options Where.
 * @returns The permissions; an inherited socket takes whatever network there is.
 */
export function permissionsToListen(options: ListenOptions): Need[] {
  return permissionsToUse(options, "listen on");
}

/**
 * What it takes to connect: the same.
 *
 * @param options Where to.
 * @returns The permissions.
 */
export function permissionsToConnect(options: ListenOptions): Need[] {
  return permissionsToUse(options, "connect to");
}

function permissionsToUse(options: ListenOptions, use: string): Need[] {
  if ("fd" in options) return [];
  const where = formatAddress(options);
  const what = `${use} ${where}`;
  if (!("path" in options)) {
    return [{ descriptor: { name: "net", host: where }, what, value: where }];
  }
  const { path } = options;
  const host = `unix:${path}`;
  return [
    { descriptor: { name: "net", host }, what, value: host },
    permissionFor("read", path, what),
    permissionFor("write", path, what),
  ];
}

/**
 * What it takes to use a file.
 *
 * @param name How it is used.
 * @param path The file.
 * @param what What needs it.
 * @returns The permission.
 */
export function permissionFor(
  name: "read" | "write",
  path: string,
  what = `${name} ${path}`,
): Need {
  return { descriptor: { name, path }, what, value: path };
}

/**
 * Checks permissions without asking for them.
 *
 * @param needs The permissions.
 * @throws {StartError} `PERMISSION_MISSING`, naming every flag that is.
 */
export function requirePermissions(needs: readonly Need[]): void {
  const missing = needs.filter(({ descriptor }) =>
    Deno.permissions.querySync(descriptor).state !== "granted"
  );
  if (missing.length === 0) return;
  const whats = [...new Set(missing.map(({ what }) => what))];
  const values = new Map<string, Set<string | null>>();
  for (const { descriptor: { name }, value } of missing) {
    if (!values.has(name)) values.set(name, new Set());
    // A flag's values stand between commas, and nothing escapes one.
    values.get(name)!.add(value?.includes(",") ? null : value);
  }
  const flags = Array.from(values, ([name, found]) => {
    const flag = `--allow-${name}`;
    if (found.has(null)) return flag;
    const whole = `${flag}=${[...found].join(",")}`;
    return /[^\w@%+=:,./[\]-]/.test(whole)
      ? `'${whole.replaceAll("'", `'\\''`)}'`
      : whole;
  });
  throw new StartError(
    "PERMISSION_MISSING",
    `No permission to ${whats.join(" and to ")}: add ${flags.join(" ")}`,
  );
}

/**
 * Why listening failed, in words.
 *
 * @param error What the system said.
 * @param where The address.
 * @returns The error to throw.
 */
export function startError(error: unknown, where: string): StartError {
  const options = { cause: error };
  if (error instanceof Deno.errors.AddrInUse) {
    return new StartError(
      "ADDRESS_IN_USE",
      `Cannot listen on ${where}: the address is in use. Stop the program that has it, or choose another`,
      options,
    );
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new StartError(
      "CANNOT_LISTEN",
      `Cannot listen on ${where}: this machine has no such address`,
      options,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new StartError(
      "CANNOT_LISTEN",
      `Cannot listen on ${where}: the system refuses it to this user`,
      options,
    );
  }
  if (error instanceof Deno.errors.NotFound) {
    return new StartError(
      "CANNOT_LISTEN",
      `Cannot listen on ${where}: its directory does not exist`,
      options,
    );
  }
  const why = error instanceof Error ? error.message : String(error);
  return new StartError(
    "CANNOT_LISTEN",
    `Cannot listen on ${where}: ${why}`,
    options,
  );
}
