// Vectors in literal hexadecimal, most of them from the specification itself
// (FastCGI 1.0, section 3.4 and appendix B) or taken off the wire, so that the
// builders of the other vectors are checked as well.

import { hex } from "./vector.ts";
import type { Vector } from "./vector.ts";

const SPEC_PARAMS = `
  01 04 0001 002a 00 00
    0b 02 'SERVER_PORT' '80'  0b 0e 'SERVER_ADDR' '199.170.183.42'
  01 04 0001 0000 00 00`;

const SPEC_PARAMS_SEEN = [
  " SERVER_PORT=80",
  " SERVER_ADDR=199.170.183.42",
];

export const SPEC_VECTORS: Vector[] = [
  {
    name: "takes a request with no data on stdin (appendix B, example 1)",
    bytes: hex(`
      01 01 0001 0008 00 00  0001 00 0000000000
      ${SPEC_PARAMS}
      01 05 0001 0000 00 00`),
    events: [
      "begin 1 role 1 close",
      "request 1 - stdin",
      ...SPEC_PARAMS_SEEN,
      "end 1 stdin 0",
    ],
  },
  {
    name: "takes a request with data on stdin (appendix B, example 2)",
    bytes: hex(`
      01 01 0001 0008 00 00  0001 00 0000000000
      ${SPEC_PARAMS}
      01 05 0001 0019 00 00  'quantity=100&item=3047936'
      01 05 0001 0000 00 00`),
    events: [
      "begin 1 role 1 close",
      "request 1 - stdin",
      ...SPEC_PARAMS_SEEN,
      "input 1 stdin quantity=100&item=3047936",
      "end 1 stdin 25",
    ],
  },
  {
    name: "takes two requests at once (appendix B, example 4)",
    bytes: hex(`
      01 01 0001 0008 00 00  0001 01 0000000000
      ${SPEC_PARAMS}
      01 01 0002 0008 00 00  0001 01 0000000000
      01 04 0002 002a 00 00
        0b 02 'SERVER_PORT' '80'  0b 0e 'SERVER_ADDR' '199.170.183.42'
      01 05 0001 0000 00 00
      01 04 0002 0000 00 00
      01 05 0002 0000 00 00`),
    events: [
      "begin 1 role 1 keep",
      "request 1 - stdin",
      ...SPEC_PARAMS_SEEN,
      "begin 2 role 1 keep",
      "end 1 stdin 0",
      "request 2 - stdin",
      ...SPEC_PARAMS_SEEN,
      "end 2 stdin 0",
    ],
  },
  {
    name: "reads the four forms of a pair (section 3.4)",
    bytes: hex(`
      01 01 0001 0008 00 00  0001 00 0000000000
      01 04 0001 001e 00 00
        01       01       'A' '1'
        01       80000001 'B' '2'
        80000001 01       'C' '3'
        80000001 80000001 'D' '4'
        00 00
      01 04 0001 0000 00 00
      01 05 0001 0000 00 00`),
    events: [
      "begin 1 role 1 close",
      "request 1 - stdin",
      " A=1",
      " B=2",
      " C=3",
      " D=4",
      " =",
      "end 1 stdin 0",
    ],
  },
  {
    name: "skips padding of any content (section 3.3)",
    bytes: hex(`
      01 01 0001 0008 08 00  0001 01 0000000000  0101010101010101
      01 04 0001 0003 05 ff  01 00 'A'           0104000100
      01 04 0001 0000 01 00                      01
      01 05 0001 0001 07 00  'x'                 01050001000001
      01 05 0001 0000 03 00                      010101`),
    events: [
      "begin 1 role 1 keep",
      "request 1 - stdin",
      " A=",
      "input 1 stdin x",
      "end 1 stdin 1",
    ],
  },
  {
    name: "gives the names of FCGI_GET_VALUES (section 4.1)",
    bytes: hex(`
      01 09 0000 0030 00 00
        0e 00 'FCGI_MAX_CONNS'  0d 00 'FCGI_MAX_REQS'  0f 00 'FCGI_MPXS_CONNS'`),
    events: ["values FCGI_MAX_CONNS,FCGI_MAX_REQS,FCGI_MPXS_CONNS"],
  },
  {
    name: "gives the names that HAProxy asks for",
    bytes: hex(`
      01 09 0000 0020 00 00
        0d 00 'FCGI_MAX_REQS'  0f 00 'FCGI_MPXS_CONNS'`),
    events: ["values FCGI_MAX_REQS,FCGI_MPXS_CONNS"],
  },
  {
    name: "takes a request as HAProxy begins it, without the end of the last",
    bytes: hex(`
      01 01 0001 0008 00 00  0001 01 0000000000
      01 04 0001 0013 00 00  0e 01 'CONTENT_LENGTH' '2' 0000
      01 04 0001 0000 00 00
      01 05 0001 0002 00 00  'ab'
      01 01 0003 0008 00 00  0001 01 0000000000
      01 04 0003 0000 00 00
      01 05 0001 0000 00 00
      01 05 0003 0000 00 00`),
    events: [
      "begin 1 role 1 keep",
      "request 1 - stdin 2",
      " CONTENT_LENGTH=2",
      " =",
      "input 1 stdin ab",
      "end 1 stdin 2",
      "begin 3 role 1 keep",
      "request 3 - stdin",
      "end 3 stdin 0",
    ],
  },
  {
    // golang/go#11824: both lengths 50, of ten bytes.
    name: "refuses a pair that is longer than its stream",
    bytes: hex(`
      01 01 0001 0008 00 00  0001 01 0000000000
      01 04 0001 000a 00 00  32 32 0304050607080910
      01 04 0001 0000 00 00`),
    events: [
      "begin 1 role 1 keep",
      "request 1 refused params_malformed stdin",
    ],
    inFlight: 1,
  },
  {
    // The sum of two such lengths is past 2^32 (CVE-2025-23016 in libfcgi).
    name: "refuses a pair of the longest lengths there are",
    bytes: hex(`
      01 01 0001 0008 00 00  0001 01 0000000000
      01 04 0001 000a 00 00  ffffffff ffffffff 'AB'
      01 04 0001 0000 00 00`),
    events: [
      "begin 1 role 1 keep",
      "request 1 refused params_malformed stdin",
    ],
    inFlight: 1,
  },
  {
    name: "says which type of management record it does not know (section 4.2)",
    bytes: hex(
      "01 0c 0000 0000 00 00  01 ff 0000 0002 06 00 'ab' 010101010101",
    ),
    events: ["unknown 12", "unknown 255"],
  },
  {
    name: "fails at a version other than 1",
    bytes: hex("01 0c 0000 0000 00 00  02 01 0001 0008 00 00"),
    events: ["unknown 12", "error BAD_VERSION at 8"],
  },
  {
    name: "fails at the first byte of HTTP",
    bytes: hex("'GET / HTTP/1.1' 0d0a0d0a"),
    events: ["error BAD_VERSION at 0"],
  },
  {
    name: "fails at the first byte of TLS",
    bytes: hex("16"),
    events: ["error BAD_VERSION at 0"],
  },
  {
    name: "waits for the rest of a header",
    bytes: hex("01 01 0001 0008 00"),
    events: [],
    isCutOff: true,
  },
];
