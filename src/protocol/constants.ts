// The numbers of FastCGI 1.0, each with its section. Nothing else.

/** FCGI_VERSION_1, the only version (section 3.3). */
export const VERSION = 1;

/** FCGI_HEADER_LEN: every record begins with so many bytes (section 3.3). */
export const HEADER_LENGTH = 8;

/** The most content one record carries: a 16-bit length (section 3.3). */
export const MAX_CONTENT_LENGTH = 0xffff;

/** FCGI_NULL_REQUEST_ID: the id of management records (section 3.3). */
export const NULL_REQUEST_ID = 0;

/** The content of FCGI_BEGIN_REQUEST, FCGI_END_REQUEST and FCGI_UNKNOWN_TYPE. */
export const BODY_LENGTH = 8;

/** FCGI_KEEP_CONN, a flag of FCGI_BEGIN_REQUEST (section 5.1). */
export const KEEP_CONN = 0b0000_0001;

/** Record types (sections 4, 5 and 8). */
export const RecordType = {
  BEGIN_REQUEST: 1,
  ABORT_REQUEST: 2,
  END_REQUEST: 3,
  PARAMS: 4,
  STDIN: 5,
  STDOUT: 6,
  STDERR: 7,
  DATA: 8,
  GET_VALUES: 9,
  GET_VALUES_RESULT: 10,
  UNKNOWN_TYPE: 11,
} as const;
/** A record type (sections 4, 5 and 8). */
export type RecordType = typeof RecordType[keyof typeof RecordType];

/** Roles (section 6). */
export const Role = { RESPONDER: 1, AUTHORIZER: 2, FILTER: 3 } as const;
/** A role (section 6). */
export type Role = typeof Role[keyof typeof Role];

/** The protocolStatus of FCGI_END_REQUEST (section 5.5). */
export const ProtocolStatus = {
  REQUEST_COMPLETE: 0,
  CANT_MPX_CONN: 1,
  OVERLOADED: 2,
  UNKNOWN_ROLE: 3,
} as const;
/** The protocolStatus of FCGI_END_REQUEST (section 5.5). */
export type ProtocolStatus = typeof ProtocolStatus[keyof typeof ProtocolStatus];

/** The variables of FCGI_GET_VALUES (section 4.1). */
export const ValueName = {
  MAX_CONNS: "FCGI_MAX_CONNS",
  MAX_REQS: "FCGI_MAX_REQS",
  MPXS_CONNS: "FCGI_MPXS_CONNS",
} as const;
