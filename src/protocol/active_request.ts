// ActiveRequest: what the multiplexer keeps of one request in flight, and the
// words for its states.

import type { ParamsScan } from "./params_scan.ts";

/** How far the input of a request has come. */
export const Phase = { PARAMS: 0, STDIN: 1, DATA: 2, COMPLETE: 3 } as const;
/** How far the input of a request has come. */
export type Phase = typeof Phase[keyof typeof Phase];

/** Why a request is not given to the application. */
export type Refusal =
  /** Its parameters are more than the limit allows. */
  | "params_too_large"
  /** Its parameters are no name-value pairs, or its streams are out of order. */
  | "params_malformed"
  /** More requests than the limit allows are in flight on the connection. */
  | "overloaded"
  /** Its role is none of the three. */
  | "unknown_role"
  /** Its FCGI_BEGIN_REQUEST is not of eight bytes. */
  | "begin_malformed";

/** One request in flight, as the protocol sees it. */
export class ActiveRequest implements ParamsScan {
  /** The request id, 1 to 65,535. */
  readonly id: number;
  /** The role asked for, any number. */
  readonly role: number;
  /** Whether the web server keeps the connection (FCGI_KEEP_CONN). */
  readonly keepConnection: boolean;
  /** How far the input has come. */
  phase: Phase = Phase.PARAMS;
  /** Why it is refused, null where it is not. */
  refusal: Refusal | null = null;
  contentLength = -1;
  dataLength = -1;
  methodStart = -1;
  methodEnd = -1;
  hostStart = -1;
  hostEnd = -1;
  uriStart = -1;
  uriEnd = -1;
  schemeStart = -1;
  schemeEnd = -1;
  httpsStart = -1;
  httpsEnd = -1;
  areLengthsShort = true;
  /**
   * Whether the empty record has come that ends the input: by its length input
   * may be complete before.
   */
  isInputEnded = false;
  /** The bytes of STDIN so far. */
  received = 0;
  /** The bytes of DATA so far. */
  dataReceived = 0;
  /** The parameters so far, where they did not come whole. */
  gathered: Uint8Array | null = null;
  /** How many bytes of parameters have come. */
  paramsLength = 0;

  /**
   * Creates the state at FCGI_BEGIN_REQUEST (section 5.1).
   *
   * @param id The request id.
   * @param role The role.
   * @param keepConnection Whether FCGI_KEEP_CONN was set.
   */
  constructor(id: number, role: number, keepConnection: boolean) {
    this.id = id;
    this.role = role;
    this.keepConnection = keepConnection;
  }
}
