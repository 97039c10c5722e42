// WsgiBodyReader: the chunks of a body that come one by one, and its closing.

/** Told of an error that has nobody else to go to. */
export type Report = (error: unknown) => void;

interface Closeable {
  close?: unknown;
}

type Chunks = Iterator<unknown> | AsyncIterator<unknown>;

/** Reads one body. */
export class WsgiBodyReader {
  readonly #body: object & Closeable;
  readonly #report: Report;
  #chunks: Chunks | null = null;
  #isDone = false;
  #isClosed = false;

  /**
   * Takes a body, to be closed from now on.
   *
   * @param body An iterable, an async iterable, or an array that is closed only.
   * @param report Told of errors of the closing.
   */
  constructor(body: object, report: Report) {
    this.#body = body;
    this.#report = report;
  }

  /**
   * Asks for the next chunk.
   *
   * @returns It, or the promise of it.
   */
  next(): IteratorResult<unknown> | Promise<IteratorResult<unknown>> {
    this.#chunks ??= iteratorOf(this.#body);
    return this.#chunks.next();
  }

  /** There are no more chunks, or the body has failed. */
  done(): void {
    this.#isDone = true;
  }

  /**
   * Closes the body, once: by its `close()`, as PEP 3333 has it, otherwise by
   * `return()` of its iterator. An iterator of its own that was left early is
   * returned in any case, as a loop would do.
   *
   * @param known The error that is told already.
   */
  close(known?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const body = this.#body;
    const hasClose = typeof body.close === "function";
    const attempt = (close: () => unknown) => {
      const report = (error: unknown) => {
        if (error !== known) this.#report(error);
      };
      try {
        const closed = close();
        if (isPromiseLike(closed)) closed.then(undefined, report);
      } catch (error) {
        report(error);
      }
    };
    const isLeft = !Array.isArray(body) && !(hasClose && this.#isDone);
    if (isLeft) {
      attempt(() => {
        const chunks = this.#chunks ??= iteratorOf(body);
        return chunks === body && hasClose ? undefined : chunks.return?.();
      });
    }
    if (hasClose) attempt(() => (body as { close(): unknown }).close());
  }
}

/**
 * Whether a value is awaited.
 *
 * @param value The value.
 * @returns Whether it has a `then()`.
 */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/**
 * Whether a value is an iterable, or an async one.
 *
 * @param value The value.
 * @returns Whether it is.
 */
export function isIterable(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = value as {
    [Symbol.asyncIterator]?: unknown;
    [Symbol.iterator]?: unknown;
  };
  return typeof later === "function" || typeof now === "function";
}

function iteratorOf(body: object): Chunks {
  if (body instanceof ReadableStream) return new StreamChunks(body);
  return Symbol.asyncIterator in body
    ? (body as AsyncIterable<unknown>)[Symbol.asyncIterator]()
    : (body as Iterable<unknown>)[Symbol.iterator]();
}

/**
 * The chunks of a stream. Its own iterator, returned while a chunk is waited
 * for, would wait with it, and the stream be cancelled never.
 */
class StreamChunks implements AsyncIterator<unknown> {
  readonly #reader: ReadableStreamDefaultReader<unknown>;

  constructor(stream: ReadableStream<unknown>) {
    this.#reader = stream.getReader();
  }

  next(): Promise<IteratorResult<unknown>> {
    return this.#reader.read() as Promise<IteratorResult<unknown>>;
  }

  async return(): Promise<IteratorResult<unknown>> {
    await this.#reader.cancel();
    return { done: true, value: undefined };
  }
}
