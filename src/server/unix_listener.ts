// UnixListener: a listening Unix socket of the runtime, and soon a second one in
// its place, whose connections are handles (see handles.ts). To load these takes
// longer than the rest of a start, so who connects meanwhile comes by the first,
// which goes on accepting: nobody is lost in between.

import type { HandleListener } from "./handle_listener.ts";
import type { Accepted, Transport, TransportListener } from "./transport.ts";

/** Connections that are taken before anybody waits for them. */
const AHEAD = 16;

/** Accepts on a Unix socket. */
export class UnixListener implements TransportListener {
  readonly #first: Deno.Listener;
  readonly #path: string;
  /** Which file the first one has made. */
  readonly #file: string | null;
  #second: HandleListener | null = null;
  #replacing: Promise<void> | null = null;
  #isClosed = false;
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
   */
  constructor(first: Deno.Listener, path: string) {
    this.#first = first;
    this.#path = path;
    this.#file = fileAt(path);
  }

  get addr(): Deno.Addr {
    return this.#first.addr;
  }

  async accept(): Promise<Accepted> {
    await (this.#replacing ??= this.#listenInPlace());
    const accepted = this.#accepted.shift() ?? this.#second?.accept();
    if (accepted) return accepted;
    const waiting = this.#waiting = Promise.withResolvers<Accepted>();
    if (!this.#isAccepting) this.#acceptFirst();
    return await waiting.promise;
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
  async #listenInPlace(): Promise<void> {
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
    if (!isPermitted) return;
    let second: HandleListener | null = null;
    try {
      const { HandleListener } = await import("./handle_listener.ts");
      if (this.#isClosed) return;
      second = HandleListener.on(path, folderOf(path), {
        isReady: () => this.#waiting !== null || this.#accepted.length < AHEAD,
        take: (wire) => this.#deliver(wire),
        failed: (error) => this.#fail(error),
      });
      if (second === null) return;
      this.#copyRights(path);
      second.listen();
      this.#copyRights(path);
      Deno.renameSync(path, this.#path);
    } catch {
      second?.close(); // And the first goes on alone.
      return;
    }
    if (!this.#isRef) second.unref();
    this.#second = second;
  }

  /** Whoever starts a program may change them as soon as its file is there. */
  #copyRights(path: string): void {
    if (this.#file === null || fileAt(this.#path) !== this.#file) {
      throw new Error("It is another's by now");
    }
    const { mode, uid, gid } = Deno.lstatSync(this.#path);
    const made = Deno.lstatSync(path);
    if (made.uid !== uid || made.gid !== gid) Deno.chownSync(path, uid, gid);
    Deno.chmodSync(path, mode! & 0o7777);
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
    this.#isClosed = true;
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

function folderOf(path: string): string {
  return path.replace(/[^/]*$/, "") || ".";
}

/** Which file is there: the number alone is soon another's. */
function fileAt(path: string): string | null {
  try {
    const { ino, mtime } = Deno.lstatSync(path);
    return `${ino} of ${mtime?.getTime()}`;
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
