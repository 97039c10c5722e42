// UnixListener: a listening Unix socket of the runtime, and soon a second one in
// its place, whose connections are handles (see handles.ts). To load these takes
// longer than the rest of a start, so who connects meanwhile comes by the first,
// which goes on accepting: nobody is lost in between.

import { HandleWire } from "./handle_wire.ts";
import { handles, keepNudging, nudge } from "./handles.ts";
import type { Handles, PipeHandle } from "./handles.ts";
import type { Accepted, Transport, TransportListener } from "./transport.ts";

/** Connections that the system keeps waiting, as far as it keeps so many. */
const BACKLOG = 4096;
/** Connections that are taken before anybody waits for them. */
const AHEAD = 16;

/** Accepts on a Unix socket. */
export class UnixListener implements TransportListener {
  readonly #first: Deno.Listener;
  readonly #path: string;
  readonly #setRights: (path: string) => void;
  /** Which file it was that the first one has made. */
  readonly #inode: number | null;
  #second: HandleListener | null = null;
  #isBegun = false;
  #isGone = false;
  #isRef = true;
  /** Of the first: the last `accept`. */
  #accepting: Promise<unknown> = Promise.resolve();
  #isAccepting = false;
  readonly #accepted: Accepted[] = [];
  #waiting: PromiseWithResolvers<Accepted> | null = null;

  /**
   * Takes a listening socket over.
   *
   * @param first The socket.
   * @param path Its file.
   * @param setRights Sets the permissions and the owner of such a file.
   */
  constructor(
    first: Deno.Listener,
    path: string,
    setRights: (path: string) => void,
  ) {
    this.#first = first;
    this.#path = path;
    this.#setRights = setRights;
    this.#inode = inodeOf(path);
  }

  get addr(): Deno.Addr {
    return this.#first.addr;
  }

  accept(): Promise<Accepted> {
    if (!this.#isBegun) {
      this.#isBegun = true;
      this.#second = this.#listenInPlace();
    }
    const accepted = this.#accepted.shift() ?? this.#second?.accept();
    if (accepted) return Promise.resolve(accepted);
    const waiting = this.#waiting = Promise.withResolvers<Accepted>();
    if (!this.#isAccepting) this.#acceptFirst();
    return waiting.promise;
  }

  #acceptFirst(): void {
    this.#isAccepting = true;
    const accepting = this.#accepting = this.#first.accept();
    accepting.then((conn) => {
      this.#isAccepting = false;
      this.#deliver(conn as Deno.Conn & Transport);
    }, (error) => {
      this.#isAccepting = false;
      this.#fail(error);
    });
  }

  #fail(error: unknown): void {
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  #deliver(accepted: Accepted): void {
    if (this.#waiting === null) this.#accepted.push(accepted);
    else this.#waiting.resolve(accepted);
    this.#waiting = null;
  }

  /** The second socket: none where that is not permitted, or not possible. */
  #listenInPlace(): HandleListener | null {
    const name = `.${crypto.randomUUID().slice(0, 8)}`;
    const path = this.#path.replace(/[^/]*$/, name);
    const needs = [
      { name: "net", host: `unix:${path}` },
      { name: "read", path },
      { name: "write", path },
    ] as const;
    // Looked at before, for otherwise who sits at a terminal is asked.
    const isPermitted = needs.every((need) =>
      Deno.permissions.querySync(need).state === "granted"
    );
    const all = isPermitted ? handles() : null;
    if (all === null) return null;
    const handle = new all.Pipe(all.SERVER);
    try {
      if (handle.bind(path) !== 0) throw new Error("It is not possible");
      this.#setRights(path);
      if (handle.listen(BACKLOG) !== 0) throw new Error("It is not possible");
      const isOurs = this.#inode !== null &&
        inodeOf(this.#path) === this.#inode;
      if (!isOurs) throw new Error("It is another's by now");
      Deno.renameSync(path, this.#path);
    } catch {
      handle.close(() => {}); // And the first goes on alone.
      return null;
    }
    const second = new HandleListener(handle, all, this.#path, {
      isReady: () => this.#waiting !== null || this.#accepted.length < AHEAD,
      take: (wire) => this.#deliver(wire),
      failed: (error) => this.#fail(error),
    });
    if (!this.#isRef) second.unref();
    return second;
  }

  refuse(): void {
    const write = { name: "write", path: folderOf(this.#path) } as const;
    if (Deno.permissions.querySync(write).state !== "granted") return;
    this.#isGone = isDone(() => Deno.removeSync(this.#path));
  }

  // The runtime removes the file by its name once the last `accept` has ended,
  // whose ever it is by then: that of a server which was started meanwhile is
  // kept aside for so long.
  close(): void {
    const path = this.#path;
    const aside = `${path}.${crypto.randomUUID()}`;
    const isAside = this.#isGone &&
      isDone(() => Deno.renameSync(path, aside));
    this.#second?.close();
    this.#first.close();
    for (const conn of this.#accepted.splice(0)) conn.close();
    if (!isAside) return;
    const back = () => Deno.renameSync(aside, path);
    this.#accepting.then(back, back);
  }

  ref(): void {
    this.#isRef = true;
    this.#first.ref();
    this.#second?.ref();
  }

  unref(): void {
    this.#isRef = false;
    this.#first.unref();
    this.#second?.unref();
  }
}

/** Who takes the connections. */
interface Taker {
  /** Whether one more is. */
  isReady(): boolean;
  /** Takes one. */
  take(wire: HandleWire): void;
  /** None can be accepted. */
  failed(error: unknown): void;
}

/** A Unix socket by its handle. */
class HandleListener {
  readonly #handle: PipeHandle;
  readonly #all: Handles;
  readonly #path: string;
  readonly #stop: () => void;
  /** Whether one has come that was not taken: no other is told then. */
  #isPassed = false;

  constructor(
    handle: PipeHandle,
    all: Handles,
    path: string,
    taker: Taker,
  ) {
    this.#handle = handle;
    this.#all = all;
    this.#path = path;
    handle.onconnection = () => {
      const wire = taker.isReady() ? this.#take() : null;
      if (wire === null) this.#isPassed = true;
      else taker.take(wire);
    };
    this.#stop = keepNudging(handle, () => {
      const error = lackOfDescriptors(folderOf(path));
      if (error !== null) taker.failed(error);
    });
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
    return new HandleWire(handle, () => handle.close(() => {}), {
      transport: "unix",
      path: this.#path,
    });
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

function folderOf(path: string): string {
  return path.replace(/[^/]*$/, "") || ".";
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

function inodeOf(path: string): number | null {
  try {
    return Deno.lstatSync(path).ino;
  } catch {
    return null; // It is gone.
  }
}

function isDone(change: () => void): boolean {
  try {
    change();
    return true;
  } catch {
    return false; // There is no such file.
  }
}
