// What is overdue on a connection, looked for at each tick of the clock.

import { LimitError } from "../errors.ts";
import { Phase } from "../protocol/multiplexer.ts";
import type { Clock } from "./clock.ts";
import type { Connection } from "./connection.ts";
import type { Exchange } from "./exchange.ts";

/**
 * Milliseconds for which one unread body may hold up the other requests of a
 * connection that is known to carry several, for FastCGI has no flow control
 * per request. Of one that is not, it is bodyTimeoutMs: web servers give a
 * write up after as long.
 */
export const STALL_TIMEOUT_MS = 10_000;

/** Milliseconds for which input is dropped after an early answer. */
export const DRAIN_TIMEOUT_MS = 30_000;

/** Milliseconds a connection may take to close from the other end. */
export const CLOSE_TIMEOUT_MS = 2_000;

/**
 * Milliseconds after which a client that has closed its writing side is taken
 * for gone, where that cannot be found out: the signal fires, but an answer
 * would still be sent.
 */
export const HALF_CLOSE_GRACE_MS = 1_000;

/**
 * Ends what is overdue.
 *
 * @param connection The connection.
 * @param clock The clock.
 * @returns Whether anything is still waited for.
 */
export function sweep(connection: Connection, clock: Clock): boolean {
  const { limits, writer } = connection;
  if (
    writer.isWriting && clock.isOver(writer.progressAt, limits.writeTimeoutMs)
  ) {
    connection.shut(
      new LimitError(
        "WRITE_TIMEOUT",
        `The web server took no byte of the output for ${limits.writeTimeoutMs} ms (writeTimeoutMs): the connection was closed`,
        limits.writeTimeoutMs,
        Math.round(clock.now - writer.progressAt),
      ),
    );
    return false;
  }
  if (connection.closingAt > 0) {
    if (!clock.isOver(connection.closingAt, CLOSE_TIMEOUT_MS)) return true;
    connection.shut();
    return false;
  }
  const { multiplexer } = connection;
  if (multiplexer.count > 0) {
    if (connection.endedAt > 0) connection.probe();
    // Asked before one of them is given up: the others are not at fault.
    const { isStalled } = connection.dispatcher;
    for (const exchange of multiplexer.requests()) {
      sweepExchange(connection, exchange, clock, isStalled);
    }
    return true;
  }
  if (!writer.isIdle) {
    // The end of the last answer is on its way out: to close would cut it.
    connection.activeAt = clock.now;
    return true;
  }
  if (
    connection.midRecordAt > 0 &&
    clock.isOver(connection.midRecordAt, limits.paramsTimeoutMs)
  ) {
    connection.closePolitely();
    return true;
  }
  if (clock.isOver(connection.activeAt, limits.idleTimeoutMs)) {
    connection.closePolitely();
    return true;
  }
  return connection.midRecordAt > 0 || limits.idleTimeoutMs !== Infinity;
}

function sweepExchange(
  connection: Connection,
  exchange: Exchange,
  clock: Clock,
  isHeldUp: boolean,
): void {
  const { limits } = connection;
  if (exchange.phase === Phase.PARAMS && !exchange.output.isFinished) {
    if (!isHeldUp && clock.isOver(exchange.beganAt, limits.paramsTimeoutMs)) {
      exchange.log(
        `Refused a request with 408: its parameters did not end within ${limits.paramsTimeoutMs} ms (paramsTimeoutMs)`,
      );
      exchange.isInputGivenUp = true;
      exchange.isRefused = true;
      exchange.refuse(408);
    }
    return;
  }
  if (exchange.output.isFinished) {
    if (
      !exchange.isInputComplete &&
      clock.isOver(exchange.answeredAt, DRAIN_TIMEOUT_MS)
    ) connection.dispatcher.giveUpInput(exchange);
    return;
  }
  if (clock.isOver(exchange.beganAt, limits.requestTimeoutMs)) {
    exchange.fail(
      504,
      new LimitError(
        "REQUEST_TIMEOUT",
        `The request was not answered within ${limits.requestTimeoutMs} ms (requestTimeoutMs)`,
        limits.requestTimeoutMs,
        Math.round(clock.now - exchange.beganAt),
        { status: 504 },
      ),
    );
    return;
  }
  if (
    connection.endedAt > 0 && !connection.isProbed &&
    clock.isOver(connection.endedAt, HALF_CLOSE_GRACE_MS)
  ) exchange.hint(connection.lost());
  const { awaited } = exchange;
  if (isHeldUp && awaited !== null) awaited.activeAt = clock.now;
  if (
    awaited !== null && clock.isOver(awaited.activeAt, limits.bodyTimeoutMs)
  ) {
    exchange.failInput(
      new LimitError(
        "BODY_TIMEOUT",
        `No byte of the body came for ${limits.bodyTimeoutMs} ms (bodyTimeoutMs)`,
        limits.bodyTimeoutMs,
        Math.round(clock.now - awaited.activeAt),
        { status: 408 },
      ),
    );
  }
  if (exchange.isStalled) sweepStalled(connection, exchange, clock);
}

/** An unread body holds up what may come behind it on the connection. */
function sweepStalled(
  connection: Connection,
  exchange: Exchange,
  clock: Clock,
): void {
  const { bodyTimeoutMs } = connection.limits;
  const timeoutMs = connection.dispatcher.isMultiplexed
    ? Math.min(STALL_TIMEOUT_MS, bodyTimeoutMs)
    : bodyTimeoutMs;
  if (!clock.isOver(exchange.stalledAt, timeoutMs)) return;
  exchange.stall(
    new LimitError(
      "BODY_STALLED",
      `The body was not read for ${timeoutMs} ms, and held up what comes behind it on its connection`,
      timeoutMs,
      Math.round(clock.now - exchange.stalledAt),
      { status: 503 },
    ),
  );
}
