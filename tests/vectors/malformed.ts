// Vectors that no web server should send, of which only the one request, or
// where framing is lost the connection, may suffer.

import {
  ABORT,
  BEGIN,
  begin,
  concat,
  concatLarge,
  DATA,
  END,
  GET_VALUES,
  GET_VALUES_RESULT,
  pair,
  pairs,
  PARAMS,
  record,
  STDERR,
  STDIN,
  STDOUT,
  stream,
  UNKNOWN_TYPE,
} from "../support/wire.ts";
import type { Vector } from "./vector.ts";

const REFUSED = [
  "begin 1 role 1 keep",
  "request 1 refused params_malformed stdin",
];

/** Parameters that are no pairs, each after one that is. */
const pairFaults: Vector[] = ([
  ["a name length alone", [3]],
  ["lengths of a name that is missing", [3, 0]],
  ["a value that is cut off", [1, 4, 0x41, 0x42]],
  ["a four-byte name length of one byte", [0x80]],
  ["a four-byte name length of three bytes", [0x80, 0, 0]],
  ["a four-byte name length and no value length", [0x80, 0, 0, 1]],
  ["a four-byte value length of one byte", [1, 0x80]],
  ["a four-byte value length of three bytes", [1, 0x80, 0, 0]],
  ["a name of 2^31 - 1 bytes", [0xff, 0xff, 0xff, 0xff, 0]],
  ["a value of 2^31 - 1 bytes", [1, 0xff, 0xff, 0xff, 0xff, 0x41]],
] as const).map(([what, content]) => ({
  name: `refuses parameters that end with ${what}`,
  bytes: concat([
    begin(),
    stream(
      PARAMS,
      1,
      concat([pairs({ CONTENT_LENGTH: "0" }), new Uint8Array(content)]),
    ),
    stream(STDIN, 1, "abc"),
  ]),
  // CONTENT_LENGTH before the fault is not used either.
  events: [...REFUSED, "input 1 stdin abc", "end 1 stdin 3"],
}));

const PAIR = pair("A", "v".repeat(98));

const limits: Vector[] = [
  {
    name: "takes parameters of just the limit",
    bytes: concatLarge([
      begin(),
      stream(PARAMS, 1, concatLarge([PAIR, PAIR]), 50),
      record(STDIN, 1),
    ]),
    setup: { maxParamsBytes: PAIR.length * 2 },
    events: [
      "begin 1 role 1 keep",
      "request 1 - stdin",
      ` A=${"v".repeat(98)}`,
      ` A=${"v".repeat(98)}`,
      "end 1 stdin 0",
    ],
  },
  ...[PAIR.length * 2, 50, 1].map((size) => ({
    name: `refuses parameters a byte beyond the limit, in ${size} a record`,
    bytes: concatLarge([
      begin(),
      stream(PARAMS, 1, concatLarge([PAIR, PAIR]), size),
      stream(STDIN, 1, "abc"),
    ]),
    setup: { maxParamsBytes: PAIR.length * 2 - 1 },
    events: [
      "begin 1 role 1 keep",
      "request 1 refused params_too_large stdin",
      "input 1 stdin abc",
      "end 1 stdin 3",
    ],
  })),
  {
    name: "uses nothing of parameters whose second record is beyond the limit",
    bytes: concatLarge([
      begin(),
      record(PARAMS, 1, pairs({ CONTENT_LENGTH: "0" })),
      record(PARAMS, 1, PAIR),
      record(PARAMS, 1),
      stream(STDIN, 1, "abc"),
    ]),
    setup: { maxParamsBytes: PAIR.length },
    events: [
      "begin 1 role 1 keep",
      "request 1 refused params_too_large stdin",
      "input 1 stdin abc",
      "end 1 stdin 3",
    ],
  },
  // The parameters of a request that is refused anyway, beyond the limit, were
  // once gathered in a buffer of the limit: a RangeError.
  {
    name: "drops parameters beyond the limit of an unknown role",
    bytes: concatLarge([
      begin(1, { role: 9 }),
      stream(PARAMS, 1, concatLarge([PAIR, PAIR]), 60),
      record(STDIN, 1),
    ]),
    setup: { maxParamsBytes: 150 },
    events: [
      "begin 1 role 9 keep",
      "request 1 refused unknown_role stdin",
      "end 1 stdin 0",
    ],
  },
  {
    name: "drops parameters beyond the limit of a request too many",
    bytes: concatLarge([
      begin(1),
      begin(2),
      stream(PARAMS, 2, concatLarge([PAIR, PAIR]), 199),
      record(STDIN, 2),
    ]),
    setup: { maxParamsBytes: 150, maxRequestsPerConnection: 1 },
    events: [
      "begin 1 role 1 keep",
      "begin 2 role 1 keep",
      "request 2 refused overloaded stdin",
      "end 2 stdin 0",
    ],
    inFlight: 1,
  },
];

const beginFaults: Vector[] = [
  ...[0, 1, 7, 9, 255].map((size) => ({
    name: `refuses FCGI_BEGIN_REQUEST of ${size} bytes, and takes the next`,
    bytes: concatLarge([
      record(BEGIN, 1, new Uint8Array(size).fill(1), 2),
      stream(PARAMS, 1, pairs({ A: "1" })),
      record(STDIN, 1),
      begin(3),
    ]),
    events: ["refuse 1 begin_malformed", "begin 3 role 1 keep"],
    inFlight: 1,
  })),
  {
    name: "aborts a request that begins twice, and ignores the second",
    bytes: concatLarge([
      begin(1),
      record(PARAMS, 1, pair("A", "1")),
      begin(1, { role: 3 }),
      record(PARAMS, 1, pair("B", "2")),
      record(PARAMS, 1),
      record(STDIN, 1),
      begin(1),
    ]),
    events: ["begin 1 role 1 keep", "abort 1", "begin 1 role 1 keep"],
    inFlight: 1,
  },
  {
    // Answered as a new request, it would get a second FCGI_END_REQUEST.
    name: "aborts a request that begins again in nine bytes",
    bytes: concatLarge([
      begin(1),
      begin(2),
      record(BEGIN, 2, new Uint8Array(9)),
      record(BEGIN, 1, new Uint8Array(9)),
    ]),
    events: [
      "begin 1 role 1 keep",
      "begin 2 role 1 keep",
      "abort 2",
      "abort 1",
    ],
  },
  {
    name: "ignores flags that are not FCGI_KEEP_CONN",
    bytes: record(BEGIN, 1, new Uint8Array([0, 1, 0xfe, 1, 2, 3, 4, 5])),
    events: ["begin 1 role 1 close"],
    inFlight: 1,
  },
];

const order: Vector[] = [
  {
    name: "refuses a request whose FCGI_STDIN comes before its parameters end",
    bytes: concatLarge([
      begin(),
      record(PARAMS, 1, pair("A", "1")),
      record(STDIN, 1, "early"),
      record(PARAMS, 1),
      stream(STDIN, 1, "abc"),
    ]),
    events: [...REFUSED, "input 1 stdin abc", "end 1 stdin 3"],
  },
  {
    name: "ignores parameters after their end",
    bytes: concatLarge([
      begin(),
      record(PARAMS, 1),
      stream(PARAMS, 1, pairs({ REQUEST_METHOD: "GET" })),
      record(STDIN, 1),
    ]),
    events: ["begin 1 role 1 keep", "request 1 - stdin", "end 1 stdin 0"],
  },
  {
    name: "ignores input after its end",
    bytes: concatLarge([
      begin(),
      record(PARAMS, 1),
      record(STDIN, 1),
      stream(STDIN, 1, "more"),
    ]),
    setup: { ends: "never" },
    events: ["begin 1 role 1 keep", "request 1 - stdin", "end 1 stdin 0"],
    inFlight: 1,
  },
  {
    name: "ignores records of requests that were never begun",
    bytes: concatLarge(
      [ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, 99].map(
        (type) => record(type, 5, "x"),
      ),
    ),
    events: [],
  },
  {
    name: "ignores records that only an application or nobody sends",
    bytes: concatLarge([
      begin(),
      ...[END, STDOUT, STDERR, GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE, 99]
        .map((type) => record(type, 1, "x", 1)),
      record(PARAMS, 1),
      record(STDIN, 1),
    ]),
    events: ["begin 1 role 1 keep", "request 1 - stdin", "end 1 stdin 0"],
  },
  {
    name: "knows no management record but FCGI_GET_VALUES",
    bytes: concatLarge(
      [0, BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, 10, 11, 12]
        .map((type) => record(type, 0, "12345678", 8)),
    ),
    events: [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12].map((type) =>
      `unknown ${type}`
    ),
  },
  {
    name: "gives the names before a fault in FCGI_GET_VALUES",
    bytes: concatLarge([
      record(
        GET_VALUES,
        0,
        concatLarge([pairs({ FCGI_MAX_REQS: "" }), new Uint8Array([9, 9])]),
      ),
      record(GET_VALUES, 0, pairs({ FCGI_MAX_CONNS: "" })),
    ]),
    events: ["values FCGI_MAX_REQS", "values FCGI_MAX_CONNS"],
  },
];

const cutOff: Vector[] = [
  {
    name: "delivers what has come of a body record",
    bytes: concatLarge([
      begin(),
      record(PARAMS, 1),
      record(STDIN, 1, "abcdef").subarray(0, 11),
    ]),
    events: ["begin 1 role 1 keep", "request 1 - stdin", "input 1 stdin abc"],
    inFlight: 1,
    isCutOff: true,
  },
  {
    name: "acts on a record before its padding has come",
    bytes: concatLarge([begin(), record(PARAMS, 1, "", 9)]).subarray(0, -9),
    events: ["begin 1 role 1 keep", "request 1 - stdin"],
    inFlight: 1,
    isCutOff: true,
  },
  {
    name: "says nothing of control records that are not whole",
    bytes: concatLarge([begin(), record(ABORT, 1, "ab")]).subarray(0, -1),
    events: ["begin 1 role 1 keep"],
    inFlight: 1,
    isCutOff: true,
  },
  {
    name: "fails at a version after what was right before it",
    bytes: concatLarge([
      begin(),
      record(PARAMS, 1, "", 3),
      new Uint8Array([0, 5, 0, 1]),
    ]),
    events: [
      "begin 1 role 1 keep",
      "request 1 - stdin",
      "error BAD_VERSION at 27",
    ],
    inFlight: 1,
  },
];

export const MALFORMED_VECTORS: Vector[] = [
  ...pairFaults,
  ...limits,
  ...beginFaults,
  ...order,
  ...cutOff,
];
