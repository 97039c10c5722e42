// Writer: what a connection sends, from the exchanges that are ready to one
// write at a time. Exchanges with much to send take turns, a buffer each.
//
// Hot. A write mostly completes at once, and where that comes by a promise, a
// turn of the microtasks later: nobody waits for it but the next write.

import type { OutputBuffer } from "../protocol/encoder.ts";
import type { Clock } from "./clock.ts";
import { nextTurn } from "./deferred.ts";
import type { Exchange } from "./exchange.ts";
import type { Pool } from "./pool.ts";
import type { Counters } from "./stats.ts";
import type { Wire, WireWriter } from "./wire.ts";
import type { Sender, WriteBatch } from "./write_batch.ts";

/** The output buffer for short answers. */
export const SMALL_OUTPUT = 16 * 1024;
/** The output buffer for long ones. */
export const LARGE_OUTPUT = 256 * 1024;

/**
 * A reader as fast as we write would have the event loop for itself: after so
 * many bytes that were written at once everything else gets its turn.
 */
const MOST_AHEAD = 256 * 1024;

/** What a writer takes from its server. */
export interface WriterSupplies {
  /** The server's clock. */
  readonly clock: Clock;
  /** Output buffers of {@linkcode SMALL_OUTPUT} bytes. */
  readonly smallOutputs: Pool<OutputBuffer>;
  /** Output buffers of {@linkcode LARGE_OUTPUT} bytes. */
  readonly largeOutputs: Pool<OutputBuffer>;
  /** What the server counts. */
  readonly counters: Counters;
  /** The writes of this turn of the event loop. */
  readonly batch: WriteBatch;
}

/** The connection, as its writer sees it. */
export interface WriterHandler {
  /** Whether no request is in flight. */
  readonly isDone: boolean;
  /** FCGI_END_REQUEST of an exchange is in the output. */
  ended(exchange: Exchange): void;
  /** All that was ready has been written, or is no longer more than enough. */
  written(): void;
  /** The other end takes nothing any more. */
  writeFailed(error: unknown): void;
}

/** The sending side of a connection. */
export class Writer implements Sender, WireWriter {
  readonly #handler: WriterHandler;
  readonly #supplies: WriterSupplies;
  readonly #wire: Wire;
  readonly #ready: Exchange[] = [];
  /** Where output is encoded to; what is being written is #writing. */
  #out: OutputBuffer | null = null;
  #writing: OutputBuffer | null = null;
  #written = 0;
  #isClosed = false;
  /** Bytes written at once since the event loop had its turn, or a bit before. */
  #ahead = 0;
  #isPaused = false;
  /** Whether what is ready after the pause leaves though it is little. */
  #isWanted = false;
  /** The clock's time when the last byte was written. */
  progressAt = 0;

  /**
   * Creates the writer of a connection.
   *
   * @param handler The connection.
   * @param supplies Buffers and clock.
   * @param wire The socket.
   */
  constructor(
    handler: WriterHandler,
    supplies: WriterSupplies,
    wire: Wire,
  ) {
    this.#handler = handler;
    this.#supplies = supplies;
    this.#wire = wire;
  }

  /** Whether bytes are on their way out. */
  get isWriting(): boolean {
    return this.#writing !== null;
  }

  /** Whether nothing is on its way out, or waits to be. */
  get isIdle(): boolean {
    return this.#writing === null &&
      (this.#out === null || this.#out.length === 0);
  }

  /** Whether more waits than the other end takes: it must stop asking. */
  get isOverfull(): boolean {
    return this.#out !== null && this.#out.length > LARGE_OUTPUT;
  }

  /** Where records are written that belong to no exchange. */
  get output(): OutputBuffer {
    return this.#out ??= this.#supplies.smallOutputs.take()!;
  }

  /**
   * An exchange has something to send. It leaves with the next
   * {@linkcode Writer.flush}.
   *
   * @param exchange The exchange.
   */
  schedule(exchange: Exchange): void {
    if (exchange.isScheduled) return;
    exchange.isScheduled = true;
    this.#ready.push(exchange);
  }

  /**
   * Encodes what is ready, and writes it unless a write is under way.
   *
   * @param isHeld Whether it is written only where there is much of it, or by
   * the next flush; it is encoded also while a write is under way.
   */
  flush(isHeld = false): void {
    if (this.#isClosed) return;
    if (this.#isPaused) {
      this.#isWanted ||= !isHeld;
      return;
    }
    if (isHeld) {
      this.#fill();
      if (this.#ready.length === 0) return;
    }
    if (this.#writing !== null) return;
    if (this.#ready.length > 0) this.#fill();
    const out = this.#out;
    if (out === null || out.length === 0) {
      this.#handler.written();
      return;
    }
    const wasOverfull = this.isOverfull;
    this.#out = null;
    this.#writing = out;
    this.#written = 0;
    this.#supplies.clock.arm();
    this.progressAt = this.#supplies.clock.now;
    // Nobody goes on with a request meanwhile, whose answer would wait for it.
    if (this.#handler.isDone) this.#supplies.batch.add(this);
    else this.#write(out);
    if (isHeld && this.#ready.length > 0) this.#fill();
    // Not only when all is written: of a stream without an end, that is never.
    if (wasOverfull) this.#handler.written();
  }

  #fill(): void {
    if (
      this.#out === null && this.#ready[0]!.output.queued > SMALL_OUTPUT / 2
    ) {
      this.#out = this.#supplies.largeOutputs.take();
    }
    this.#encode(this.output);
  }

  #encode(out: OutputBuffer): void {
    const ready = this.#ready;
    const limit = out.capacity;
    while (ready.length > 0 && out.length < limit) {
      // shift() of the last gives its room up, which the next then makes anew.
      const exchange = ready.length === 1 ? ready.pop()! : ready.shift()!;
      exchange.isScheduled = false;
      if (exchange.isEnded || !exchange.output.isReady) continue;
      const state = exchange.output.encode(
        out,
        limit,
        exchange.isInputComplete,
      );
      if (state === "ended") {
        this.#handler.ended(exchange);
        continue;
      }
      if (state === "more") {
        // Behind the others: each gets its turn.
        exchange.isScheduled = true;
        ready.push(exchange);
      }
      exchange.afterEncode();
      if (state === "more") break;
    }
  }

  /** Writes what a {@linkcode WriteBatch} has kept waiting. */
  send(): void {
    this.#write(this.#writing!);
  }

  #write(out: OutputBuffer): void {
    if (!this.#wire.write(out.from(this.#written))) return;
    const length = out.length - this.#written;
    this.#supplies.counters.bytesOut += length;
    // Given back first: the next to write has it while the caches do.
    this.#writing = null;
    this.#return(out);
    this.#ahead += length;
    if (this.#ahead < MOST_AHEAD) return this.flush();
    this.#isPaused = true;
    this.#isWanted = this.#ready.length > 0;
    nextTurn().then(() => {
      this.#ahead = 0;
      this.#isPaused = false;
      this.flush(this.#ready.length > 0 && !this.#isWanted);
    });
  }

  readonly onWritten = (length: number): void => {
    const out = this.#writing!;
    this.#ahead = 0;
    this.#supplies.counters.bytesOut += length;
    this.#written += length;
    if (this.#written < out.length && !this.#isClosed) {
      this.#supplies.clock.arm();
      this.progressAt = this.#supplies.clock.now;
      if (
        this.#ready.length > 0 && this.#out === null &&
        out.capacity === LARGE_OUTPUT
      ) {
        // Topped up, for the system takes as much as it is offered: two thirds
        // of the writes. Not past what was encoded to follow it.
        out.discard(this.#written);
        this.#written = 0;
        this.#encode(out);
      }
      this.#write(out);
      return;
    }
    this.#writing = null;
    this.#return(out);
    this.flush();
  };

  readonly onWriteFailed = (error: unknown): void => {
    this.#return(this.#writing!);
    this.#writing = null;
    this.#handler.writeFailed(error);
  };

  #return(out: OutputBuffer): void {
    const { largeOutputs, smallOutputs } = this.#supplies;
    const isLarge = out.capacity === LARGE_OUTPUT;
    out.clear();
    (isLarge ? largeOutputs : smallOutputs).give(out);
  }

  /**
   * Writes nothing any more. A write under way still holds its buffer, which
   * goes back when it has settled.
   */
  close(): void {
    this.#isClosed = true;
    if (this.#out !== null) this.#return(this.#out);
    this.#out = null;
  }
}
