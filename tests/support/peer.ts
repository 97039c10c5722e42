// Peer: the tests' end of a FastCGI connection, as a web server has it. Raw
// bytes out, records in; every wait is for an event, bounded by DEADLINE_MS.

import { answer, END, records } from "./wire.ts";
import type { Answer, WireRecord } from "./wire.ts";

/** No test waits longer than this for anything: a bound against hangs. */
export const DEADLINE_MS = 20_000;

/** Fails with a clear message where a promise takes too long. */
export async function within<T>(
  promise: Promise<T>,
  what: string,
  ms = DEADLINE_MS,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Waited ${ms} ms for ${what}`)),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Where a server listens. */
export type Target = { hostname: string; port: number } | { path: string };

/** One connection to a server under test. */
export class Peer implements Disposable {
  readonly conn: Deno.Conn;
  /** Every record that has come and was not taken. */
  records: WireRecord[] = [];
  #rest: Uint8Array = new Uint8Array(0);
  /** Whether the other end has closed. */
  isEnded = false;
  /** Sizes of what each read brought: how writes arrived. */
  readonly reads: number[] = [];
  /** Reused by every read: a new one each time costs more than the read. */
  readonly #buffer = new Uint8Array(256 * 1024);

  private constructor(conn: Deno.Conn) {
    this.conn = conn;
  }

  /** Takes a connection over, whichever end of it. */
  static on(conn: Deno.Conn): Peer {
    return new Peer(conn);
  }

  static async connect(target: Target): Promise<Peer> {
    if ("path" in target) {
      const { path } = target;
      return new Peer(await Deno.connect({ transport: "unix", path }));
    }
    const conn = await Deno.connect(target);
    // Otherwise a small write waits for the acknowledgement of the last one,
    // 40 ms, and what was sent has not left when `send` settles.
    conn.setNoDelay(true);
    return new Peer(conn);
  }

  /** Connects to a running server. */
  static to(server: { addr: Deno.Addr | null }): Promise<Peer> {
    const addr = server.addr!;
    return Peer.connect(
      addr.transport === "unix"
        ? { path: addr.path }
        : { hostname: "127.0.0.1", port: (addr as Deno.NetAddr).port },
    );
  }

  /** Sends bytes, all of them. */
  async send(...parts: Uint8Array[]): Promise<void> {
    for (const part of parts) {
      for (let at = 0; at < part.length;) {
        at += await within(
          this.conn.write(part.subarray(at)),
          "bytes to be taken",
        );
      }
    }
  }

  /** Reads once; false at the end. */
  async read(): Promise<boolean> {
    const buffer = this.#buffer;
    const n = await within(this.conn.read(buffer), "bytes to come");
    if (n === null) {
      this.isEnded = true;
      return false;
    }
    this.reads.push(n);
    const joined = new Uint8Array(this.#rest.length + n);
    joined.set(this.#rest);
    joined.set(buffer.subarray(0, n), this.#rest.length);
    const read = records(joined);
    this.records.push(...read.records);
    this.#rest = read.rest;
    return true;
  }

  /** Reads until a record fits; it stays in `records`. */
  async until(
    fits: (record: WireRecord) => boolean,
    what = "a record",
  ): Promise<WireRecord> {
    for (;;) {
      const found = this.records.find(fits);
      if (found !== undefined) return found;
      if (!await this.read()) throw new Error(`Closed before ${what} came`);
    }
  }

  /**
   * Reads until the other end closes, which must be between two records and no
   * reset; gives every record left.
   */
  async toEnd(): Promise<WireRecord[]> {
    while (await this.read());
    if (this.#rest.length > 0) throw new Error("Closed amid a record");
    return this.take();
  }

  /** Takes all records that have come. */
  take(): WireRecord[] {
    return this.records.splice(0);
  }

  /** Reads up to FCGI_END_REQUEST of an id, and takes its records. */
  async answer(id = 1): Promise<Answer> {
    await this.until(
      (record) => record.type === END && record.id === id,
      `FCGI_END_REQUEST of request ${id}`,
    );
    const end = this.records.findIndex((record) =>
      record.type === END && record.id === id
    );
    const own = this.records.filter((record, i) =>
      record.id === id && i <= end
    );
    this.records = this.records.filter((record) => !own.includes(record));
    return answer(own, id);
  }

  /** Sends a request and waits for its answer. */
  async ask(request: Uint8Array, id = 1): Promise<Answer> {
    await this.send(request);
    return await this.answer(id);
  }

  close(): void {
    try {
      this.conn.close();
    } catch {
      // Closed already.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Waits until nobody listens any more. */
export async function refused(target: Target): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      (await Peer.connect(target)).close();
    } catch {
      return;
    }
    if (performance.now() > deadline) throw new Error("It still listens");
  }
}
