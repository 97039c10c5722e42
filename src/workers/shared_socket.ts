// SharedSocket: a socket that workers listen on, held by their supervisor. As
// long as it holds it, nobody who connects is lost, whatever becomes of the
// workers: they wait in its queue for the next.
//
// It is a handle of `node:net`, for those can be sent to another process, as
// `node:cluster` does. A descriptor passed at the start of a process shares the
// queue as well, but to start one the runtime makes it blocking, for everybody
// who has it: a worker that looks for a second connection then stands still
// until it comes. That was seen, not feared.

import { StartError } from "../errors.ts";
import {
  DEFAULT_ADDRESS,
  formatAddress,
  startError,
} from "../server/address.ts";
import type {
  TcpListenOptions,
  UnixListenOptions,
} from "../server/listen_options.ts";
import type { TransportListener } from "../server/transport.ts";

/** A handle of `node:net`, as far as it is used. */
export interface Handle {
  /** Closes it, and removes the file of a Unix socket. */
  close(): void;
  /** Where it is bound (TCP). */
  getsockname?(name: { address?: string; port?: number }): void;
}

/** What `node:net` has for `node:cluster`, and does not tell in its types. */
interface Net {
  /** A handle that is bound, or a negative number of the system's error. */
  _createServerHandle(
    address: string | null,
    port: number | null,
    addressType: number | null,
    fd?: number,
  ): Handle | number;
}

/** Errors of Linux by their numbers, with what the runtime makes of them. */
const ERRORS: Readonly<Record<number, (message: string) => Error>> = {
  [-13]: (message) => new Deno.errors.PermissionDenied(message),
  [-98]: (message) => new Deno.errors.AddrInUse(message),
  [-99]: (message) => new Deno.errors.AddrNotAvailable(message),
};

/** A socket that can be sent to workers. */
export class SharedSocket {
  /** What is sent. */
  readonly handle: Handle;
  /** The address, as it is told. */
  readonly where: string;
  #isClosed = false;

  private constructor(handle: Handle, where: string) {
    this.handle = handle;
    this.where = where;
  }

  /**
   * Takes the place of a listening socket: the same address, and the same
   * permissions and owner of its file. It listens as soon as a worker has it.
   *
   * @param listener The listening socket; it is closed.
   * @param address Where it was told to listen: of a port that was free, this
   * takes another.
   * @returns The socket.
   * @throws {StartError} Where another program was faster.
   */
  static async replace(
    listener: TransportListener,
    address: TcpListenOptions | UnixListenOptions,
  ): Promise<SharedSocket> {
    const net = await load();
    if (!("path" in address)) {
      listener.close();
      // As it was written, for so it is permitted.
      const { hostname = DEFAULT_ADDRESS.hostname!, port } = address;
      const type = hostname.includes(":") ? 6 : 4;
      return SharedSocket.#made(
        net._createServerHandle(hostname, port, type),
        formatAddress(address),
      );
    }
    const { path } = address;
    const { mode, uid, gid } = Deno.lstatSync(path);
    listener.close();
    const socket = SharedSocket.#made(
      net._createServerHandle(path, -1, -1),
      formatAddress(address),
    );
    Deno.chmodSync(path, mode! & 0o777);
    const now = Deno.lstatSync(path);
    if (now.uid !== uid || now.gid !== gid) Deno.chownSync(path, uid, gid);
    return socket;
  }

  /**
   * Takes a listening socket over that the process was started with.
   *
   * @param fd Its descriptor.
   * @returns The socket.
   * @throws {StartError} `CANNOT_LISTEN` where it does not listen.
   */
  static async inherit(fd: number): Promise<SharedSocket> {
    const net = await load();
    const where = `descriptor ${fd}`;
    const handle = net._createServerHandle(null, null, null, fd);
    if (typeof handle !== "number") return new SharedSocket(handle, where);
    throw new StartError(
      "CANNOT_LISTEN",
      `Cannot listen on ${where}: it is no listening socket`,
    );
  }

  /** Closes it here; workers keep what they have. May be called again. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.handle.close();
  }

  static #made(handle: Handle | number, where: string): SharedSocket {
    if (typeof handle !== "number") {
      const name: { address?: string; port?: number } = {};
      handle.getsockname?.(name);
      const { address: hostname, port } = name;
      const isTcp = hostname !== undefined && port !== undefined;
      return new SharedSocket(
        handle,
        isTcp ? formatAddress({ hostname, port }) : where,
      );
    }
    const message = `the system's error ${-handle}`;
    throw startError(ERRORS[handle]?.(message) ?? new Error(message), where);
  }
}

async function load(): Promise<Net> {
  return await import("node:net") as unknown as Net;
}
