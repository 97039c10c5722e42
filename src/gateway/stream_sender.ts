// Sends a stream as the body of a response: each chunk as soon as it is there,
// those of one turn of the event loop together.

import { describeError } from "../describe_error.ts";
import type { Exchange } from "../server/exchange.ts";
import { HIGH_WATER } from "../server/output.ts";

/**
 * Turns of the microtasks without a chunk that end a burst. A chunk through a
 * few promises or transform streams takes one or two dozen, at 0.04 µs each;
 * anything that waits for the system takes more than any number.
 */
const BURST_TURNS = 24;

/**
 * Bytes of a chunk that is worth more than the room it takes to keep a copy of
 * it: it is encoded at once.
 */
const LONG_CHUNK = 8 * 1024;

const RESOLVED = Promise.resolve();

/** Flushes a response a little later. */
class LateFlush {
  readonly #exchange: Exchange;
  #turnsLeft = 0;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** Flushes when a burst has ended that this prolongs. */
  flushSoon(): void {
    const isWaiting = this.#turnsLeft > 0;
    this.#turnsLeft = BURST_TURNS;
    if (!isWaiting) RESOLVED.then(this.#turn);
  }

  readonly #turn = (): void => {
    if (--this.#turnsLeft > 0) RESOLVED.then(this.#turn);
    else if (this.#exchange.isOpen) this.#exchange.flush();
  };
}

/**
 * Cancels a stream that nobody reads.
 *
 * @param exchange The request whose body it was to be.
 * @param body The stream, or what reads it.
 * @param reason Why.
 * @returns Settles when it is done; what fails is logged.
 */
export function drop(
  exchange: Exchange,
  body: Pick<ReadableStream, "cancel">,
  reason?: unknown,
): Promise<void> {
  return body.cancel(reason).catch((error) => {
    const message = `Cancelling a body failed: ${describeError(error)}`;
    for (const line of message.split("\n")) exchange.log(line);
  });
}

/** Whether as much was written as Content-Length announces. */
function isComplete({ output }: Exchange): boolean {
  return output.head !== null && output.head.contentLength >= 0 &&
    output.missing === 0;
}

/** Writes a chunk; null where the next may come at once. */
function send(exchange: Exchange, chunk: Uint8Array): Promise<void> | null {
  const { output } = exchange;
  // The first may be a body that is complete at once, and gets a length.
  const isAlone = !output.isHeadSent && output.queued === 0;
  if (chunk.length >= LONG_CHUNK && !isAlone) return exchange.stream(chunk);
  const written = exchange.write(chunk);
  return output.queued <= HIGH_WATER ? null : written;
}

/**
 * Sends a stream, up to its end or that of the request. It is read no faster
 * than the web server takes it, and cancelled, once, where nobody is left to
 * read, or it goes on after its Content-Length.
 *
 * @param exchange The request; its response has begun.
 * @param body The stream.
 * @param isEndless Whether the stream would not end by itself: it is cancelled
 * as soon as the client seems to be gone.
 * @returns Settles when it has ended, for whatever reason of the web server's.
 * @throws {unknown} What the stream failed with.
 * @throws {TypeError} Where a chunk is none of bytes.
 */
export async function sendStream(
  exchange: Exchange,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  isEndless: boolean,
): Promise<void> {
  const reader = body.getReader();
  const { signal } = exchange;
  let isCancelled = false;
  const cancel = (reason: unknown) => {
    if (isCancelled) return;
    isCancelled = true;
    drop(exchange, reader, reason);
  };
  // The signal has fired when a client that closed its writing side goes
  // altogether: only of a stream without an end it is taken for gone before.
  exchange.completed.catch(cancel);
  signal.addEventListener("abort", () => {
    if (isEndless || !exchange.isOpen) cancel(signal.reason);
  }, { once: true });
  const late = new LateFlush(exchange);
  late.flushSoon();
  for (;;) {
    const { done, value } = await reader.read();
    if (isCancelled && exchange.isOpen) throw signal.reason;
    if (isCancelled || done) return;
    if (!(value instanceof Uint8Array)) {
      const error = new TypeError(
        `Cannot send a chunk of type ${typeof value}: a body is a stream of Uint8Array`,
      );
      cancel(error);
      throw error;
    }
    const isFull = isComplete(exchange) && value.length > 0;
    const written = send(exchange, value);
    if (isFull) {
      cancel(new TypeError("The body is longer than its Content-Length"));
      return;
    }
    if (written === null) {
      late.flushSoon();
      continue;
    }
    try {
      await written;
    } catch (reason) {
      cancel(reason);
      return;
    }
  }
}
