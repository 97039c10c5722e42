// ResponseSink: who is told what comes of a request on a connection.

import type { FastCgiError } from "../errors.ts";
import type { FastCGIEnd } from "./reply.ts";

/** Who is told what comes of a request. Nothing of it may throw. */
export interface ResponseSink {
  /** Whether it waits for more. */
  readonly isHungry: boolean;
  /** Whether it can take no more. */
  readonly isFull: boolean;
  /** Bytes of FCGI_STDOUT, at least one, valid during the call. */
  output(buffer: Uint8Array, start: number, end: number): void;
  /** Bytes of FCGI_STDERR, at least one, valid during the call. */
  errorOutput(buffer: Uint8Array, start: number, end: number): void;
  /** FCGI_END_REQUEST: the connection has forgotten the request. */
  ended(end: FastCGIEnd): void;
  /** After `ended`, once all that was read with it has been seen. */
  settled(): void;
  /** The connection is gone; null where the other end closed it. */
  lost(error: FastCgiError | null, hasPart: boolean): void;
  /** It was full for too long while others had to wait. */
  stalled(): void;
}

/** A request that was given up: what still comes of it is dropped. */
export const DROPPED: ResponseSink = {
  isHungry: true,
  isFull: false,
  output() {},
  errorOutput() {},
  ended() {},
  settled() {},
  lost() {},
  stalled() {},
};
