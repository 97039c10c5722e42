// Input: one stream of bytes that a request brings (FCGI_STDIN or FCGI_DATA),
// from the connection's reused buffer to the application. Here is the one copy
// that input bytes take.

/** Who holds the connection that an {@linkcode Input} is filled from. */
export interface InputOwner {
  /** The application waits for bytes. */
  inputAwaited(input: Input): void;
  /** Bytes were taken: reading may go on. */
  inputTaken(input: Input): void;
}

interface Waiter {
  resolve(chunk: Uint8Array<ArrayBuffer> | null): void;
  reject(error: unknown): void;
}

const EMPTY = new Uint8Array(0);

/** Up to here pieces that wait are joined. */
const JOINED_LENGTH = 16 * 1024;

/** Up to here what is announced is believed, and made room for at once. */
const TRUSTED_LENGTH = 4 * 1024 * 1024;

function cutError(): TypeError {
  return new TypeError(
    "Cannot read the body: the request was answered, or the reading cancelled, and the rest was dropped",
  );
}

/** The bytes of one stream, as they come. */
export class Input {
  readonly #owner: InputOwner;
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #waiter: Waiter | null = null;
  /** Where `all()` gathers. */
  #target: Uint8Array<ArrayBuffer> | null = null;
  #targetLength = 0;
  #isEnded = false;
  #isDiscarded = false;
  /** Whether bytes were dropped that nobody has read, or may have been. */
  #isCut = false;
  #error: unknown = null;
  /** Bytes that have come and were not taken. */
  buffered = 0;
  /** The clock's time of the last byte, or since when one is waited for. */
  activeAt = 0;

  /**
   * Creates an input that has not begun.
   *
   * @param owner Who holds the connection.
   */
  constructor(owner: InputOwner) {
    this.#owner = owner;
  }

  /** Whether the application waits for bytes. */
  get isAwaited(): boolean {
    return this.#waiter !== null;
  }

  /** Whether all has come, or nothing more is wanted. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Takes bytes of the connection; they are copied.
   *
   * @param buffer What holds them.
   * @param start Where they begin.
   * @param end Where they end, excluded.
   */
  push(buffer: Uint8Array, start: number, end: number): void {
    if (this.#isEnded || this.#isDiscarded) return;
    if (this.#target !== null) {
      this.#gather(buffer, start, end);
      this.#owner.inputAwaited(this);
      return;
    }
    const waiter = this.#waiter;
    if (waiter !== null) {
      this.#waiter = null;
      waiter.resolve(buffer.slice(start, end));
      return;
    }
    this.buffered += end - start;
    if (!this.#join(buffer, start, end)) {
      this.#chunks.push(buffer.slice(start, end));
    }
  }

  /**
   * Adds a small piece to the last, where that is small too: a body in records
   * of one byte would otherwise take 200 times its size.
   */
  #join(buffer: Uint8Array, start: number, end: number): boolean {
    const last = this.#chunks.at(-1);
    if (last === undefined) return false;
    const length = last.length + (end - start);
    if (length > JOINED_LENGTH) return false;
    let room = last.buffer;
    if (length > room.byteLength) {
      const grown = new Uint8Array(length * 2);
      grown.set(last);
      room = grown.buffer;
    }
    const joined = new Uint8Array(room, 0, length);
    joined.set(buffer.subarray(start, end), last.length);
    this.#chunks[this.#chunks.length - 1] = joined;
    return true;
  }

  /** All has come. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const waiter = this.#waiter;
    this.#waiter = null;
    if (this.#target !== null) waiter?.resolve(this.#takeTarget());
    else waiter?.resolve(null);
  }

  /**
   * Nothing more will come: reading fails, after what has come was read.
   *
   * @param error What reading fails with.
   */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#error = error;
    this.#target = null;
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(error);
  }

  /**
   * Nothing more is wanted: what comes is dropped. Who reads all the same
   * fails, unless all had been read.
   */
  discard(): void {
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    this.#isCut = !this.#isEnded || this.#chunks.length > 0;
    this.#chunks = [];
    this.#target = null;
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(cutError());
    if (this.buffered > 0) {
      this.buffered = 0;
      this.#owner.inputTaken(this);
    }
  }

  /**
   * Takes the next bytes.
   *
   * @returns A chunk that is the caller's, or null at the end.
   */
  read(): Promise<Uint8Array<ArrayBuffer> | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.buffered -= chunk.length;
      this.#owner.inputTaken(this);
      return Promise.resolve(chunk);
    }
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#isCut) return Promise.reject(cutError());
    if (this.#isEnded) return Promise.resolve(null);
    return this.#wait();
  }

  /**
   * Takes all bytes at once.
   *
   * @param announced How many will come, -1 where it is unknown.
   * @returns The bytes, which fill their buffer.
   */
  async all(announced: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#isCut) throw this.#error ?? cutError();
    const [only] = this.#chunks;
    if (
      this.#isEnded && this.#chunks.length === 1 && this.#error === null &&
      // Whoever takes its buffer for all of it must not find more there.
      only!.length === only!.buffer.byteLength
    ) {
      this.#chunks = [];
      this.buffered = 0;
      return only!;
    }
    const expected = Math.min(Math.max(announced, 0), TRUSTED_LENGTH);
    this.#target = new Uint8Array(Math.max(expected, this.buffered));
    for (const chunk of this.#chunks) this.#gather(chunk, 0, chunk.length);
    this.#chunks = [];
    if (this.buffered > 0) {
      this.buffered = 0;
      this.#owner.inputTaken(this);
    }
    if (this.#error !== null) throw this.#error;
    if (this.#isEnded) return this.#takeTarget();
    return (await this.#wait()) ?? EMPTY;
  }

  /**
   * The bytes as a stream, which takes them as it is read.
   *
   * @returns The stream.
   */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      pull: async (controller) => {
        const chunk = await this.read();
        if (chunk === null) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => this.discard(),
    }, { highWaterMark: 0 });
  }

  #wait(): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#waiter !== null) {
      throw new TypeError("Cannot read the input twice at once");
    }
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#owner.inputAwaited(this);
    });
  }

  #gather(buffer: Uint8Array, start: number, end: number): void {
    let target = this.#target!;
    const length = this.#targetLength + (end - start);
    if (length > target.length) {
      const grown = new Uint8Array(Math.max(length, target.length * 2));
      grown.set(target.subarray(0, this.#targetLength));
      this.#target = target = grown;
    }
    target.set(buffer.subarray(start, end), this.#targetLength);
    this.#targetLength = length;
  }

  #takeTarget(): Uint8Array<ArrayBuffer> {
    const target = this.#target!;
    this.#target = null;
    return target.length === this.#targetLength
      ? target
      : target.slice(0, this.#targetLength);
  }
}
