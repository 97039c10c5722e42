// HandleWire: a connection by the handle that is below the streams of
// `node:net`, see handles.ts. Of one that `Deno.listen` has accepted there is
// none to be had on a Unix socket. On TCP there is, beside the connection and
// with a descriptor of its own, so that every event is handled twice: it is no
// faster, which was measured.

import type * as NodeNet from "node:net";
import { ClosedError } from "../errors.ts";
import { handleOf, handles, NOTHING } from "./handles.ts";
import type { Handle, HandleRequest, Handles } from "./handles.ts";
import { LARGE_INPUT } from "./reader.ts";
import type { Wire, WireReader, WireWriter } from "./wire.ts";

/**
 * Takes the streams of a socket of `node:net` away.
 *
 * @param socket A socket that nothing was read of.
 * @param remoteAddr The other end.
 * @returns The connection by its handle, null where it must be used as it is.
 */
export function socketHandleWire(
  socket: NodeNet.Socket,
  remoteAddr?: Deno.Addr,
): HandleWire | null {
  const handle = handleOf(socket);
  if (handle === null) return null;
  // It has none to tell; but one that nobody listens to ends the process.
  socket.on("error", ignore);
  return new HandleWire(handle, remoteAddr, socket);
}

function ignore(): void {}

/**
 * What all of them read into: a read is done when it is told of, and what it
 * has brought is looked at before the next one.
 */
const INCOMING = new Uint8Array(LARGE_INPUT);

/** The end of what the other end sends, as a read tells it (UV_EOF). */
const END_OF_FILE = -4095;

/** A connection, by its handle. */
export class HandleWire implements Wire {
  readonly #handle: Handle;
  readonly #all: Handles = handles()!;
  readonly #socket: NodeNet.Socket | null;
  #reader!: WireReader;
  #writer!: WireWriter;
  #isReading = false;
  #isAwaited = false;
  #isClosed = false;
  readonly remoteAddr: Deno.Addr | undefined;
  readonly buffer = INCOMING;

  /**
   * Takes a connection over.
   *
   * @param handle Its handle.
   * @param remoteAddr The other end.
   * @param socket What the handle belongs to, which closes it.
   */
  constructor(
    handle: Handle,
    remoteAddr?: Deno.Addr,
    socket: NodeNet.Socket | null = null,
  ) {
    this.#handle = handle;
    this.remoteAddr = remoteAddr;
    this.#socket = socket;
  }

  start(reader: WireReader, writer: WireWriter): void {
    this.#reader = reader;
    this.#writer = writer;
    this.#handle.onread = this.#onRead;
    this.#handle.useUserBuffer(INCOMING);
  }

  read(): void {
    this.#isAwaited = true;
    if (this.#isReading) return;
    const failed = this.#isClosed ? 0 : this.#handle.readStart();
    if (failed || this.#isClosed) this.#failRead(failed);
    else this.#isReading = true;
  }

  // For as long as each read is followed by the next, nothing stops.
  readonly #onRead = (): void => {
    const { streamBaseState, kReadBytesOrError } = this.#all;
    const length = streamBaseState[kReadBytesOrError]!;
    // Nothing was there after all; or the end was told already.
    if (length === 0 || !this.#isAwaited) return;
    this.#isAwaited = false;
    if (length > 0) this.#reader.onRead(length);
    else if (length === END_OF_FILE) this.#reader.onRead(0);
    else this.#reader.onReadFailed(systemError("read from", length));
    if (this.#isAwaited || this.#isClosed) return;
    this.#isReading = false;
    this.#handle.readStop();
  };

  #failRead(status: number): void {
    queueMicrotask(() => {
      if (!this.#isAwaited) return;
      this.#isAwaited = false;
      this.#reader.onReadFailed(systemError("read from", status));
    });
  }

  write(bytes: Uint8Array): boolean {
    if (bytes.length <= PIECE) return this.#write(bytes, bytes.length);
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      if (!this.#write(piece, at + piece.length)) return false;
    }
    return true;
  }

  #write(piece: Uint8Array, written: number): boolean {
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = this.#all;
    const request = spare ?? new WriteWrap();
    // Of a closed one it would never be told.
    const failed = this.#isClosed
      ? 0
      : this.#handle.writeBuffer(request, piece);
    if (failed || this.#isClosed) {
      queueMicrotask(() =>
        this.#writer.onWriteFailed(systemError("write to", failed))
      );
      return false;
    }
    if (streamBaseState[kLastWriteWasAsync] === 0) {
      spare = request;
      return true;
    }
    spare = null;
    request.oncomplete = (status) => {
      if (status) this.#writer.onWriteFailed(systemError("write to", status));
      else this.#writer.onWritten(written);
    };
    return false;
  }

  // A write of nothing is done at once, unless it has failed. That it has is
  // not told, but that it was not done at once.
  probe(): Promise<void> {
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = this.#all;
    const failed = this.#handle.writeBuffer(new WriteWrap(), NOTHING);
    return failed || streamBaseState[kLastWriteWasAsync] !== 0
      ? Promise.reject(systemError("write to", failed))
      : Promise.resolve();
  }

  closeWrite(): Promise<void> {
    const request = new this.#all.ShutdownWrap();
    return new Promise((resolve, reject) => {
      request.oncomplete = (status) => {
        if (status) reject(systemError("end", status));
        else resolve();
      };
      const failed = this.#handle.shutdown(request);
      if (failed) reject(systemError("end", failed));
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#socket === null) this.#handle.close(ignore);
    else this.#socket.destroy();
    this.#failRead(0);
  }

  setNoDelay(noDelay = true): void {
    this.#handle.setNoDelay?.(noDelay);
  }

  ref(): void {
    this.#handle.ref();
  }

  unref(): void {
    this.#handle.unref();
  }
}

/**
 * Of what is not written at once it is told only when all of it is: no more of
 * it, so that a slow reader is seen to read. A Unix socket takes more when the
 * other end has taken three quarters of 208 KiB.
 */
const PIECE = 128 * 1024;

/** Of a write that was done at once, for the next. */
let spare: HandleRequest | null = null;

/** One for all: most connections that are not kept end with it. */
const CLOSED = new ClosedError("The connection was closed");

function systemError(use: string, status: number): ClosedError {
  if (status === 0) return CLOSED;
  return new ClosedError(
    `Cannot ${use} the connection any more: the system's error is ${-status}`,
  );
}
