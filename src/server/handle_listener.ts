// HandleListener: a listening Unix socket whose connections are handles, see
// handles.ts.

import { HandleWire } from "./handle_wire.ts";
import { handles, keepNudging, nudge } from "./handles.ts";
import type { Handles, PipeHandle } from "./handles.ts";

/** Connections that the system keeps waiting, as far as it keeps so many. */
const BACKLOG = 4096;

/** Who takes the connections. */
export interface Taker {
  /** Whether one more is. */
  isReady(): boolean;
  /** Takes one. */
  take(wire: HandleWire): void;
  /** None can be accepted. */
  failed(error: unknown): void;
}

/** A listening Unix socket, by its handle. */
export class HandleListener {
  readonly #handle: PipeHandle;
  readonly #all: Handles;
  readonly #addr: Deno.UnixAddr;
  readonly #stop: () => void;
  /** Whether one has come that was not taken: no other is told then. */
  #isPassed = false;

  private constructor(
    handle: PipeHandle,
    all: Handles,
    path: string,
    folder: string,
    taker: Taker,
  ) {
    this.#handle = handle;
    this.#all = all;
    this.#addr = { transport: "unix", path };
    handle.onconnection = () => {
      const wire = taker.isReady() ? this.#take() : null;
      if (wire === null) this.#isPassed = true;
      else taker.take(wire);
    };
    this.#stop = keepNudging(handle, () => {
      const error = lackOfDescriptors(folder);
      if (error !== null) taker.failed(error);
    });
  }

  /**
   * Binds to a path; {@linkcode HandleListener.listen} listens there.
   *
   * @param path The path.
   * @param folder The folder it is in, which may be read.
   * @param taker Who takes the connections.
   * @returns The socket, null where that is not possible.
   */
  static on(
    path: string,
    folder: string,
    taker: Taker,
  ): HandleListener | null {
    const all = handles();
    if (all === null) return null;
    const handle = new all.Pipe(all.SERVER);
    if (handle.bind(path) === 0) {
      return new HandleListener(handle, all, path, folder, taker);
    }
    handle.close(() => {});
    return null;
  }

  /** Lets connections come. */
  listen(): void {
    if (this.#handle.listen(BACKLOG) !== 0) {
      throw new Error(`Cannot listen on ${this.#addr.path}`);
    }
  }

  /** One that is there already. */
  accept(): HandleWire | null {
    if (!this.#isPassed) return null;
    const wire = this.#take();
    if (wire !== null) return wire;
    this.#isPassed = false;
    nudge(this.#handle);
    return null;
  }

  #take(): HandleWire | null {
    const { Pipe, SOCKET } = this.#all;
    const handle = new Pipe(SOCKET);
    if (this.#handle.accept(handle) !== 0) return null;
    return new HandleWire(handle, this.#addr);
  }

  close(): void {
    this.#stop();
    this.#handle.close(() => {});
  }

  ref(): void {
    this.#handle.ref();
  }

  unref(): void {
    this.#handle.unref();
  }
}

/** Why a folder cannot be opened, where it is for want of a descriptor. */
function lackOfDescriptors(folder: string): unknown {
  try {
    Deno.openSync(folder).close();
    return null;
  } catch (error) {
    return (error as { code?: string }).code === "EMFILE" ? error : null;
  }
}
