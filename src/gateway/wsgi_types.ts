// The words of WSGI (PEP 3333), as TypeScript has them.

import type { Application } from "../application.ts";

/** One piece of a body; a string is encoded in the gateway's charset. */
export type WsgiChunk = string | Uint8Array;

/**
 * What an application returns: its body, chunk by chunk. A string or bytes by
 * themselves are a body of one chunk.
 *
 * Where it has a `close()`, that is called once when the request is over,
 * however it ended; otherwise `return()` of its iterator is.
 */
export type WsgiBody =
  | WsgiChunk
  | Iterable<WsgiChunk>
  | AsyncIterable<WsgiChunk>;

/** The headers given to {@linkcode StartResponse}, in order; names may repeat. */
export type WsgiHeaders = readonly (readonly [name: string, value: string])[];

/**
 * What {@linkcode StartResponse} returns: writes to the body, ahead of what the
 * application returns. Returning chunks is the better way.
 *
 * @param chunk What is written; it leaves at once.
 * @returns Settles once it is on its way.
 */
export type WsgiWrite = (chunk: WsgiChunk) => Promise<void>;

/**
 * Sets status and headers. They leave with the first chunk that is not empty.
 *
 * @param status The status and its reason, such as `200 OK`.
 * @param headers Names and values.
 * @param error What made the application change its mind: with it, status and
 * headers may be set again as long as they have not left. Afterwards it is
 * thrown.
 * @returns The function `write`.
 */
export type StartResponse = (
  status: string,
  headers: WsgiHeaders,
  error?: unknown,
) => WsgiWrite;

/**
 * A WSGI-style application: PEP 3333 with promises. It may be `async`, and its
 * body may be an async iterable.
 *
 * @param env What was asked.
 * @param startResponse Sets status and headers.
 * @returns The body.
 */
export type WsgiApplication = (
  env: WsgiEnvironment,
  startResponse: StartResponse,
) => WsgiBody | Promise<WsgiBody>;

/** The request's body, as a file of bytes: `wsgi.input`. */
export interface WsgiInputStream
  extends AsyncIterable<Uint8Array<ArrayBuffer>> {
  /**
   * Reads bytes.
   *
   * @param size How many; fewer come at the end alone. All by default.
   * @returns The bytes; none at the end.
   */
  read(size?: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Reads a line, with its line feed.
   *
   * @param size The most bytes of it.
   * @returns The line; empty at the end.
   */
  readline(size?: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Reads lines.
   *
   * @param hint The bytes after which no further line is read. All lines by
   * default.
   * @returns The lines.
   */
  readlines(hint?: number): Promise<Uint8Array<ArrayBuffer>[]>;
  /** The lines, one by one. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>>;
}

/** The error stream, a file of text: `wsgi.errors`. */
export interface WsgiErrorStream {
  /**
   * Writes text. Each line of it becomes one of the web server's log.
   *
   * @param text The text.
   */
  write(text: string): void;
  /**
   * Writes several strings.
   *
   * @param lines The strings; no line ends are added.
   */
  writelines(lines: Iterable<string>): void;
  /** Ends a line that was begun. */
  flush(): void;
}

/**
 * What is known of a request: the variables of the web server, and those of
 * WSGI. It belongs to the application, which may add to it and change it.
 *
 * It behaves as a plain object, but is put together when it is read. Of a
 * request that was answered within the call nothing can be read any more that
 * was not read before.
 */
export interface WsgiEnvironment {
  /** The method, such as `GET`. */
  REQUEST_METHOD: string;
  /** The part of the path that leads to the application; may be empty. */
  SCRIPT_NAME: string;
  /** The rest of the path; may be empty. */
  PATH_INFO: string;
  /** What follows the question mark; may be empty. */
  QUERY_STRING: string;
  /** The web server's name; never empty. */
  SERVER_NAME: string;
  /** The web server's port; never empty. */
  SERVER_PORT: string;
  /** The protocol the client speaks, such as `HTTP/1.1`. */
  SERVER_PROTOCOL: string;
  /** The type of the body. */
  CONTENT_TYPE?: string;
  /** The length of the body; absent or empty where it is unknown. */
  CONTENT_LENGTH?: string;
  /** The target as the client sent it. */
  REQUEST_URI?: string;
  /** The client's address. */
  REMOTE_ADDR?: string;
  /** The user the web server has authenticated. */
  REMOTE_USER?: string;
  /** A header of the request; repeated ones are joined. */
  [header: `HTTP_${string}`]: string | undefined;
  /** The version of WSGI. */
  "wsgi.version": readonly [major: number, minor: number];
  /** The scheme of the URL: `http` or `https`. */
  "wsgi.url_scheme": string;
  /** The request's body. */
  "wsgi.input": WsgiInputStream;
  /** The error stream. */
  "wsgi.errors": WsgiErrorStream;
  /** Whether another thread may call the application: never. */
  "wsgi.multithread": boolean;
  /** Whether another process may: `wsgiMultiprocess` of the gateway. */
  "wsgi.multiprocess": boolean;
  /** Whether the application is called only once: never. */
  "wsgi.run_once": boolean;
  /** The gateway. */
  "smisk.app": Application;
  /** Whatever else the web server, middleware or the application put in. */
  [name: string]: unknown;
}
