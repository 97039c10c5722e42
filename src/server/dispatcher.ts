// Dispatcher: what is done with each request that the multiplexer finds, and
// whose unread input holds the reading of its connection up.

import { AbortedError } from "../errors.ts";
import type { Limits } from "../options.ts";
import type {
  Multiplexer,
  MultiplexerHandler,
  Phase,
  Refusal,
} from "../protocol/multiplexer.ts";
import type { Clock } from "./clock.ts";
import { Exchange } from "./exchange.ts";
import type { ExchangeHost } from "./exchange.ts";
import type { Gate } from "./gate.ts";
import type { Pool } from "./pool.ts";
import {
  isLimit,
  refuseExchange,
  writeRefusal,
  writeValues,
} from "./replies.ts";
import type { Counters } from "./stats.ts";
import type { Writer } from "./writer.ts";

/** The server, as a dispatcher sees it. */
export interface DispatcherOwner {
  /** The limits in force. */
  readonly limits: Limits;
  /** The server's clock. */
  readonly clock: Clock;
  /** Buffers for the parameters of requests that go on: KEPT_PARAMS bytes. */
  readonly keptParams: Pool<Uint8Array>;
  /** Lets requests through. */
  readonly gate: Gate;
  /** What the server counts. */
  readonly counters: Counters;
  /** Runs the application for a request. Never throws. */
  serve(exchange: Exchange): void;
  /** A request was answered in the application's place. Never throws. */
  refused(exchange: Exchange): void;
}

/** The connection, as its dispatcher sees it. */
export interface DispatcherHost extends ExchangeHost {
  /** The requests in flight. */
  readonly multiplexer: Multiplexer<Exchange>;
  /** What is sent. */
  readonly writer: Writer;
  /** Looks again whether reading may go on. */
  wakeUp(): void;
}

/** Unread input past which a connection is read no further. */
const STALL_BYTES = 256 * 1024;
/** Input dropped after an early answer before it is given up on. */
const DRAIN_BYTES = 256 * 1024 * 1024;

/** Hands the requests of one connection to the application. */
export class Dispatcher implements MultiplexerHandler<Exchange> {
  readonly #host: DispatcherHost;
  readonly #owner: DispatcherOwner;
  #stalled = 0;
  /** Whether the other end uses one connection for several requests. */
  isMultiplexed = false;

  /**
   * Creates the dispatcher of a connection.
   *
   * @param host The connection.
   * @param owner The server.
   */
  constructor(host: DispatcherHost, owner: DispatcherOwner) {
    this.#host = host;
    this.#owner = owner;
  }

  begin(id: number, role: number, keepConnection: boolean): Exchange {
    this.#owner.clock.arm();
    if (id !== 1 || this.#host.multiplexer.count > 0) this.isMultiplexed = true;
    const exchange = new Exchange(this.#host, id, role, keepConnection);
    exchange.timing = this.#owner.counters.begin(this.#host.now);
    return exchange;
  }

  request(
    exchange: Exchange,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): void {
    exchange.setParams(buffer, start, end);
    exchange.output.hasNoBody = exchange.isHead;
    if (exchange.refusal !== null) {
      exchange.isRefused = isLimit(exchange.refusal);
      refuseExchange(exchange, exchange.refusal);
      this.#owner.refused(exchange);
    } else if (this.#owner.gate.admit(exchange, buffer)) {
      this.#owner.serve(exchange);
    } else this.#owner.refused(exchange);
    const { keptParams } = this.#owner;
    if (exchange.output.isFinished) exchange.dropParams(keptParams);
    else exchange.keepParams(keptParams);
  }

  input(
    exchange: Exchange,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (exchange.output.isFinished) {
      exchange.drained += end - start;
      if (exchange.drained > DRAIN_BYTES) this.giveUpInput(exchange);
      return;
    }
    exchange.takeInput(buffer, start, end);
    if (exchange.buffered > STALL_BYTES && !exchange.isStalled) {
      exchange.isStalled = true;
      exchange.stalledAt = this.#host.now;
      this.#stalled++;
    }
  }

  inputEnd(exchange: Exchange, ended: Phase): void {
    exchange.endInput(ended);
  }

  abort(exchange: Exchange): void {
    exchange.abort(
      new AbortedError(
        `The web server aborted request ${exchange.id} (FCGI_ABORT_REQUEST)`,
      ),
    );
    this.#host.endNow(exchange);
  }

  refuse(id: number, refusal: Refusal): void {
    if (isLimit(refusal)) this.#owner.counters.refused++;
    writeRefusal(this.#host.writer.output, id, refusal);
  }

  getValues(names: string[]): void {
    this.isMultiplexed = true;
    writeValues(this.#host.writer.output, names, this.#owner.limits);
  }

  unknownType(type: number): void {
    this.#host.writer.output.unknownType(type);
  }

  /** Whether anything of a request in flight is still to come. */
  get awaitsInput(): boolean {
    for (const exchange of this.#host.multiplexer.requests()) {
      if (!exchange.isInputComplete) return true;
    }
    return false;
  }

  /** Whether input that is not read holds the connection up. */
  get isStalled(): boolean {
    return this.#stalled > 0;
  }

  /** What else may come of a request's body is no longer waited for. */
  giveUpInput(exchange: Exchange): void {
    if (exchange.isInputGivenUp) return;
    exchange.isInputGivenUp = true;
    this.#host.schedule(exchange);
  }

  /** Input was read: looks which request holds up no more. */
  unstallAll(): void {
    if (this.#stalled === 0) return;
    for (const exchange of this.#host.multiplexer.requests()) {
      if (exchange.buffered <= STALL_BYTES / 2) this.release(exchange);
    }
  }

  /**
   * A request holds the connection up no more.
   *
   * @param exchange The request.
   */
  release(exchange: Exchange): void {
    if (!exchange.isStalled) return;
    exchange.isStalled = false;
    this.#stalled--;
    if (this.#stalled === 0) this.#host.wakeUp();
  }
}
