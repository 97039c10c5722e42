// PromiseWire: a Transport, as a Wire. One of the runtime is read and written by
// the operations that `Deno.Conn` itself calls: each of its methods is an
// asynchronous function around one of them, and read() keeps a set of what is
// pending besides, which is about a tenth of a kept connection's request.
//
// The operations are not documented. Where they are not as they were when this
// was written, a connection is used as it is.

import { runtimeCore } from "./runtime_core.ts";
import type { Transport } from "./transport.ts";
import type { Wire, WireReader, WireWriter } from "./wire.ts";

/** What is used of the runtime's core. */
interface Core {
  /** Where a connection has its resource id. */
  readonly internalRidSymbol: symbol;
  /** Reads at least one byte; 0 at the end. */
  read(rid: number, buffer: Uint8Array): Promise<number>;
  /** Writes some of the bytes. */
  write(rid: number, bytes: Uint8Array): Promise<number>;
  /** Lets an operation keep the process running. */
  refOpPromise(operation: Promise<unknown>): void;
  /** Lets the process end while an operation is pending. */
  unrefOpPromise(operation: Promise<unknown>): void;
}

const core = findCore();

function findCore(): Core | null {
  const found = runtimeCore<Core>(
    "read",
    "write",
    "refOpPromise",
    "unrefOpPromise",
  );
  return typeof found?.internalRidSymbol === "symbol" ? found : null;
}

const NOTHING = new Uint8Array(0);

/** A connection that is read and written by promises. */
export class PromiseWire implements Wire {
  readonly #transport: Transport;
  /** Of a connection of the runtime; null where it is used as it is. */
  readonly #rid: number | null;
  #reader!: WireReader;
  #writer!: WireWriter;
  #reading: Promise<unknown> | null = null;
  #isRef = true;
  readonly remoteAddr: Deno.Addr | undefined;

  /**
   * Takes a connection over.
   *
   * @param transport The connection.
   */
  constructor(transport: Transport) {
    this.#transport = transport;
    const rid: unknown = core === null
      ? null
      : Reflect.get(transport, core.internalRidSymbol);
    this.#rid = typeof rid === "number" ? rid : null;
    this.remoteAddr = transport.remoteAddr;
  }

  start(reader: WireReader, writer: WireWriter): void {
    this.#reader = reader;
    this.#writer = writer;
  }

  read(buffer: Uint8Array): void {
    const reading = this.#rid === null
      ? this.#transport.read(buffer)
      : core!.read(this.#rid, buffer);
    const { onRead, onReadFailed } = this.#reader;
    reading.then(onRead, onReadFailed);
    this.#reading = reading;
    if (!this.#isRef && this.#rid !== null) core!.unrefOpPromise(reading);
  }

  write(bytes: Uint8Array): boolean {
    const { onWritten, onWriteFailed } = this.#writer;
    this.#send(bytes).then(onWritten, onWriteFailed);
    return false;
  }

  #send(bytes: Uint8Array): Promise<number> {
    return this.#rid === null
      ? this.#transport.write(bytes)
      : core!.write(this.#rid, bytes);
  }

  // A write of nothing fails on a Unix socket whose other end is closed, and
  // succeeds where only its writing side is. On TCP it fails after a reset.
  async probe(): Promise<void> {
    await this.#send(NOTHING);
  }

  closeWrite(): Promise<void> {
    return this.#transport.closeWrite();
  }

  close(): void {
    this.#transport.close();
  }

  setNoDelay(noDelay = true): void {
    this.#transport.setNoDelay?.(noDelay);
  }

  ref(): void {
    this.#isRef = true;
    if (this.#rid === null) this.#transport.ref();
    else if (this.#reading !== null) core!.refOpPromise(this.#reading);
  }

  unref(): void {
    this.#isRef = false;
    if (this.#rid === null) this.#transport.unref();
    else if (this.#reading !== null) core!.unrefOpPromise(this.#reading);
  }
}
