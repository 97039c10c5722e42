// Pipe: connections inside the process. A server accepts one end, a client has
// the other: no socket, so no port, no permission, and nobody else to connect.

import { ClosedError } from "../errors.ts";
import type { Transport, TransportListener } from "../server/transport.ts";

/** The bytes a direction holds before its writer waits. */
const CAPACITY = 64 * 1024;
/**
 * The bytes after which a reader lets the event loop turn. Without a socket
 * nothing else does: two ends that are always ready would let no timer fire.
 */
const TURN_BYTES = 4 * 1024 * 1024;
/** What a read counts for at the least: small ones take their time too. */
const TURN_LEAST = 4 * 1024;

/** One direction of a connection. */
class Channel {
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #sinceTurn = 0;
  #isEnded = false;
  #isBroken = false;
  #wakeReader: (() => void) | null = null;
  #wakeWriter: (() => void) | null = null;

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#isBroken) throw closed();
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    const chunk = this.#chunks[0]!;
    const length = Math.min(chunk.length, buffer.length);
    buffer.set(chunk.subarray(0, length));
    if (length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(length);
    this.#size -= length;
    this.#wake();
    this.#sinceTurn += Math.max(length, TURN_LEAST);
    if (this.#sinceTurn >= TURN_BYTES) {
      this.#sinceTurn = 0;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    // Not as soon as there is any room: pieces would get ever smaller.
    const room = Math.min(bytes.length, CAPACITY / 2);
    for (;;) {
      if (this.#isBroken || this.#isEnded) throw closed();
      if (CAPACITY - this.#size >= room) break;
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
    // A copy, for the writer's buffer is its own again.
    const chunk = bytes.slice(0, CAPACITY - this.#size);
    if (chunk.length > 0) this.#chunks.push(chunk);
    this.#size += chunk.length;
    this.#wake();
    return chunk.length;
  }

  /** Nothing more is written; what was can still be read. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Nothing more is read: what was written is gone. */
  break(): void {
    this.#isBroken = true;
    this.#chunks.length = 0;
    this.#wake();
  }

  #wake(): void {
    this.#wakeReader?.();
    this.#wakeWriter?.();
    this.#wakeReader = this.#wakeWriter = null;
  }
}

function closed(): ClosedError {
  return new ClosedError("The connection was closed");
}

/** One end of a connection. */
class PipeEnd implements Transport {
  readonly #in: Channel;
  readonly #out: Channel;

  constructor(incoming: Channel, outgoing: Channel) {
    this.#in = incoming;
    this.#out = outgoing;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#in.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#out.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#out.end();
    return Promise.resolve();
  }

  close(): void {
    this.#out.end();
    this.#in.break();
  }

  // Nothing of it is known to the event loop: it keeps no process running.
  ref(): void {}
  unref(): void {}
}

/** A listener that {@linkcode PipeListener.connect} connects to. */
export class PipeListener implements TransportListener {
  /** It has no address. */
  readonly addr: null = null;
  readonly #waiting: PromiseWithResolvers<Transport>[] = [];
  readonly #ready: Transport[] = [];
  #isClosed = false;

  /**
   * Makes a connection.
   *
   * @returns The client's end.
   * @throws {ClosedError} Where nobody listens any more.
   */
  connect(): Promise<Transport> {
    if (this.#isClosed) {
      return Promise.reject(new ClosedError("The application has stopped"));
    }
    const [up, down] = [new Channel(), new Channel()];
    const serverEnd = new PipeEnd(up, down);
    const accepting = this.#waiting.shift();
    if (accepting === undefined) this.#ready.push(serverEnd);
    else accepting.resolve(serverEnd);
    return Promise.resolve(new PipeEnd(down, up));
  }

  /** Waits for a connection. */
  accept(): Promise<Transport> {
    const end = this.#ready.shift();
    if (end !== undefined) return Promise.resolve(end);
    if (this.#isClosed) return Promise.reject(closed());
    const accepting = Promise.withResolvers<Transport>();
    this.#waiting.push(accepting);
    return accepting.promise;
  }

  /** Stops listening. */
  close(): void {
    this.#isClosed = true;
    for (const end of this.#ready.splice(0)) end.close();
    for (const accepting of this.#waiting.splice(0)) accepting.reject(closed());
  }

  /** Does nothing: it keeps no process running. */
  ref(): void {}

  /** Does nothing: it keeps no process running. */
  unref(): void {}
}
