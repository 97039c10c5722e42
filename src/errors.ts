// The error tree. Every error this package throws at run time is one of these;
// a caller's misuse (wrong argument, wrong moment) throws TypeError or RangeError.
//
//   Error
//   └─ FastCgiError      code, status
//      ├─ ProtocolError  the peer broke FastCGI 1.0; requestId, offset
//      ├─ LimitError     a configured limit was hit; limit, actual
//      ├─ AbortedError   the web server or this server gave the request up
//      ├─ ClosedError    the connection is gone
//      ├─ ConnectError   a client reaches no server
//      ├─ RefusedError   a server ended a client's request unanswered; appStatus, protocolStatus
//      ├─ HttpError      thrown by an application to answer with a status
//      └─ StartError     a server could not start: address, permission, argument

/** What every {@linkcode FastCgiError} may be given beyond its message. */
export interface FastCgiErrorOptions extends ErrorOptions {
  /**
   * The HTTP status an application answers with when it lets the error pass,
   * 400 to 599.
   *
   * @default {500}
   */
  status?: number;
}

/**
 * The base class of every error this package throws because of what happened
 * at run time, rather than because of a caller's mistake.
 *
 * Nothing is sent for the error itself; where one leaves `service()`, the
 * request is answered with {@linkcode FastCgiError.status}.
 *
 * @example Catch whatever reading a body may throw
 * ```ts
 * import { FastCgiError, LimitError } from "@smisk/smisk";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const error = new LimitError("BODY_TOO_LARGE", "Body is too large", 10, 11);
 * assert(error instanceof FastCgiError);
 * assertEquals(error.code, "BODY_TOO_LARGE");
 * ```
 */
export class FastCgiError extends Error {
  /** The class name, for logs. */
  override name = "FastCgiError";
  /** A stable word for what happened, such as `"BODY_TOO_LARGE"`. */
  readonly code: string;
  /** The HTTP status that fits the error, 400 to 599. */
  readonly status: number;

  /**
   * Creates the error.
   *
   * @param code The stable word.
   * @param message A sentence that names what was wrong and the value.
   * @param options The cause, and the status (500 by default).
   */
  constructor(code: string, message: string, options?: FastCgiErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = options?.status ?? 500;
  }
}

/**
 * The peer broke FastCGI 1.0 or announced what it did not send.
 *
 * Seen by an application only while it reads a body (`BODY_TRUNCATED`, status
 * 400). Where framing is lost the connection is closed; otherwise only the one
 * request ends. A client sees it where a server is at fault (`BAD_RESPONSE`,
 * 502).
 *
 * @example Tell a truncated body from other errors
 * ```ts
 * import { ProtocolError } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new ProtocolError("BODY_TRUNCATED", "Body ended early", 1, 24);
 * assertEquals([error.requestId, error.offset], [1, 24]);
 * ```
 */
export class ProtocolError extends FastCgiError {
  /** The class name, for logs. */
  override name = "ProtocolError";
  /** The FastCGI request id concerned, 0 for the connection as a whole. */
  readonly requestId: number;
  /** Bytes received on the connection, or of the body, before the fault. */
  readonly offset: number;

  /**
   * Creates the error.
   *
   * @param code The stable word.
   * @param message A sentence that names what was wrong and the value.
   * @param requestId The request id, 0 for the connection.
   * @param offset The byte offset of the fault.
   * @param options The cause, and the status (400 by default).
   */
  constructor(
    code: string,
    message: string,
    requestId: number,
    offset: number,
    options?: FastCgiErrorOptions,
  ) {
    super(code, message, { status: 400, ...options });
    this.requestId = requestId;
    this.offset = offset;
  }
}

/**
 * A limit of the configuration was hit: a size, a count or a time.
 *
 * Seen by an application while it reads a body (`BODY_TOO_LARGE`, status 413;
 * `BODY_TIMEOUT`, 408; `BODY_STALLED`, 503) and as the reason of
 * `request.signal` (`REQUEST_TIMEOUT`, 504); of a client, for each of its
 * limits and time-outs (502, 503 or 504).
 *
 * @example Read the limit that was hit
 * ```ts
 * import { LimitError } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new LimitError("BODY_TOO_LARGE", "Body is too large", 10, 11, {
 *   status: 413,
 * });
 * assertEquals([error.limit, error.actual, error.status], [10, 11, 413]);
 * ```
 */
export class LimitError extends FastCgiError {
  /** The class name, for logs. */
  override name = "LimitError";
  /** The limit, in the unit of the option: bytes, a count or milliseconds. */
  readonly limit: number;
  /** The value that went past it, in the same unit. */
  readonly actual: number;

  /**
   * Creates the error.
   *
   * @param code The stable word.
   * @param message A sentence that names the limit and the value.
   * @param limit The limit.
   * @param actual The value that went past it.
   * @param options The cause and the status.
   */
  constructor(
    code: string,
    message: string,
    limit: number,
    actual: number,
    options?: FastCgiErrorOptions,
  ) {
    super(code, message, options);
    this.limit = limit;
    this.actual = actual;
  }
}

/**
 * The request was given up: the web server sent FCGI_ABORT_REQUEST (FastCGI
 * 1.0, section 5.4), or this server was forced to stop.
 *
 * It is the reason of `request.signal` and what reading the body throws.
 * Later output of the request is dropped.
 *
 * @example Recognise an abort
 * ```ts
 * import { AbortedError } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new AbortedError("Request 1 was aborted").code, "ABORTED");
 * ```
 */
export class AbortedError extends FastCgiError {
  /** The class name, for logs. */
  override name = "AbortedError";

  /**
   * Creates the error, with code `"ABORTED"`.
   *
   * @param message Who gave the request up.
   * @param options The cause.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("ABORTED", message, options);
  }
}

/**
 * The other end's connection is gone, or the thing used was closed.
 *
 * It is the reason of `request.signal` and what reading the body throws; of a
 * client, what a request fails with (status 502 where the server closed).
 *
 * @example Recognise a lost connection
 * ```ts
 * import { ClosedError } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new ClosedError("The connection was lost").code, "CLOSED");
 * ```
 */
export class ClosedError extends FastCgiError {
  /** The class name, for logs. */
  override name = "ClosedError";

  /**
   * Creates the error, with code `"CLOSED"`.
   *
   * @param message What was closed.
   * @param options The cause, and the status (500 by default).
   */
  constructor(message: string, options?: FastCgiErrorOptions) {
    super("CLOSED", message, options);
  }
}

/**
 * A client reaches no FastCGI server: nobody listens, or the system refuses.
 * Nothing of the request was sent, so it may be made again.
 *
 * @example Recognise a server that is not there
 * ```ts
 * import { ConnectError } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new ConnectError("Cannot connect to 127.0.0.1:9000");
 * assertEquals([error.code, error.status], ["CONNECT_FAILED", 502]);
 * ```
 */
export class ConnectError extends FastCgiError {
  /** The class name, for logs. */
  override name = "ConnectError";

  /**
   * Creates the error, with code `"CONNECT_FAILED"` and status 502.
   *
   * @param message Where to, and why not.
   * @param options The cause.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("CONNECT_FAILED", message, { ...options, status: 502 });
  }
}

/**
 * A server ended the request of a client without an answer to it, with a
 * protocol status that says why (FastCGI 1.0, section 5.5): `OVERLOADED`
 * (FCGI_OVERLOADED or FCGI_CANT_MPX_CONN, status 503) or `UNKNOWN_ROLE`
 * (FCGI_UNKNOWN_ROLE, 502).
 *
 * @example Tell an overload from another refusal
 * ```ts
 * import { RefusedError } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new RefusedError("OVERLOADED", "It has too many", 0, 2, {
 *   status: 503,
 * });
 * assertEquals([error.protocolStatus, error.status], [2, 503]);
 * ```
 */
export class RefusedError extends FastCgiError {
  /** The class name, for logs. */
  override name = "RefusedError";
  /** The application status of FCGI_END_REQUEST, 0 to 2^32 - 1. */
  readonly appStatus: number;
  /** The protocol status of FCGI_END_REQUEST, 1 to 255. */
  readonly protocolStatus: number;

  /**
   * Creates the error.
   *
   * @param code The stable word.
   * @param message A sentence that says what was refused.
   * @param appStatus The application status.
   * @param protocolStatus The protocol status.
   * @param options The cause and the status.
   */
  constructor(
    code: string,
    message: string,
    appStatus: number,
    protocolStatus: number,
    options?: FastCgiErrorOptions,
  ) {
    super(code, message, options);
    this.appStatus = appStatus;
    this.protocolStatus = protocolStatus;
  }
}

/**
 * Thrown by an application, anywhere below `service()`, to answer with a
 * status. The message is shown to the client; a 5xx is also logged.
 *
 * @example Answer 404
 * ```ts
 * import { HttpError } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new HttpError(404, "No such page");
 * assertEquals([error.status, error.message], [404, "No such page"]);
 * ```
 */
export class HttpError extends FastCgiError {
  /** The class name, for logs. */
  override name = "HttpError";

  /**
   * Creates the error, with code `"HTTP"`.
   *
   * @param status The status to answer with, 400 to 599.
   * @param message What the client is told.
   * @param options The cause.
   * @throws {RangeError} Where the status is none of 400 to 599.
   */
  constructor(status: number, message = "", options?: ErrorOptions) {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(
        `Cannot answer with an error status other than 400 to 599: current value is ${status}`,
      );
    }
    super("HTTP", message, { ...options, status });
  }
}

/**
 * A server could not start because of how it was started: an address in use,
 * a missing permission, a bad argument. `run()` prints its message on one line
 * and exits with status 1 (2 for a bad argument).
 *
 * @example Recognise an address in use
 * ```ts
 * import { StartError } from "@smisk/smisk";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new StartError("ADDRESS_IN_USE", "Port 9000 is in use");
 * assertEquals(error.code, "ADDRESS_IN_USE");
 * ```
 */
export class StartError extends FastCgiError {
  /** The class name, for logs. */
  override name = "StartError";
}
