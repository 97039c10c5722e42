// Vectors of the roles, and of several requests on one connection.

import {
  ABORT,
  begin,
  concatLarge,
  DATA,
  GET_VALUES,
  pair,
  pairs,
  PARAMS,
  record,
  STDIN,
  stream,
} from "../support/wire.ts";
import { head } from "./vector.ts";
import type { Vector } from "./vector.ts";

const roles: Vector[] = [
  {
    name: "waits for no FCGI_STDIN in the Authorizer role",
    bytes: concatLarge([
      head({ CONTENT_LENGTH: "5" }, 1, 2),
      stream(STDIN, 1, "never"),
    ]),
    events: [
      "begin 1 role 2 keep",
      "request 1 - complete 5",
      " CONTENT_LENGTH=5",
    ],
  },
  {
    name: "takes FCGI_DATA after FCGI_STDIN in the Filter role",
    bytes: concatLarge([
      head({ CONTENT_LENGTH: "2", FCGI_DATA_LENGTH: "4" }, 1, 3),
      stream(STDIN, 1, "in"),
      stream(DATA, 1, "file"),
    ]),
    events: [
      "begin 1 role 3 keep",
      "request 1 - stdin 2 data 4",
      " CONTENT_LENGTH=2",
      " FCGI_DATA_LENGTH=4",
      "input 1 stdin in",
      "end 1 stdin 2",
      "input 1 data file",
      "end 1 data 4",
    ],
  },
  {
    name: "takes FCGI_DATA of unknown length up to its end",
    bytes: concatLarge([
      head({}, 1, 3),
      record(STDIN, 1),
      stream(DATA, 1, "f"),
    ]),
    events: [
      "begin 1 role 3 keep",
      "request 1 - stdin",
      "end 1 stdin 0",
      "input 1 data f",
      "end 1 data 1",
    ],
  },
  {
    name: "takes FCGI_DATA at once where a Filter request has no body",
    bytes: concatLarge([
      head({ CONTENT_LENGTH: "0", FCGI_DATA_LENGTH: "3" }, 1, 3),
      record(STDIN, 1),
      stream(DATA, 1, "longer", 2),
    ]),
    events: [
      "begin 1 role 3 keep",
      "request 1 - data 0 data 3",
      " CONTENT_LENGTH=0",
      " FCGI_DATA_LENGTH=3",
      "input 1 data lon",
      "end 1 data 3",
    ],
  },
  {
    name: "waits for no FCGI_DATA of length 0",
    bytes: concatLarge([
      head({ FCGI_DATA_LENGTH: "0" }, 1, 3),
      record(STDIN, 1),
      record(DATA, 1),
    ]),
    events: [
      "begin 1 role 3 keep",
      "request 1 - stdin data 0",
      " FCGI_DATA_LENGTH=0",
      "end 1 stdin 0",
    ],
  },
  {
    name: "ends FCGI_DATA early where it is shorter than announced",
    bytes: concatLarge([
      head({ CONTENT_LENGTH: "0", FCGI_DATA_LENGTH: "9" }, 1, 3),
      stream(DATA, 1, "abc"),
    ]),
    events: [
      "begin 1 role 3 keep",
      "request 1 - data 0 data 9",
      " CONTENT_LENGTH=0",
      " FCGI_DATA_LENGTH=9",
      "input 1 data abc",
      "end 1 data 3",
    ],
  },
  {
    name: "ignores FCGI_DATA of a Responder request",
    bytes: concatLarge([head({}), stream(DATA, 1, "no"), record(STDIN, 1)]),
    events: ["begin 1 role 1 keep", "request 1 - stdin", "end 1 stdin 0"],
  },
  ...[0, 4, 255, 256, 257, 65_535].map((role) => ({
    name: `refuses role ${role}, and follows the request to its end`,
    bytes: concatLarge([head({ A: "1" }, 1, role), stream(STDIN, 1, "abc")]),
    events: [
      `begin 1 role ${role} keep`,
      "request 1 refused unknown_role stdin",
      "input 1 stdin abc",
      "end 1 stdin 3",
    ],
  })),
];

const several: Vector[] = [
  {
    name: "keeps interleaved requests apart, whatever their ids",
    bytes: concatLarge([
      begin(65_535),
      begin(256, { keep: false }),
      record(PARAMS, 256, pair("A", "256").subarray(0, 3)),
      begin(1),
      record(PARAMS, 65_535, pair("A", "65535")),
      record(PARAMS, 1, pair("A", "1")),
      record(PARAMS, 256, pair("A", "256").subarray(3)),
      record(PARAMS, 1),
      record(STDIN, 1, "one"),
      record(PARAMS, 256),
      record(PARAMS, 65_535),
      record(STDIN, 65_535, "last"),
      record(STDIN, 1),
      record(STDIN, 256),
      record(STDIN, 65_535, "!"),
      record(STDIN, 65_535),
    ]),
    events: [
      "begin 65535 role 1 keep",
      "begin 256 role 1 close",
      "begin 1 role 1 keep",
      "request 1 - stdin",
      " A=1",
      "input 1 stdin one",
      "request 256 - stdin",
      " A=256",
      "request 65535 - stdin",
      " A=65535",
      "input 65535 stdin last",
      "end 1 stdin 3",
      "end 256 stdin 0",
      "input 65535 stdin !",
      "end 65535 stdin 5",
    ],
  },
  {
    name: "takes an id again once its request has ended",
    bytes: concatLarge(
      [1, 2].map(() => concatLarge([head({}), record(STDIN, 1)])),
    ),
    events: [1, 2].flatMap(() => [
      "begin 1 role 1 keep",
      "request 1 - stdin",
      "end 1 stdin 0",
    ]),
  },
  {
    name: "refuses requests beyond the limit, and keeps nothing of many more",
    bytes: concatLarge([
      ...[1, 2, 3, 4, 5].map((id) => begin(id)),
      ...[5, 4, 3, 2, 1].map((id) => record(PARAMS, id)),
    ]),
    setup: { maxRequestsPerConnection: 2 },
    events: [
      "begin 1 role 1 keep",
      "begin 2 role 1 keep",
      "begin 3 role 1 keep",
      "begin 4 role 1 keep",
      "refuse 5 overloaded",
      "request 4 refused overloaded stdin",
      "request 3 refused overloaded stdin",
      "request 2 - stdin",
      "request 1 - stdin",
    ],
    inFlight: 4,
  },
  {
    name: "aborts the one request that FCGI_ABORT_REQUEST names",
    bytes: concatLarge([
      head({}, 1),
      head({}, 3),
      record(STDIN, 1, "ab"),
      record(ABORT, 1),
      record(STDIN, 1, "late"),
      record(STDIN, 1),
      record(STDIN, 3),
    ]),
    events: [
      "begin 1 role 1 keep",
      "request 1 - stdin",
      "begin 3 role 1 keep",
      "request 3 - stdin",
      "input 1 stdin ab",
      "abort 1",
      "end 3 stdin 0",
    ],
  },
  {
    name: "aborts a request whose parameters are under way",
    bytes: concatLarge([
      begin(7),
      record(PARAMS, 7, pair("A", "1")),
      record(ABORT, 7, "content of none", 3),
      record(PARAMS, 7),
    ]),
    events: ["begin 7 role 1 keep", "abort 7"],
  },
  {
    name: "ignores what comes late for a request that has ended",
    bytes: concatLarge([
      head({}),
      stream(STDIN, 1, "late"),
      record(ABORT, 1),
      record(DATA, 1),
    ]),
    setup: { ends: "request" },
    events: ["begin 1 role 1 keep", "request 1 - stdin"],
  },
  {
    name: "answers FCGI_GET_VALUES amid requests",
    bytes: concatLarge([
      begin(1),
      record(GET_VALUES, 0, pairs({ FCGI_MAX_REQS: "" })),
      record(PARAMS, 1),
      record(GET_VALUES, 0),
      record(STDIN, 1, "a"),
      record(GET_VALUES, 0, pairs({ B: "x", "\u00e9": "" }), 255),
      record(STDIN, 1),
    ]),
    events: [
      "begin 1 role 1 keep",
      "values FCGI_MAX_REQS",
      "request 1 - stdin",
      "values ",
      "input 1 stdin a",
      "values B,\u00e9",
      "end 1 stdin 1",
    ],
  },
];

export const CONNECTION_VECTORS: Vector[] = [...roles, ...several];
