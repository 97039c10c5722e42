// RequestBody: the body of a request on its way out. A short one is read ahead,
// so that CONTENT_LENGTH can tell its length: most FastCGI programs, PHP among
// them, take a body without one for none.

/**
 * The bytes read ahead to learn the length of a body. What is in memory as a
 * whole is one chunk, and read ahead whatever its size.
 */
const AHEAD_BYTES = 1024 * 1024;

/** The body of a request. */
export class RequestBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #ahead: Uint8Array[] = [];
  /** A read that had not settled when reading ahead was given up. */
  #pending: Promise<ReadableStreamReadResult<Uint8Array>> | null = null;
  #isComplete = false;
  #isTouched = false;
  #length: number;

  private constructor(stream: ReadableStream<Uint8Array>, length: number) {
    this.#reader = stream.getReader();
    this.#length = length;
  }

  /**
   * Takes over the body of a request.
   *
   * @param request The request; its body is used.
   * @param bufferBytes As the option of that name.
   * @param signal What gives the reading ahead up.
   * @returns The body, null where there is none.
   * @throws {TypeError} Where it has been used, what reading it throws, and
   * the signal's reason.
   */
  static async of(
    request: Request,
    bufferBytes: number,
    signal: AbortSignal | null,
  ): Promise<RequestBody | null> {
    if (request.body === null) return null;
    const announced = request.headers.get("content-length") ?? "";
    const isKnown = /^\d{1,15}$/.test(announced);
    const body = new RequestBody(
      request.body,
      isKnown ? Number(announced) : -1,
    );
    if (!isKnown) await body.#readAhead(bufferBytes, signal);
    return body;
  }

  /**
   * Takes a stream over, to be sent as it is.
   *
   * @param stream The stream; it is locked.
   * @returns The body, of unknown length.
   */
  static raw(stream: ReadableStream<Uint8Array>): RequestBody {
    return new RequestBody(stream, -1);
  }

  /** Its length, -1 where it is unknown. */
  get length(): number {
    return this.#length;
  }

  /** Whether all of it was read ahead: sending it waits for nothing. */
  get isAtHand(): boolean {
    return this.#isComplete;
  }

  /** Whether it can be sent once more: nothing but what is kept was read. */
  get isReplayable(): boolean {
    return !this.#isTouched;
  }

  /**
   * Reads while the next chunk is at hand, as those of strings, bytes, forms
   * and blobs are, and up to `bufferBytes` in any case. What is beyond, and
   * has to be waited for longer than a turn of the event loop, is streamed.
   */
  async #readAhead(
    bufferBytes: number,
    signal: AbortSignal | null,
  ): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    // Where nobody waits for it, it is no failure.
    aborted.promise.catch(() => {});
    const onAbort = () => aborted.reject(signal!.reason);
    signal?.addEventListener("abort", onAbort);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), 0);
    });
    try {
      let length = 0;
      do {
        const read = this.#reader.read();
        const result = await Promise.race(
          bufferBytes > 0 && length <= bufferBytes
            ? [read, aborted.promise]
            : [read, late],
        );
        if (result === null) {
          // Its failure is told to whoever reads on.
          read.catch(() => {});
          this.#pending = read;
          return;
        }
        if (result.done) {
          this.#isComplete = true;
          this.#length = length;
          return;
        }
        this.#ahead.push(result.value);
        length += result.value.length;
      } while (
        this.#ahead.length === 1 || length < Math.max(AHEAD_BYTES, bufferBytes)
      );
    } catch (error) {
      this.cancel(error);
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Gives the chunks; for the part read ahead, as often as wanted.
   *
   * @throws What reading the request's body throws.
   */
  async *chunks(): AsyncGenerator<Uint8Array, void> {
    yield* this.#ahead;
    while (!this.#isComplete) {
      this.#isTouched = true;
      const { done, value } = await (this.#pending ?? this.#reader.read());
      this.#pending = null;
      if (done) this.#isComplete = true;
      else yield value;
    }
  }

  /**
   * Tells its source that no more of it is wanted.
   *
   * @param reason Why.
   */
  cancel(reason?: unknown): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    // It has failed already, then; nothing more is to be known.
    this.#reader.cancel(reason).catch(() => {});
  }
}
