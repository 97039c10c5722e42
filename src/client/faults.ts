// What goes wrong between a client and a server, as the errors that tell it.

import {
  ClosedError,
  LimitError,
  ProtocolError,
  RefusedError,
} from "../errors.ts";
import type { FastCgiError } from "../errors.ts";
import { ProtocolStatus } from "../protocol/constants.ts";

/**
 * The server broke FastCGI 1.0.
 *
 * @param why How, as the end of a sentence.
 * @param requestId The request it concerns, 0 for the connection.
 * @param cause What found it out.
 * @returns `BAD_RESPONSE`.
 */
export function badResponse(
  why: string,
  requestId = 0,
  cause?: ProtocolError,
): ProtocolError {
  return new ProtocolError(
    "BAD_RESPONSE",
    `The FastCGI server broke the protocol: ${why}`,
    requestId,
    cause?.offset ?? 0,
    { status: 502, cause },
  );
}

/**
 * What the server sends is no FastCGI.
 *
 * @param buffer What holds it.
 * @param length Its bytes.
 * @param fault What found it out.
 * @returns `BAD_RESPONSE`, naming HTTP where it is that.
 */
export function noFastCgi(
  buffer: Uint8Array,
  length: number,
  fault: ProtocolError,
): ProtocolError {
  const begin = String.fromCharCode(...buffer.subarray(0, Math.min(length, 5)));
  return badResponse(
    begin === "HTTP/"
      ? "it speaks HTTP, and no FastCGI"
      : fault.message[0]!.toLowerCase() + fault.message.slice(1),
    0,
    fault,
  );
}

/**
 * The server closed the connection.
 *
 * @param hasHeader Whether the header of its response was complete.
 * @returns `CLOSED`.
 */
export function closedEarly(hasHeader: boolean): ClosedError {
  return new ClosedError(
    `The FastCGI server closed the connection before ${
      hasHeader
        ? "the end of its response (FCGI_END_REQUEST)"
        : "the header of its response was complete"
    }`,
    { status: 502 },
  );
}

/** The client was closed by its owner. */
export function clientClosed(): ClosedError {
  return new ClosedError("The FastCGI client was closed");
}

/**
 * The body of a response is not as long as its Content-Length says.
 *
 * @param announced What it says.
 * @param received What came, so far.
 * @returns `BAD_RESPONSE`.
 */
export function lengthMismatch(
  announced: number,
  received: number,
): ProtocolError {
  return new ProtocolError(
    "BAD_RESPONSE",
    `The FastCGI server sent a body of ${received} bytes: its Content-Length says ${announced}`,
    0,
    received,
    { status: 502 },
  );
}

/**
 * The body of a request is not as long as its Content-Length says.
 *
 * @param announced What it says.
 * @param sent The bytes there were.
 * @returns A caller's mistake.
 */
export function wrongLength(announced: number, sent: string): TypeError {
  return new TypeError(
    `Cannot send a body of ${sent} bytes: its Content-Length says ${announced}`,
  );
}

/**
 * The body of a request is of unknown length, and longer than may be held.
 *
 * @param bufferBytes What may be.
 * @returns `BODY_TOO_LARGE`.
 */
export function tooLong(bufferBytes: number): LimitError {
  return new LimitError(
    "BODY_TOO_LARGE",
    `The body of the request has no Content-Length, and is more than the ${bufferBytes} bytes of bufferBytes`,
    bufferBytes,
    bufferBytes + 1,
    { status: 413 },
  );
}

/**
 * The request came to its end without the header of a response.
 *
 * @param appStatus The application status.
 * @param protocolStatus The protocol status, which may say why.
 * @returns `OVERLOADED`, `UNKNOWN_ROLE` or `BAD_RESPONSE`.
 */
export function noHeader(
  appStatus: number,
  protocolStatus: number,
): FastCgiError {
  switch (protocolStatus) {
    case ProtocolStatus.OVERLOADED:
    case ProtocolStatus.CANT_MPX_CONN: {
      const name = protocolStatus === ProtocolStatus.OVERLOADED
        ? "FCGI_OVERLOADED"
        : "FCGI_CANT_MPX_CONN";
      return new RefusedError(
        "OVERLOADED",
        `The FastCGI server refused the request: it has too many (${name})`,
        appStatus,
        protocolStatus,
        { status: 503 },
      );
    }
    case ProtocolStatus.UNKNOWN_ROLE:
      return new RefusedError(
        "UNKNOWN_ROLE",
        "The FastCGI server refused the request: it has not the role asked for, such as Responder (FCGI_UNKNOWN_ROLE)",
        appStatus,
        protocolStatus,
        { status: 502 },
      );
    default:
      return new ProtocolError(
        "BAD_RESPONSE",
        `The FastCGI server ended the request without a response header (application status ${appStatus})`,
        0,
        0,
        { status: 502 },
      );
  }
}

/**
 * A time-out of the client was hit.
 *
 * @param code The stable word.
 * @param what What took too long, as the beginning of a sentence.
 * @param name The option.
 * @param limit Its milliseconds.
 * @param status The status that fits, 504 by default.
 * @returns It.
 */
export function timedOut(
  code: "CONNECT_TIMEOUT" | "QUEUE_TIMEOUT" | "READ_TIMEOUT" | "WRITE_TIMEOUT",
  what: string,
  name: string,
  limit: number,
  status = 504,
): LimitError {
  return new LimitError(
    code,
    `${what} within the ${limit} milliseconds that ${name} allows`,
    limit,
    limit,
    { status },
  );
}
