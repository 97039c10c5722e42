// Gate: which requests are let through to the application. What the protocol
// itself refuses is in replies.ts; here is what CGI asks for, and what a peer
// that speaks no FastCGI at all is told in the log.

import { isHost } from "../cgi/url.ts";
import type { ProtocolError } from "../errors.ts";
import type { Limits } from "../options.ts";
import { isSame } from "../protocol/bytes.ts";
import { formatAddress } from "./address.ts";
import type { Exchange } from "./exchange.ts";
import { bodyTooLarge } from "./request_input.ts";

/** Longer hosts are looked at each time they come. */
const KEPT_HOST_LENGTH = 256;

/** The gate of one server. */
export class Gate {
  readonly #limits: Limits;
  /** The host last seen to be one: nearly always that of the next request. */
  #host: Uint8Array = new Uint8Array(0);

  /**
   * Creates a gate.
   *
   * @param limits The limits in force.
   */
  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /**
   * Lets a request through, or answers it.
   *
   * @param exchange The request.
   * @param buffer What its parameters lie in.
   * @returns Whether it is to be served.
   */
  admit(exchange: Exchange, buffer: Uint8Array): boolean {
    if (exchange.methodEnd <= exchange.methodStart) {
      exchange.log(
        "Refused a request with 500: REQUEST_METHOD is missing. Configure the web server to send the CGI parameters (nginx: include fastcgi_params)",
      );
      exchange.refuse(500);
      return false;
    }
    if (!this.#hasHost(exchange, buffer)) {
      exchange.refuse(400, "The Host header is no host");
      return false;
    }
    const { maxBodyBytes } = this.#limits;
    if (exchange.contentLength > maxBodyBytes) {
      exchange.log(bodyTooLarge(maxBodyBytes, exchange.contentLength).message);
      exchange.isRefused = true;
      exchange.refuse(413);
      return false;
    }
    return true;
  }

  /** Whether HTTP_HOST is a host, or absent. */
  #hasHost(exchange: Exchange, buffer: Uint8Array): boolean {
    const start = exchange.paramsStart + exchange.hostStart;
    const end = exchange.paramsStart + exchange.hostEnd;
    if (start >= end || isSame(buffer, start, end, this.#host)) return true;
    if (!isHost(exchange.latin1Param("HTTP_HOST")!)) return false;
    if (end - start < KEPT_HOST_LENGTH) this.#host = buffer.slice(start, end);
    return true;
  }
}

/**
 * What the log says of a connection whose framing was lost.
 *
 * @param error What was wrong.
 * @param first The first byte of the read.
 * @param addr The other end.
 * @returns The kind of trouble, and a sentence.
 */
export function explainFraming(
  error: ProtocolError,
  first: number,
  addr: Deno.Addr | undefined,
): [kind: string, message: string] {
  const isUnix = addr === undefined || addr.transport === "unix";
  const peer = isUnix ? "a Unix socket" : formatAddress(addr);
  const isText = first >= 0x20 && first < 0x7f;
  const isTls = first === 0x16;
  if (error.offset > 0 || !(isText || isTls)) {
    return [error.code, `Closed a connection from ${peer}: ${error.message}`];
  }
  return [
    "http",
    `Closed a connection from ${peer}: it speaks ${
      isText ? "HTTP" : "TLS"
    }, and this is a FastCGI port. Put a web server in front, or start with --http`,
  ];
}
