// The handles that are below the streams of `node:net`: a write by one is done
// when it returns, and reads come one after the other without being asked for,
// into our own buffer. A request of a kept Unix socket takes about a tenth less than
// by promises, and less than half of what it takes by streams; on TCP three
// quarters of the latter.
//
// To load them takes 30 ms. They are not documented: where they are not as they
// were when this was written, they are left alone.

/** What is used of a connection's handle. A number is 0, or an error's. */
export interface Handle {
  onread: unknown;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: HandleRequest, bytes: Uint8Array): number;
  shutdown(request: HandleRequest): number;
  setNoDelay?(noDelay: boolean): number;
  close(closed: () => void): void;
  ref(): void;
  unref(): void;
}

/** What is told when it is done. */
export interface HandleRequest {
  oncomplete?: (status: number) => void;
}

/** The handle of a Unix socket, listening or not. */
export interface PipeHandle extends Handle {
  onconnection: unknown;
  bind(path: string): number;
  listen(backlog: number): number;
  accept(client: PipeHandle): number;
}

/** What makes handles, and what belongs to all of them. */
export interface Handles {
  readonly Pipe: new (type: number) => PipeHandle;
  /** The type of a connection. */
  readonly SOCKET: number;
  /** The type of a listening socket. */
  readonly SERVER: number;
  readonly WriteWrap: new () => HandleRequest;
  readonly ShutdownWrap: new () => HandleRequest;
  /** What the last call on any handle came to, at the indices below. */
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

let found: Handles | null | undefined;

/**
 * Looks for handles, once.
 *
 * @returns Them, null where there are none.
 */
export function handles(): Handles | null {
  return found === undefined ? found = findHandles() : found;
}

function findHandles(): Handles | null {
  try {
    const { process } = globalThis as unknown as {
      process: { binding(name: string): Record<string, unknown> };
    };
    const { Pipe, constants } = process.binding("pipe_wrap");
    const stream = process.binding("stream_wrap");
    const { SOCKET, SERVER } = constants as Record<string, unknown>;
    const isExpected = isMaker(Pipe, [...USED, "bind", "listen", "accept"]) &&
      isMaker(stream.WriteWrap, []) && isMaker(stream.ShutdownWrap, []) &&
      stream.streamBaseState instanceof Int32Array &&
      [SOCKET, SERVER, stream.kReadBytesOrError, stream.kLastWriteWasAsync]
        .every((number) => typeof number === "number");
    return isExpected
      ? { ...stream, Pipe, SOCKET, SERVER } as unknown as Handles
      : null;
  } catch {
    return null; // Not in this version of the runtime.
  }
}

const USED = [
  "useUserBuffer",
  "readStart",
  "readStop",
  "writeBuffer",
  "shutdown",
  "close",
  "ref",
  "unref",
];

function isMaker(found: unknown, methods: readonly string[]): boolean {
  return typeof found === "function" && has(found.prototype, methods);
}

function has(found: object, methods: readonly string[]): boolean {
  return methods.every((name) =>
    typeof Reflect.get(found, name) === "function"
  );
}

/**
 * Looks for the handle below something of `node:net`.
 *
 * @param owner A socket, or a listening one.
 * @returns Its handle, null where there is none to be used.
 */
export function handleOf(owner: object): Handle | null {
  const handle: unknown = Reflect.get(owner, "_handle");
  if (typeof handle !== "object" || handle === null) return null;
  return handles() !== null && has(handle, USED) ? handle as Handle : null;
}

/** Bytes of a write that writes nothing. */
export const NOTHING: Uint8Array = new Uint8Array(0);

/** How long a listening handle may accept nothing for want of a descriptor. */
const NUDGE_MS = 250;

/**
 * Has a listening handle looked at: it is not any more once it has found no
 * descriptor left, though there are some again. On TCP nothing helps.
 *
 * @param handle The handle of a Unix socket.
 */
export function nudge(handle: Handle): void {
  handle.writeBuffer(new (handles()!.WriteWrap)(), NOTHING);
}

/**
 * Nudges a listening handle now and again.
 *
 * @param handle The handle of a Unix socket.
 * @param look Called each time.
 * @returns Ends it.
 */
export function keepNudging(handle: Handle, look?: () => void): () => void {
  const timer = setInterval(() => {
    nudge(handle);
    look?.();
  }, NUDGE_MS);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}
