// What is answered without the application: refused requests, and the
// management records (FastCGI 1.0, section 4).

import { HeaderBlock } from "../cgi/header_block.ts";
import type { Limits } from "../options.ts";
import {
  ProtocolStatus,
  RecordType,
  ValueName,
} from "../protocol/constants.ts";
import type { OutputBuffer } from "../protocol/encoder.ts";
import type { Refusal } from "../protocol/multiplexer.ts";
import { encodePairs } from "../protocol/pairs.ts";
import type { Exchange } from "./exchange.ts";

/** What a refused request is answered with. */
const REFUSALS: Readonly<
  Record<Refusal, readonly [status: number, ProtocolStatus, why: string]>
> = {
  params_too_large: [
    431,
    ProtocolStatus.REQUEST_COMPLETE,
    "its parameters are more than maxParamsBytes allows",
  ],
  params_malformed: [
    400,
    ProtocolStatus.REQUEST_COMPLETE,
    "its parameters are no name-value pairs, or came out of order",
  ],
  overloaded: [
    503,
    ProtocolStatus.OVERLOADED,
    "more requests are in flight on its connection than maxRequestsPerConnection allows",
  ],
  unknown_role: [
    500,
    ProtocolStatus.UNKNOWN_ROLE,
    "its role is neither Responder, Authorizer nor Filter",
  ],
  begin_malformed: [
    400,
    ProtocolStatus.REQUEST_COMPLETE,
    "its FCGI_BEGIN_REQUEST is not of eight bytes",
  ],
};

/**
 * Whether a request is refused because of a limit, and not for its faults.
 *
 * @param refusal Why it is refused.
 * @returns Whether that is a limit.
 */
export function isLimit(refusal: Refusal): boolean {
  return refusal === "overloaded" || refusal === "params_too_large";
}

/**
 * Answers a request that is not given to the application: always with a whole
 * response, for web servers take a bare protocol status for success, or hang.
 *
 * @param exchange The request.
 * @param refusal Why.
 */
export function refuseExchange(exchange: Exchange, refusal: Refusal): void {
  const [status, protocolStatus, why] = REFUSALS[refusal];
  exchange.setStatus(0, protocolStatus);
  exchange.log(`Refused a request with ${status}: ${why}`);
  exchange.refuse(status);
}

/**
 * As {@linkcode refuseExchange}, of a request that no state is kept of.
 *
 * @param out Where to.
 * @param id The request id.
 * @param refusal Why.
 */
export function writeRefusal(
  out: OutputBuffer,
  id: number,
  refusal: Refusal,
): void {
  const [status, protocolStatus] = REFUSALS[refusal];
  const head = new HeaderBlock(status, "", []);
  const block = new Uint8Array(head.maxLength);
  out.stream(RecordType.STDOUT, id, block, 0, head.write(block, 0, 0));
  out.endResponse(id, 0, protocolStatus);
}

/**
 * Answers FCGI_GET_VALUES (section 4.1) with those of the names that are known.
 *
 * @param out Where to.
 * @param names The names asked for.
 * @param limits What is answered from.
 */
export function writeValues(
  out: OutputBuffer,
  names: readonly string[],
  limits: Limits,
): void {
  const { maxConnections, maxRequestsPerConnection } = limits;
  const values: Readonly<Record<string, string>> = {
    [ValueName.MAX_CONNS]: String(Math.min(maxConnections, 0xffff)),
    // For all connections by the specification; HAProxy, the only web server
    // that asks, takes it for one connection's.
    [ValueName.MAX_REQS]: String(maxRequestsPerConnection),
    [ValueName.MPXS_CONNS]: maxRequestsPerConnection > 1 ? "1" : "0",
  };
  const pairs = [...new Set(names)]
    .filter((name) => Object.hasOwn(values, name))
    .map((name) => [name, values[name]!] as const);
  out.management(RecordType.GET_VALUES_RESULT, encodePairs(pairs));
}
