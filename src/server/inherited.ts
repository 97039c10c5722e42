// A listening socket that the process was started with: FCGI_LISTENSOCK_FILENO
// (FastCGI 1.0, section 2.2), which lighttpd, mod_fcgid and spawn-fcgi pass as
// descriptor 0, and systemd as 0 or 3.
//
// `Deno.listen` takes no descriptor, `node:net` does: its sockets are given
// the face of a Transport here. Loading it takes 30 ms, so only where needed,
// and with `getBuiltinModule`, for listening is synchronous.

import type * as NodeFs from "node:fs";
import type * as NodeNet from "node:net";
import { ClosedError, StartError } from "../errors.ts";
import type { Accepted, Transport, TransportListener } from "./transport.ts";

function builtin(name: "node:fs"): typeof NodeFs;
function builtin(name: "node:net"): typeof NodeNet;
function builtin(name: string): unknown {
  const { process } = globalThis as unknown as {
    process: { getBuiltinModule(name: string): unknown };
  };
  return process.getBuiltinModule(name);
}

/**
 * Whether descriptor 0 is a socket, and so may be a listening one, as far as
 * that is told at no cost: a terminal is none, and with every permission
 * `Deno.statSync` may look at `/dev`.
 *
 * @returns Whether it is; null where only
 * {@linkcode isInheritedSocket} can tell.
 */
export function isInheritedSocketAtOnce(): boolean | null {
  if (Deno.stdin.isTerminal()) return false;
  // Asked for first, for the error of a refusal takes half a millisecond.
  const { state } = Deno.permissions.querySync({ name: "read" });
  if (state !== "granted") return null;
  try {
    return Deno.statSync("/dev/fd/0").isSocket === true;
  } catch {
    return null; // Not permitted, or closed.
  }
}

/**
 * Whether descriptor 0 is a socket. It takes no permission, and 30 ms.
 *
 * @returns Whether it is.
 */
export function isInheritedSocket(): boolean {
  try {
    return builtin("node:fs").fstatSync(0).isSocket();
  } catch {
    return false; // Closed.
  }
}

/**
 * Takes descriptor 0 over.
 *
 * @returns The listening socket, null where it is none: a connection, as a
 * program started by inetd has it, is a socket too.
 */
export async function takeInherited(): Promise<TransportListener | null> {
  const listener = listenInherited(0);
  try {
    await listener.ready;
    return listener;
  } catch {
    listener.close();
    return null;
  }
}

/**
 * Takes an inherited listening socket over.
 *
 * @param fd Its descriptor.
 * @returns The listening socket. Where it is none, the first `accept` says so.
 */
export function listenInherited(fd: number): InheritedListener {
  return new InheritedListener({ fd }, `descriptor ${fd}`);
}

/**
 * Takes a listening socket over that another process has sent.
 *
 * @param handle What `node:net` has for it.
 * @returns The listening socket.
 */
export function listenOnHandle(handle: object): InheritedListener {
  return new InheritedListener(handle, "a socket of another process");
}

/** A listening socket of `node:net`, as a {@linkcode TransportListener}. */
export class InheritedListener implements TransportListener {
  readonly #server: NodeNet.Server;
  readonly #accepted: NodeNet.Socket[] = [];
  #waiting: PromiseWithResolvers<NodeNet.Socket> | null = null;
  #failure: Error | null = null;
  #stopNudging: (() => void) | null = null;
  readonly #loading = import("./handle_wire.ts");
  /** Settles once it listens; fails where the descriptor does not. */
  readonly ready: Promise<void>;

  /**
   * Starts to listen.
   *
   * @param source The descriptor, or the handle.
   * @param name What it is, for the error.
   */
  constructor(source: object, name: string) {
    const server = builtin("node:net").createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
    });
    this.#server = server;
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ready.catch(() => {});
    server.on("connection", (socket) => this.#take(socket));
    server.on("listening", () => {
      if (this.addr === null) this.#keepNudging();
      ready.resolve();
    });
    server.on("error", (error) => {
      this.#fail(
        new StartError(
          "CANNOT_LISTEN",
          `Cannot listen on ${name}: it is no listening socket (${error.message})`,
          { cause: error },
        ),
      );
      ready.reject(this.#failure);
    });
    server.listen(source);
  }

  /** Where it listens; null on a Unix socket, of which nothing is told. */
  get addr(): Deno.Addr | null {
    const address = this.#server.address();
    if (address === null || typeof address === "string") return null;
    return {
      transport: "tcp",
      hostname: address.address,
      port: address.port,
    };
  }

  async #keepNudging(): Promise<void> {
    const { handleOf, keepNudging } = await import("./handles.ts");
    const handle = this.#failure === null ? handleOf(this.#server) : null;
    if (handle !== null) this.#stopNudging = keepNudging(handle);
  }

  async accept(): Promise<Accepted> {
    const { socketHandleWire } = await this.#loading;
    if (this.#failure !== null) throw this.#failure;
    const socket = this.#accepted.shift() ?? await this.#nextSocket();
    const { remoteAddress: hostname, remotePort: port = 0 } = socket;
    const remoteAddr: Deno.Addr | undefined = hostname === undefined
      ? undefined
      : { transport: "tcp", hostname, port };
    return socketHandleWire(socket, remoteAddr) ??
      new SocketTransport(socket, remoteAddr);
  }

  #nextSocket(): Promise<NodeNet.Socket> {
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  #take(socket: NodeNet.Socket): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) this.#accepted.push(socket);
    else waiting.resolve(socket);
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  close(): void {
    this.#stopNudging?.();
    this.#server.close();
    // Accepted and never taken: their web server connects elsewhere.
    for (const socket of this.#accepted.splice(0)) socket.destroy();
    this.#fail(new ClosedError("The listening socket was closed"));
  }

  ref(): void {
    this.#server.ref();
  }

  unref(): void {
    this.#server.unref();
  }
}

/** A socket of `node:net` by its streams, as a {@linkcode Transport}. */
class SocketTransport implements Transport {
  readonly #socket: NodeNet.Socket;
  #rest: Uint8Array | null = null;
  #isEnded = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;
  readonly remoteAddr?: Deno.Addr;

  constructor(socket: NodeNet.Socket, remoteAddr: Deno.Addr | undefined) {
    this.#socket = socket;
    if (remoteAddr !== undefined) this.remoteAddr = remoteAddr;
    const wake = () => {
      this.#wake?.();
      this.#wake = null;
    };
    socket.on("readable", wake);
    socket.on("end", () => {
      this.#isEnded = true;
      wake();
    });
    socket.on("error", (error) => {
      this.#failure = error;
      wake();
    });
    socket.on("close", () => {
      this.#failure ??= new ClosedError("The connection was closed");
      wake();
    });
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    for (;;) {
      const chunk: Uint8Array | null = this.#rest ?? this.#socket.read();
      if (chunk !== null) {
        const length = Math.min(chunk.length, buffer.length);
        buffer.set(chunk.subarray(0, length));
        this.#rest = length < chunk.length ? chunk.subarray(length) : null;
        return length;
      }
      if (this.#isEnded) return null;
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#socket.write(
        bytes,
        (error) => error ? reject(error) : resolve(bytes.length),
      );
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  setNoDelay(noDelay = true): void {
    this.#socket.setNoDelay(noDelay);
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }
}

// Without permissions only `node:fs` can tell whether descriptor 0 is a socket,
// and loading it takes longer than the rest of the start: 30 ms, where a bare
// listener is there after 20. So a program that is told no address listens on
// its default first, and asks before it accepts: who connects meanwhile waits in
// the system's queue, and nobody is served on an address that was not meant.

/** Listens on one address, and on descriptor 0 instead if that listens. */
export class TentativeListener implements TransportListener {
  readonly #tell: (line: string) => void;
  #listener: TransportListener;
  #settling: Promise<void> | null = null;
  #isClosed = false;
  #isRef = true;

  /**
   * Takes a listening socket that may be given up.
   *
   * @param listener The socket.
   * @param tell Prints a line.
   */
  constructor(listener: TransportListener, tell: (line: string) => void) {
    this.#listener = listener;
    this.#tell = tell;
  }

  get addr(): Deno.Addr | null {
    return this.#listener.addr;
  }

  async accept(): Promise<Accepted> {
    await (this.#settling ??= this.#settle());
    return await this.#listener.accept();
  }

  async #settle(): Promise<void> {
    if (!isInheritedSocket()) return;
    const inherited = await takeInherited();
    if (inherited === null) return;
    if (this.#isClosed) {
      inherited.close();
      return;
    }
    this.#listener.close();
    this.#listener = inherited;
    if (!this.#isRef) inherited.unref();
    this.#tell(
      "Listening for FastCGI on descriptor 0 instead: it is a listening socket",
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#listener.close();
  }

  ref(): void {
    this.#isRef = true;
    this.#listener.ref();
  }

  unref(): void {
    this.#isRef = false;
    this.#listener.unref();
  }
}
