// BodyStream: bytes from a connection as a web stream, with how much of them
// waits for its reader, which is what slows the server.

/** Held for a reader that does not read, before the server is asked to wait. */
const AHEAD_BYTES = 64 * 1024;

/** More than this waits only where a connection carries other answers. */
const MOST_BYTES = 256 * 1024;

/** Who is told what the reader does. */
export interface BodyStreamHandler {
  /** It waits for more. */
  wanted(): void;
  /** It wants nothing more. */
  cancelled(reason: unknown): void;
}

/** A body on its way in. */
export class BodyStream {
  #controller!: ReadableByteStreamController;
  #isOver = false;
  /** What the reader is told once it has all that came before. */
  #failure: { error: unknown } | null = null;
  /** What the reader has. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;

  /**
   * Creates an empty stream.
   *
   * @param handler Who is told.
   */
  constructor(handler: BodyStreamHandler) {
    this.readable = new ReadableStream({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller as ReadableByteStreamController;
      },
      pull: () => {
        if (this.#failure === null) handler.wanted();
        else this.#tellFailure(this.#failure.error);
      },
      cancel: (reason) => {
        this.#isOver = true;
        handler.cancelled(reason);
      },
    }, { highWaterMark: AHEAD_BYTES });
  }

  /** Whether more is to be read. */
  get isHungry(): boolean {
    return !this.#isOver && this.#controller.desiredSize! > 0;
  }

  /** Whether it can take no more. */
  get isFull(): boolean {
    return !this.#isOver &&
      this.#controller.desiredSize! <= AHEAD_BYTES - MOST_BYTES;
  }

  /**
   * Takes bytes.
   *
   * @param buffer What holds them; free for reuse on return.
   * @param start Where they begin.
   * @param end Where they end, excluded; after `start`.
   */
  push(buffer: Uint8Array, start: number, end: number): void {
    if (!this.#isOver) this.#controller.enqueue(buffer.slice(start, end));
  }

  /** Ends the stream, after what waits. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#controller.close();
    this.#controller.byobRequest?.respond(0);
  }

  /**
   * Fails the stream.
   *
   * @param error What the reader is told.
   * @param isAborted Whether what waits is lost, rather than read before.
   */
  fail(error: unknown, isAborted: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = { error };
    if (isAborted) this.#controller.error(error);
    else this.#tellFailure(error);
  }

  #tellFailure(error: unknown): void {
    const isDrained = this.#controller.desiredSize === AHEAD_BYTES;
    if (isDrained) this.#controller.error(error);
  }
}
