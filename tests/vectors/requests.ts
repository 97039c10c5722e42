// Vectors of single Responder requests as web servers send them: lengths,
// bodies, padding, parameters.

import {
  BEGIN,
  begin,
  concatLarge,
  pair,
  pairs,
  PARAMS,
  record,
  STDIN,
  stream,
} from "../support/wire.ts";
import { head } from "./vector.ts";
import type { Vector } from "./vector.ts";

function seen(params: Record<string, string>): string[] {
  return Object.entries(params).map(([name, value]) => ` ${name}=${value}`);
}

/** What CONTENT_LENGTH says against three bytes of body. */
const lengths: Vector[] = ([
  // value, what it is taken for, what comes of the body
  ["3", " 3", ["input 1 stdin abc", "end 1 stdin 3"]],
  ["003", " 3", ["input 1 stdin abc", "end 1 stdin 3"]],
  ["0", null, []],
  ["2", " 2", ["input 1 stdin ab", "end 1 stdin 2"]],
  ["4", " 4", ["input 1 stdin abc", "end 1 stdin 3"]],
  ["9007199254740991", " 9007199254740991", [
    "input 1 stdin abc",
    "end 1 stdin 3",
  ]],
  ...[
    "",
    "-1",
    "abc",
    "3 ",
    " 3",
    "+3",
    "3.0",
    "0x3",
    "3,3",
    "9007199254740992",
  ]
    .map((value) =>
      [value, "", ["input 1 stdin abc", "end 1 stdin 3"]] as const
    ),
] as const).map(([value, length, events]) => ({
  name: `takes a body of 3 bytes where CONTENT_LENGTH is "${value}"`,
  bytes: concatLarge([
    head({ CONTENT_LENGTH: value }),
    stream(STDIN, 1, "abc"),
  ]),
  events: [
    "begin 1 role 1 keep",
    length === null ? "request 1 - complete 0" : `request 1 - stdin${length}`,
    ` CONTENT_LENGTH=${value}`,
    ...events,
  ],
}));

/** Bodies about the most that a record holds. */
const sizes: Vector[] = [0, 1, 65_534, 65_535, 65_536, 65_537, 66_000].map(
  (size) => {
    const body = "0123456789".repeat(6_600).slice(0, size);
    return {
      name: `takes a body of ${size} bytes`,
      bytes: concatLarge([head({}), stream(STDIN, 1, body)]),
      events: [
        "begin 1 role 1 keep",
        "request 1 - stdin",
        ...(size > 0 ? [`input 1 stdin ${body}`] : []),
        `end 1 stdin ${size}`,
      ],
    };
  },
);

const paddings: Vector[] = [0, 1, 7, 8, 254, 255].map((padding) => ({
  name: `skips padding of ${padding} bytes`,
  bytes: concatLarge([
    record(BEGIN, 1, begin().subarray(8), padding),
    record(PARAMS, 1, pair("A", "1"), padding),
    record(PARAMS, 1, "", padding),
    record(STDIN, 1, "x", padding),
    record(STDIN, 1, "", padding),
  ]),
  events: [
    "begin 1 role 1 keep",
    "request 1 - stdin",
    " A=1",
    "input 1 stdin x",
    "end 1 stdin 1",
  ],
}));

const VARIABLES = {
  REQUEST_METHOD: "PUT",
  HTTP_HOST: "example.com",
  CONTENT_LENGTH: "1",
  HTTP_X_LONG: "v".repeat(127),
  HTTP_X_LONGER: "v".repeat(128),
};

/** The same parameters in FCGI_PARAMS records of so many bytes. */
const cuts: Vector[] = [1, 2, 3, 7, 64, 126, 200].map((size) => ({
  name: `joins pairs split over FCGI_PARAMS records of ${size} bytes`,
  bytes: concatLarge([
    begin(),
    stream(PARAMS, 1, pairs(VARIABLES), size),
    stream(STDIN, 1, "x"),
  ]),
  events: [
    "begin 1 role 1 keep",
    "request 1 PUT @example.com stdin 1",
    ...seen(VARIABLES),
    "input 1 stdin x",
    "end 1 stdin 1",
  ],
}));

const pairForms: Vector[] = [
  {
    // H2O.
    name: "reads a length of 127 in four bytes",
    bytes: concatLarge([
      begin(),
      stream(PARAMS, 1, pair("A", "v".repeat(127), true)),
      record(STDIN, 1),
    ]),
    events: [
      "begin 1 role 1 keep",
      "request 1 - stdin",
      ` A=${"v".repeat(127)}`,
      "end 1 stdin 0",
    ],
  },
  {
    name: "takes the last of repeated variables, and keeps all in order",
    bytes: concatLarge([
      begin(),
      stream(
        PARAMS,
        1,
        pairs([
          ["REQUEST_METHOD", "GET"],
          ["CONTENT_LENGTH", "5"],
          ["HTTP_HOST", "a"],
          ["HTTP_HOST", "b"],
          ["CONTENT_LENGTH", ""],
          ["REQUEST_METHOD", "POST"],
        ]),
      ),
      record(STDIN, 1),
    ]),
    events: [
      "begin 1 role 1 keep",
      "request 1 POST @b stdin",
      " REQUEST_METHOD=GET",
      " CONTENT_LENGTH=5",
      " HTTP_HOST=a",
      " HTTP_HOST=b",
      " CONTENT_LENGTH=",
      " REQUEST_METHOD=POST",
      "end 1 stdin 0",
    ],
  },
  {
    name: "takes no other variable of the same length for those it looks for",
    bytes: head({
      REQUEST_SCHEME: "https",
      PATH_INFO: "/x",
      HTTP_HOSX: "no",
      CONTENT_LENGTX: "7",
      REQUEST_METHOX: "no",
      FCGI_DATA_LENGTX: "7",
    }),
    events: [
      "begin 1 role 1 keep",
      "request 1 - stdin",
      " REQUEST_SCHEME=https",
      " PATH_INFO=/x",
      " HTTP_HOSX=no",
      " CONTENT_LENGTX=7",
      " REQUEST_METHOX=no",
      " FCGI_DATA_LENGTX=7",
    ],
    inFlight: 1,
  },
];

export const REQUEST_VECTORS: Vector[] = [
  ...lengths,
  ...sizes,
  ...paddings,
  ...cuts,
  ...pairForms,
];
