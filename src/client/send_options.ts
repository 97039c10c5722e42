// The options of one request.

import type { FastCGIEnd } from "./reply.ts";

/** A role that a server is asked to take (FastCGI 1.0, section 6). */
export type FastCGIRole = "responder" | "authorizer" | "filter";

/** The options of {@linkcode FastCGIClient.fetch}. */
export interface FastCGIFetchOptions {
  /**
   * Gives the request up. Null for nothing that does. `Deno.serve` fires the
   * signal of its requests after success too, and prints a warning of that
   * once it is looked at, unless it runs with `--unstable-no-legacy-abort`;
   * the client takes no notice of what comes after the end.
   *
   * @default {request.signal}
   */
  signal?: AbortSignal | null;
  /**
   * The role asked for.
   *
   * @default {"responder"}
   */
  role?: FastCGIRole;
  /**
   * FCGI_DATA, the file of a Filter. FCGI_DATA_LENGTH and
   * FCGI_DATA_LAST_MOD are parameters of the caller's to give.
   */
  data?: Uint8Array;
  /**
   * Bytes of a body of unknown length that are waited for and held, so that
   * CONTENT_LENGTH can tell its length: PHP takes a body without one for none.
   * A longer one is sent without, unless `needsLength`. The bodies of strings, bytes, forms and blobs
   * need none of it.
   *
   * @default {0}
   */
  bufferBytes?: number;
  /**
   * Whether a longer one is refused, with `BODY_TOO_LARGE`, rather than sent
   * without CONTENT_LENGTH.
   *
   * @default {false}
   */
  needsLength?: boolean;
  /**
   * Takes each line of the error stream of this request, in place of the
   * client's own `onStderr`.
   */
  onStderr?: (line: string) => void;
  /**
   * Called at the end of the request (FCGI_END_REQUEST), before the end of the
   * response's body.
   */
  onEnd?: (end: FastCGIEnd) => void;
}

/** The options of {@linkcode FastCGIClient.send}. */
export interface FastCGISendOptions {
  /** FCGI_STDIN; none by default. */
  body?: Uint8Array<ArrayBuffer> | string | ReadableStream<Uint8Array> | null;
  /** FCGI_DATA; none by default. */
  data?: Uint8Array;
  /**
   * The role asked for, a number for one that FastCGI 1.0 does not have.
   *
   * @default {"responder"}
   */
  role?: FastCGIRole | number;
  /** Gives the request up. */
  signal?: AbortSignal;
  /** Takes FCGI_STDERR as it comes. Nobody does by default. */
  onStderr?: (bytes: Uint8Array<ArrayBuffer>) => void;
}
