// What serve() takes and gives.

import type { ApplicationOptions } from "../options.ts";
import type { FastCGIServer } from "../server/server.ts";
import type { FetchApplication } from "./fetch.ts";
import type { ServeHandlerInfo } from "./serve_info.ts";

/**
 * Answers requests.
 *
 * @param request The request.
 * @param info What else is known of it.
 * @returns The response.
 */
export type ServeHandler = (
  request: Request,
  info: ServeHandlerInfo,
) => Response | Promise<Response>;

/** What {@linkcode serve} may be told beside where to listen. */
export interface ServeBaseOptions extends ApplicationOptions {
  /** Stops the server, gracefully, when it fires. */
  signal?: AbortSignal;
  /**
   * Answers for what the handler threw, or for what it returned that is no
   * Response to send. The default writes it to the error stream, and answers
   * as an {@linkcode Application} does.
   */
  onError?: (error: unknown) => Response | Promise<Response>;
}

/** The options of {@linkcode serve} on TCP. */
export interface ServeTcpOptions extends ServeBaseOptions {
  /** The port; 0 takes a free one. */
  port: number;
  /**
   * The host, as of {@linkcode TcpListenOptions}.
   *
   * @default {"127.0.0.1"}
   */
  hostname?: string;
  /**
   * Called once it listens, with the address. The default writes one line that
   * says so.
   */
  onListen?: (addr: Deno.NetAddr) => void;
}

/** The options of {@linkcode serve} on a Unix socket. */
export interface ServeUnixOptions extends ServeBaseOptions {
  /** The path of the socket. */
  path: string;
  /** Its permissions, as of {@linkcode UnixListenOptions}. */
  mode?: number;
  /** Its owner, as of {@linkcode UnixListenOptions}. */
  owner?: string | number;
  /** Its group, as of {@linkcode UnixListenOptions}. */
  group?: string | number;
  /** As of {@linkcode ServeTcpOptions}. */
  onListen?: (addr: Deno.UnixAddr) => void;
}

/**
 * The options of {@linkcode serve}, wherever it listens. Without an address
 * that is the socket inherited as descriptor 0; where that is none, the address
 * in the environment variable `SMISK_BIND`, if it may be read; otherwise
 * 127.0.0.1:9000.
 */
export interface ServeOptions extends ServeBaseOptions {
  /** The host, as of {@linkcode TcpListenOptions}. */
  hostname?: string;
  /**
   * The port; 0 takes a free one.
   *
   * @default {9000}
   */
  port?: number;
  /** The path of a Unix socket to listen on, in place of TCP. */
  path?: string;
  /** Its permissions, as of {@linkcode UnixListenOptions}. */
  mode?: number;
  /** Its owner, as of {@linkcode UnixListenOptions}. */
  owner?: string | number;
  /** Its group, as of {@linkcode UnixListenOptions}. */
  group?: string | number;
  /** An inherited listening socket, as of {@linkcode ListenOptions}. */
  fd?: number;
  /**
   * As of {@linkcode ServeTcpOptions}; the address is null on an inherited Unix
   * socket, of which the system tells nothing.
   */
  onListen?: (addr: Deno.Addr | null) => void;
}

/** The handler of {@linkcode serve}, among its options. */
export type ServeInit = {
  /** Answers requests. */
  handler: ServeHandler;
} | FetchApplication;

/** A server whose address is of a kind that is known. */
export type ServerAt<Addr extends Deno.Addr> = FastCGIServer & {
  readonly addr: Addr;
};
