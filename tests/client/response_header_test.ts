// The header of a CGI response (RFC 3875, section 6), as a client reads it.

import { assertEquals, assertThrows } from "@std/assert";
import { ResponseHeaderReader } from "../../src/cgi/response_header.ts";
import type { ResponseHeader } from "../../src/cgi/response_header.ts";
import { FastCgiError, LimitError } from "../../src/errors.ts";
import { latin1 } from "../support/ask.ts";
import { randomBytes, seeded, whole } from "../support/random.ts";

interface Read {
  header: ResponseHeader;
  /** What is left for the body, as ISO-8859-1. */
  rest: string;
}

/** Reads a header whose bytes come cut at the given places. */
function read(content: Uint8Array, cuts: number[] = [], max = 1000): Read {
  const reader = new ResponseHeaderReader(max);
  let start = 0;
  for (const cut of [...cuts, content.length]) {
    // Each piece in a buffer of its own, overwritten after the call.
    const piece = new Uint8Array(cut - start + 6).fill(10);
    piece.set(content.subarray(start, cut), 3);
    const at = reader.push(piece, 3, piece.length - 3);
    piece.fill(10);
    if (at >= 0) {
      const rest = content.subarray(start + at - 3);
      return { header: reader.header(), rest: String.fromCharCode(...rest) };
    }
    start = cut;
  }
  throw new Error("The header has no end");
}

function header(
  status: number,
  statusText: string,
  headers: [string, string][] = [],
  contentLength = -1,
): ResponseHeader {
  return { status, statusText, headers, contentLength };
}

const type: [string, string] = ["content-type", "text/plain"];

const GOOD: [name: string, text: string, expected: ResponseHeader][] = [
  [
    "a status with its reason",
    "Status: 404 Not Here\r\nContent-Type: text/plain\r\n\r\n",
    header(404, "Not Here", [type]),
  ],
  [
    "a status without a reason",
    "Status: 404\r\n\r\n",
    header(404, "Not Found"),
  ],
  ["a status of no registered reason", "Status: 299\n\n", header(299, "OK")],
  ["no status", "Content-Type: text/plain\r\n\r\n", header(200, "OK", [type])],
  ["bare line feeds", "content-type:text/plain\n\n", header(200, "OK", [type])],
  ["line ends of both kinds", "status: 201\r\n\n", header(201, "Created")],
  ["an empty header", "\r\n", header(200, "OK")],
  ["an empty header of a line feed", "\n", header(200, "OK")],
  [
    "Location without a status",
    "Location: /there\r\n\r\n",
    header(302, "Found", [["location", "/there"]]),
  ],
  [
    "Location after a status",
    "Status: 201 Created\r\nLocation: /there\r\n\r\n",
    header(201, "Created", [["location", "/there"]]),
  ],
  [
    "two cookies, apart and in order",
    "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
    header(200, "OK", [["set-cookie", "a=1"], ["set-cookie", "b=2"]]),
  ],
  [
    "blanks and tabs around a value, and none else",
    "X: \t a  b \t\r\nY:\xa0c\r\n\r\n",
    header(200, "OK", [["x", "a  b"], ["y", "\xa0c"]]),
  ],
  ["an empty value", "X:\r\n\r\n", header(200, "OK", [["x", ""]])],
  ["colons in a value", "X: a:b\r\n\r\n", header(200, "OK", [["x", "a:b"]])],
  [
    "bytes above 127, each a character",
    "X: \xe9\x80\xff\r\n\r\n",
    header(200, "OK", [["x", "\xe9\x80\xff"]]),
  ],
  [
    "a folded line",
    "X: a\r\n \t b\r\nY: c\r\n\r\n",
    header(200, "OK", [["x", "a b"], ["y", "c"]]),
  ],
  [
    "hop-by-hop headers, left out",
    "Connection: close\r\nKeep-Alive: 1\r\nTransfer-Encoding: chunked\r\n" +
    "Upgrade: x\r\nTrailer: X\r\nX: 1\r\n\r\n",
    header(200, "OK", [["x", "1"]]),
  ],
  [
    "a length",
    "Content-Length: 12\r\n\r\n",
    header(200, "OK", [["content-length", "12"]], 12),
  ],
  [
    "the same length twice",
    "Content-Length: 12\r\nContent-Length: 12\r\n\r\n",
    header(200, "OK", [["content-length", "12"]], 12),
  ],
  [
    "the last of two statuses",
    "Status: 404\nStatus: 500 X\n\n",
    header(500, "X"),
  ],
];

for (const [name, text, expected] of GOOD) {
  Deno.test(`ResponseHeaderReader reads ${name}, cut anywhere`, () => {
    const content = latin1(`${text}body\r\n\r\n`);
    assertEquals(read(content), { header: expected, rest: "body\r\n\r\n" });
    for (let cut = 1; cut < text.length; cut++) {
      assertEquals(read(content, [cut]).header, expected, `cut at ${cut}`);
    }
    const every = Array.from({ length: text.length }, (_, i) => i + 1);
    assertEquals(read(content, every).header, expected, "byte by byte");
  });
}

const BAD: [name: string, text: string, why: string][] = [
  ["a line without a colon", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK"],
  ["a blank before the colon", "X : 1\r\n\r\n", "X : 1"],
  ["an empty name", ": 1\r\n\r\n", ": 1"],
  ["a name that is no token", "X(: 1\r\n\r\n", "X(: 1"],
  ["a byte 0 in a value", "X: a\0b\r\n\r\n", "X: a"],
  ["a lone carriage return in a value", "X: a\rb\r\n\r\n", "X: a"],
  ["a control byte in a folded line", "X: a\r\n b\x01\r\n\r\n", "b"],
  ["a fold with nothing before it", " X: a\r\n\r\n", " X: a"],
  ["a status of two digits", "Status: 99\r\n\r\n", "99"],
  ["a status of four digits", "Status: 2000\r\n\r\n", "2000"],
  ["an interim status", "Status: 100 Continue\r\n\r\n", "100 Continue"],
  ["a status past 599", "Status: 600\r\n\r\n", "600"],
  ["a status that is none", "Status: OK\r\n\r\n", "OK"],
  ["a status run into its reason", "Status: 200OK\r\n\r\n", "200OK"],
  ["an empty status", "Status:\r\n\r\n", "status"],
  ["a length that is none", "Content-Length: -1\r\n\r\n", "-1"],
  ["an empty length", "Content-Length:\r\n\r\n", "Content-Length"],
  [
    "two lengths",
    "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "Content-Length",
  ],
];

for (const [name, text, why] of BAD) {
  Deno.test(`ResponseHeaderReader refuses ${name}`, () => {
    const error = assertThrows(
      () => read(latin1(text)),
      FastCgiError,
      why,
    );
    assertEquals([error.code, error.status], ["BAD_RESPONSE", 502]);
  });
}

Deno.test("ResponseHeaderReader.push() refuses a header past its limit, and takes one that reaches it", () => {
  const text = "X: 1234\r\n\r\n";
  assertEquals(read(latin1(text), [4], text.length).rest, "");
  for (const cuts of [[], [4], [text.length - 1]]) {
    const error = assertThrows(
      () => read(latin1(text), cuts, text.length - 1),
      LimitError,
    );
    assertEquals(
      [error.code, error.status, error.limit],
      ["HEADER_TOO_LARGE", 502, text.length - 1],
    );
  }
  // What follows the header does not count.
  assertEquals(read(latin1(text + "y".repeat(500)), [], 11).rest.length, 500);
});

Deno.test("ResponseHeaderReader takes any bytes for a header, a FastCgiError or no end", () => {
  const random = seeded(3875);
  const alphabet = latin1("Status: 204\r\n\r\n:\tX-\0\xff");
  let good = 0;
  for (let round = 0; round < 3000; round++) {
    const picks = randomBytes(random, whole(random, 0, 40));
    const content = picks.map((pick) => alphabet[pick % alphabet.length]!);
    const reader = new ResponseHeaderReader(32);
    try {
      if (reader.push(content, 0, content.length) < 0) continue;
      const { status, headers, statusText } = reader.header();
      // Whatever is let through, a Response can be made of.
      new Response(null, {
        status,
        statusText,
        headers: headers.map(([name, value]) => [name, value]),
      });
      good++;
    } catch (error) {
      if (!(error instanceof FastCgiError)) throw error;
    }
  }
  assertEquals(good > 100, true, `only ${good} were headers`);
});
