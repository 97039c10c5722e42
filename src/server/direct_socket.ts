// DirectSocket: a connection of the runtime, read and written by the operations
// that `Deno.Conn` itself calls. Each of its methods is an asynchronous function
// around one of them, and read() keeps a set of what is pending besides: of a
// kept connection's request they take about a tenth.
//
// The operations are not documented. What is not as it was when this was
// written is told when this is loaded or the connection is accepted, and the
// connection is then used as it is.

import type { Transport, TransportListener } from "./transport.ts";

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
  const { internal } = Deno as unknown as { internal?: PropertyKey };
  if (typeof internal !== "symbol") return null;
  const inside = (Deno as unknown as Record<symbol, { core?: unknown }>)[
    internal
  ];
  const found = inside?.core as Partial<Core> | undefined;
  if (typeof found?.internalRidSymbol !== "symbol") return null;
  for (
    const name of ["read", "write", "refOpPromise", "unrefOpPromise"] as const
  ) {
    if (typeof found[name] !== "function") return null;
  }
  return found as Core;
}

/**
 * Lets a listening socket of the runtime accept connections that are used
 * directly.
 *
 * @param listener The socket.
 * @returns The same.
 */
export function accepting(
  listener: Deno.Listener<Deno.Conn>,
): TransportListener {
  const own = listener as unknown as TransportListener;
  if (core === null) return own;
  const accept = listener.accept.bind(listener) as () => Promise<
    Deno.Conn & Transport
  >;
  return Object.assign(own, { accept: () => accept().then(direct) });
}

function direct(conn: Deno.Conn & Transport): Transport {
  const rid: unknown = Reflect.get(conn, core!.internalRidSymbol);
  return typeof rid === "number" ? new DirectSocket(conn, rid) : conn;
}

class DirectSocket implements Transport {
  readonly #conn: Deno.Conn & Transport;
  readonly #rid: number;
  #reading: Promise<number> | null = null;
  #isRef = true;
  readonly remoteAddr: Deno.Addr;

  constructor(conn: Deno.Conn & Transport, rid: number) {
    this.#conn = conn;
    this.#rid = rid;
    this.remoteAddr = conn.remoteAddr;
  }

  read(buffer: Uint8Array): Promise<number> {
    const reading = core!.read(this.#rid, buffer);
    if (!this.#isRef) core!.unrefOpPromise(reading);
    return this.#reading = reading;
  }

  write(bytes: Uint8Array): Promise<number> {
    return core!.write(this.#rid, bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }

  setNoDelay(noDelay?: boolean): void {
    this.#conn.setNoDelay?.(noDelay);
  }

  ref(): void {
    this.#isRef = true;
    if (this.#reading !== null) core!.refOpPromise(this.#reading);
  }

  unref(): void {
    this.#isRef = false;
    if (this.#reading !== null) core!.unrefOpPromise(this.#reading);
  }
}
