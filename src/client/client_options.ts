// The options of a client, with unit, default and bounds: the one place that
// fills defaults in and refuses values.

import { resolveNumbers } from "../options.ts";
import type { Transport } from "../server/transport.ts";

/** Where a FastCGI server listens: an address, or a function that connects. */
export type ClientAddress =
  | string
  | { hostname?: string; port: number }
  | { path: string }
  | { connect(): Promise<Transport> };

/** The limits and time-outs of a client, one set for all its requests. */
export interface ClientLimitOptions {
  /**
   * Connections open at once. Beyond it requests wait for one that is free, in
   * the order they came. What fits a server that has a process for each
   * connection, as PHP-FPM does: its number of processes.
   *
   * @default {Infinity}
   */
  maxConnections?: number;
  /**
   * Connections without a request that are kept for the next one; 0 makes a
   * new one for each. A kept one holds a process of PHP-FPM.
   *
   * @default {8}
   */
  maxIdleConnections?: number;
  /**
   * Requests at once on one connection to a server that multiplexes; no more
   * than its own FCGI_MAX_REQS in any case.
   *
   * @default {8}
   */
  maxRequestsPerConnection?: number;
  /**
   * Bytes of the header of a response. Beyond it the request fails with
   * `HEADER_TOO_LARGE`.
   *
   * @default {65536}
   */
  maxHeaderBytes?: number;
  /**
   * Bytes of the body of a response, which streams, so that none is held in
   * memory. Beyond it the body fails with `RESPONSE_TOO_LARGE`.
   *
   * @default {Infinity}
   */
  maxResponseBytes?: number;
  /**
   * Bytes of the error stream (FCGI_STDERR) of one request. Beyond it the rest
   * is left out, and a last line says so.
   *
   * @default {1048576}
   */
  maxStderrBytes?: number;
  /**
   * Milliseconds to connect. Beyond it: `CONNECT_TIMEOUT`, status 504.
   *
   * @default {10000}
   */
  connectTimeoutMs?: number;
  /**
   * Milliseconds to wait for one of `maxConnections`. Beyond it:
   * `QUEUE_TIMEOUT`, status 503.
   *
   * @default {30000}
   */
  queueTimeoutMs?: number;
  /**
   * Milliseconds without a byte of the answer, once the request has been sent
   * and while more is wanted. Beyond it: `READ_TIMEOUT`, status 504.
   *
   * @default {60000}
   */
  readTimeoutMs?: number;
  /**
   * Milliseconds in which the server takes no byte. Beyond it the connection
   * is closed, and what is on it fails with `WRITE_TIMEOUT`, status 504.
   *
   * @default {60000}
   */
  writeTimeoutMs?: number;
  /**
   * Milliseconds for which a response that is not read may hold back the
   * others on its connection, once 256 KiB of it wait. Beyond it that response
   * fails with `BODY_STALLED`. Alone on its connection it may wait for ever.
   * Also those for which a request that was given up may go on: a shared
   * connection then takes no further one, and closes after those on it.
   *
   * @default {10000}
   */
  stallTimeoutMs?: number;
  /**
   * Milliseconds a connection is kept without a request.
   *
   * @default {60000}
   */
  idleTimeoutMs?: number;
}

/** The options of a client. */
export interface FastCGIClientOptions extends ClientLimitOptions {
  /**
   * Whether requests share connections where the server says that it
   * multiplexes (FCGI_MPXS_CONNS, FastCGI 1.0, section 4.1). It is asked once
   * a second request comes while the first is under way, or by `values()`.
   *
   * @default {true}
   */
  multiplex?: boolean;
  /**
   * Takes each line that the server writes to its error stream (FCGI_STDERR),
   * and the request it belongs to. A line is untrusted text, with its control
   * characters; the default writes it to `console.error` with these escaped.
   *
   * @default {console.error}
   */
  onStderr?: (line: string, request: Request) => void;
}

/** {@linkcode ClientLimitOptions}, with every default filled in. */
export type ClientLimits = Readonly<Required<ClientLimitOptions>>;

// [default, least, most], as in ../options.ts.
const LIMITS: Readonly<
  Record<keyof ClientLimitOptions, readonly [number, number, number]>
> = {
  maxConnections: [Infinity, 1, Infinity],
  maxIdleConnections: [8, 0, Infinity],
  maxRequestsPerConnection: [8, 1, 0xffff],
  maxHeaderBytes: [64 * 1024, 64, Number.MAX_SAFE_INTEGER],
  maxResponseBytes: [Infinity, 0, Infinity],
  maxStderrBytes: [1024 * 1024, 0, Infinity],
  connectTimeoutMs: [10_000, 1, Infinity],
  queueTimeoutMs: [30_000, 1, Infinity],
  readTimeoutMs: [60_000, 1, Infinity],
  writeTimeoutMs: [60_000, 1, Infinity],
  stallTimeoutMs: [10_000, 1, Infinity],
  idleTimeoutMs: [60_000, 1, Infinity],
};

/**
 * Fills in the defaults of the limits.
 *
 * @param options What the user set.
 * @returns Every limit.
 * @throws {TypeError} Where a value is no number.
 * @throws {RangeError} Where it is out of bounds or no whole number.
 */
export function resolveClientLimits(options: ClientLimitOptions): ClientLimits {
  return resolveNumbers(options, LIMITS);
}
