// Addresses: what a user writes, to a listening socket. Nothing here prompts
// for a permission: one that is missing is named in the error.

import { StartError } from "../errors.ts";
import { listenInherited } from "./inherited.ts";
import type {
  ListenOptions,
  TcpListenOptions,
  UnixListenOptions,
} from "./listen_options.ts";
import type { TransportListener } from "./transport.ts";
import { requirePermission, startError } from "./start_error.ts";
import { listenUnix } from "./unix_socket.ts";

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
  const path = text.startsWith("unix:") ? text.slice(5) : text;
  if (path.includes("/")) return { path };
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
      `Cannot listen on port ${port}: a port is a whole number of 0 to 65535`,
    );
  }
  const where = formatAddress({ hostname, port });
  requirePermission({ name: "net", host: where }, `listen on ${where}`, where);
  try {
    return Deno.listen({ hostname, port }) as unknown as TransportListener;
  } catch (error) {
    throw startError(error, where);
  }
}
