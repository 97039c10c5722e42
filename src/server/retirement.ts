// Retirement: the end of connections whose server another one has taken the
// place of. There is no hurry, so each may end when nobody misses it.
//
// FastCGI has no word for "this connection ends after the answer". A web server
// that sends a request at that very moment gets none, and repeats no POST. Just
// after an answer that is likely, for nginx takes the connection used last:
// under load one POST in 150 to 300 failed during a reload, and one in 1,000 to
// 3,000 where only quiet connections end.

import type { Connection } from "./connection.ts";
import { nextTurn } from "./deferred.ts";

/** How long all of it may take. */
const RETIRE_MS = 1_000;

/** How long nothing has come on a quiet connection, and up to twice that. */
const QUIET_MS = 50;

/**
 * Closes each connection once it is quiet.
 *
 * @param connections Those that are open.
 * @param isOver Whether to give it up.
 * @returns Settles when it is over, or took too long.
 */
export async function closeQuiet(
  connections: ReadonlySet<Connection>,
  isOver: () => boolean,
): Promise<void> {
  const end = performance.now() + RETIRE_MS;
  const seen = new WeakMap<Connection, number>();
  while (!isOver() && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    await socketsSeen();
    for (const connection of [...connections]) {
      const { reads } = connection;
      // One on which nothing has ever come is about to bring something.
      if (reads > 0 && seen.get(connection) === reads) shutIfIdle(connection);
      seen.set(connection, reads);
    }
  }
}

/**
 * Both sides at once: all that had come was read, and to close the writing side
 * alone takes the runtime until later, when more may have come.
 */
function shutIfIdle(connection: Connection): void {
  const { closingAt, midRecordAt, multiplexer, writer } = connection;
  if (multiplexer.count > 0 || !writer.isIdle) return;
  if (midRecordAt === 0 && closingAt === 0) connection.shut();
}

/**
 * Turns of the event loop after which it has looked at every socket: it does
 * so when it has nothing else to do, or after 61 turns. A timer will not do,
 * for where the machine is busy it is over before the loop has looked: half of
 * the stops lost connections.
 */
const TURNS = 128;

/** Settles when all that had come to the sockets has been noticed. */
export async function socketsSeen(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await nextTurn();
}
