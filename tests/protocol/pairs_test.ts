// Name-value pairs: the walk that validates, looking one up, decoding all, the
// names that are known, encoding.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../src/errors.ts";
import { KNOWN_NAMES, knownName } from "../../src/protocol/known_names.ts";
import {
  decodeLatin1,
  decodePairs,
  decodeUtf8,
  encodePairs,
  findPair,
} from "../../src/protocol/pairs.ts";
import { scanParams } from "../../src/protocol/params_scan.ts";
import { ActiveRequest } from "../../src/protocol/active_request.ts";
import { oraclePairs } from "../support/oracle.ts";
import { randomBytes, seeded, whole } from "../support/random.ts";
import {
  concat,
  concatLarge,
  pair,
  pairs,
  readPairs,
} from "../support/wire.ts";
import { hex } from "../vectors/vector.ts";

const latin1 = (bytes: Uint8Array) => decodeLatin1(bytes, 0, bytes.length);

/** Every pair; what stands around the stream must not matter. */
function decode(
  bytes: Uint8Array,
  how: typeof decodeUtf8 = decodeUtf8,
): [string, string][] {
  const around = concatLarge([hex("8041"), bytes, hex("01014142")]);
  const found: [string, string][] = [];
  decodePairs(
    around,
    2,
    2 + bytes.length,
    how,
    (name, value) => found.push([name, value]),
  );
  return found;
}

/** The last value of a name, as text. */
function find(bytes: Uint8Array, name: string): string | null {
  const around = concatLarge([hex("8041"), bytes, hex("01014142")]);
  const span = { start: 0, end: 0 };
  const isFound = findPair(around, 2, 2 + bytes.length, name, span);
  if (!isFound) assertEquals(span, { start: -1, end: -1 });
  return isFound ? decodeUtf8(around, span.start, span.end) : null;
}

function scan(bytes: Uint8Array): ActiveRequest & { isWellFormed: boolean } {
  const request = new ActiveRequest(1, 1, true);
  const isWellFormed = scanParams(bytes, 0, bytes.length, request);
  return Object.assign(request, { isWellFormed });
}

Deno.test("encodePairs() writes lengths of one and of four bytes", () => {
  for (
    const [length, bytes] of [
      [0, "00"],
      [1, "01"],
      [127, "7f"],
      [128, "80000080"],
      [1000, "800003e8"],
      [65_536, "80010000"],
      [33_554_431, "81ffffff"],
    ] as const
  ) {
    const head = hex(bytes);
    const text = "x".repeat(length);
    const asName = encodePairs([[text, ""]]);
    assertEquals(
      asName.subarray(0, head.length + 1),
      concat([head, hex("00")]),
    );
    assertEquals(asName.length, head.length + 1 + length);
    const asValue = encodePairs([["", text]]);
    assertEquals(
      asValue.subarray(0, head.length + 1),
      concat([hex("00"), head]),
    );
    assertEquals(asValue.at(-1), length > 0 ? 0x78 : 0);
    const request = scan(asValue);
    assert(request.isWellFormed);
    assertEquals(find(asValue, "")?.length, length);
    assert(scan(asName).isWellFormed);
    assertEquals(find(asName, text), "");
    assert(decode(asName)[0]![0] === text);
    assert(decode(asValue)[0]![1] === text);
  }
});

Deno.test("encodePairs() writes what the wire builders write", () => {
  const params = { A: "1", "": "", "n\u00e9": "v\u20ac".repeat(60) };
  assertEquals(encodePairs(Object.entries(params)), pairs(params));
  assertEquals(encodePairs([]), new Uint8Array(0));
  assertEquals(encodePairs([["A", hex("ff00")]]), hex("01 02 'A' ff00"));
  assertEquals(
    readPairs(encodePairs(new Map(Object.entries(params)))),
    Object.entries(params),
  );
});

Deno.test("encodePairs() writes the answer to FCGI_GET_VALUES of the specification", () => {
  assertEquals(
    encodePairs([["FCGI_MAX_REQS", "128"], ["FCGI_MPXS_CONNS", "1"]]),
    hex("0d 03 'FCGI_MAX_REQS' '128' 0f 01 'FCGI_MPXS_CONNS' '1'"),
  );
});

Deno.test("scanParams() finds what every request is asked for", () => {
  const bytes = pairs([
    ["HTTP_HOST", "first"],
    ["REQUEST_METHOD", "POST"],
    ["FCGI_DATA_LENGTH", "7"],
    ["CONTENT_LENGTH", "12"],
    ["HTTP_HOST", "second"],
    ["HTTPS", "on"],
    ["REQUEST_SCHEME", "https"],
    ["REQUEST_URI", "/first"],
    ["REQUEST_URI", "/last"],
    // As long, with the same letter in the same place, or the same first one.
    ["HTTP_X_AUTH", "no"],
    ["XXXXXXXXSXXXXX", "no"],
    ["HTTPX", "no"],
  ]);
  const found = scan(bytes);
  assert(found.isWellFormed);
  assert(found.areLengthsShort);
  assertEquals([found.contentLength, found.dataLength], [12, 7]);
  assertEquals(decodeUtf8(bytes, found.methodStart, found.methodEnd), "POST");
  assertEquals(decodeUtf8(bytes, found.hostStart, found.hostEnd), "second");
  assertEquals(decodeUtf8(bytes, found.httpsStart, found.httpsEnd), "on");
  assertEquals(decodeUtf8(bytes, found.schemeStart, found.schemeEnd), "https");
  assertEquals(decodeUtf8(bytes, found.uriStart, found.uriEnd), "/last");
});

Deno.test("scanParams() tells whether a length takes four bytes", () => {
  const long = "x".repeat(128);
  for (const [name, value] of [["A", long], [long, "1"], [long, long]]) {
    assertEquals(
      scan(pairs([["B", "2"], [name!, value!]])).areLengthsShort,
      false,
    );
    assertEquals(
      scan(pairs([[name!, value!], ["B", "2"]])).areLengthsShort,
      false,
    );
  }
  assert(!scan(pair("A", "1", true)).areLengthsShort);
  assert(scan(pairs([["A", "x".repeat(127)]])).areLengthsShort);
});

Deno.test("scanParams() says -1 for a length that is none", () => {
  for (const value of ["", "-1", "1x", "x", " 1", "9007199254740992"]) {
    const found = scan(
      pairs({ CONTENT_LENGTH: value, FCGI_DATA_LENGTH: value }),
    );
    assertEquals([found.contentLength, found.dataLength], [-1, -1], value);
  }
});

Deno.test("scanParams(), findPair() and decodePairs() read lengths of every byte", () => {
  const [name, value] = ["n".repeat(0x01_02_03), "v".repeat(0x01_00_02_03)];
  const long: [string, string][] = [[name, ""], ["", value], ["B", "1"]];
  const bytes = pairs(long);
  assert(scan(bytes).isWellFormed);
  assertEquals(scan(bytes.subarray(0, -1)).isWellFormed, false);
  assertEquals(find(bytes, "B"), "1");
  assertEquals(find(bytes, "")?.length, value.length);
  assertEquals(find(bytes, name), "");
  const found = decode(bytes);
  assert(found.every(([n, v], i) => n === long[i]![0] && v === long[i]![1]));
  assertEquals(found.length, long.length);
});

Deno.test("scanParams() writes every field when the stream is empty", () => {
  const request = new ActiveRequest(1, 1, true);
  const bytes = pairs({
    HTTP_HOST: "a",
    REQUEST_METHOD: "GET",
    CONTENT_LENGTH: "1",
    FCGI_DATA_LENGTH: "2",
    HTTPS: "on",
    REQUEST_SCHEME: "https",
    REQUEST_URI: "/",
    LONG: "x".repeat(128),
  });
  assert(scanParams(bytes, 0, bytes.length, request));
  assert(scanParams(bytes, 3, 3, request));
  assertEquals(request, new ActiveRequest(1, 1, true));
});

Deno.test("scanParams() agrees with the oracle when bytes are random", () => {
  let wellFormed = 0;
  for (let seed = 1; seed <= 4000; seed++) {
    const random = seeded(seed);
    // Mostly short lengths, so that a third is well formed by chance.
    const bytes = randomBytes(random, whole(random, 0, 12)).map((byte) =>
      byte < 240 ? byte & 3 : byte
    );
    const { pairs: expected, rest } = oraclePairs([...bytes]);
    const found: [string, string][] = [];
    const take = (name: string, value: string) => found.push([name, value]);
    const run = () => decodePairs(bytes, 0, bytes.length, decodeLatin1, take);
    if (rest.length === 0) {
      wellFormed++;
      run();
    } else {
      const error = assertThrows(run, ProtocolError, "runs past the end");
      assertEquals(
        [error.code, error.offset],
        ["BAD_PAIR", bytes.length - rest.length],
      );
    }
    assertEquals(scan(bytes).isWellFormed, rest.length === 0, `seed ${seed}`);
    assertEquals(found, expected, `seed ${seed}`);
    if (rest.length > 0) continue;
    for (const [name] of expected) {
      if (/[\x80-\xff]/.test(name)) continue;
      const last = expected.findLast((one) => one[0] === name)![1];
      const span = { start: -1, end: -1 };
      assert(findPair(bytes, 0, bytes.length, name, span));
      assertEquals(latin1(bytes.subarray(span.start, span.end)), last);
    }
  }
  assert(wellFormed > 500, `${wellFormed} well formed`);
});

Deno.test("findPair() gives the last of a name, and no other name", () => {
  const bytes = concatLarge([
    pair("HTTP_X", "1", true),
    pair("HTTP_Y", "no"),
    pair("HTTP_XX", "no"),
    pair("HTTP_", "no"),
    pair("HTTP_X", "v".repeat(300)),
    pair("HTTP_X", "last", true),
    pair("EMPTY", ""),
  ]);
  assertEquals(find(bytes, "HTTP_X"), "last");
  assertEquals(find(bytes, "EMPTY"), "");
  for (const name of ["HTTP_Z", "http_x", "X", "", "AB", "last"]) {
    assertEquals(find(bytes, name), null, name);
  }
  assertEquals(find(new Uint8Array(0), "A"), null);
});

Deno.test("decodePairs() decodes both encodings when bytes are not ASCII", () => {
  const utf8 = pair("N\u00e9", "\u20ac \ud83d\ude00 \ufeff");
  assertEquals(decode(utf8), [["N\u00e9", "\u20ac \ud83d\ude00 \ufeff"]]);
  assertEquals(decode(utf8, decodeLatin1)[0]![0], "N\u00c3\u00a9");
  const bytes = pair(hex("58 ff"), hex("80 e9 41 c3 28 9f"));
  assertEquals(decode(bytes), [["X\ufffd", "\ufffd\ufffdA\ufffd(\ufffd"]]);
  assertEquals(decode(bytes, decodeLatin1), [[
    "X\xff",
    "\x80\xe9A\xc3(\x9f",
  ]]);
});

Deno.test("decodePairs() gives the same for a pair alone and among others", () => {
  // Among ASCII alone the stream is decoded as one string, otherwise in pieces:
  // what is said of a pair must not depend on its neighbours.
  const plain = pairs({ HTTP_HOST: "a", X: "", REQUEST_URI: "/" });
  for (
    const other of [
      pair("A", "v".repeat(128)),
      pair("A", "\u00e9"),
      pair("A", hex("ff")),
      pair("A", "\ufffd"),
      pair("A", "\ufeff"),
      pair("A", "b", true),
    ]
  ) {
    for (const how of [decodeUtf8, decodeLatin1]) {
      assertEquals(decode(concat([plain, other, plain]), how), [
        ...decode(plain, how),
        ...decode(other, how),
        ...decode(plain, how),
      ]);
    }
  }
});

Deno.test("decodeLatin1() gives each byte the character of its number", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(
    Array.from(latin1(all), (character) => character.charCodeAt(0)),
    [...all],
  );
  // What is UTF-8 by chance stays bytes.
  assertEquals(latin1(hex("efbbbf 41")), "\xef\xbb\xbfA");
  assertEquals(latin1(hex("efbfbd")), "\xef\xbf\xbd");
  assertEquals(latin1(hex("f09f9880")), "\xf0\x9f\x98\x80");
});

Deno.test("decodeUtf8() keeps a byte order mark, and replaces what is no UTF-8", () => {
  const text = (bytes: Uint8Array) => decodeUtf8(bytes, 0, bytes.length);
  assertEquals(text(hex("efbbbf 41")), "\ufeffA");
  assertEquals(text(hex("c0af")), "\ufffd\ufffd");
  assertEquals(text(hex("eda080")), "\ufffd\ufffd\ufffd");
  assertEquals(text(hex("e282")), "\ufffd");
});

Deno.test("knownName() finds every known name by its slot", () => {
  for (const name of KNOWN_NAMES) {
    assertEquals(knownName(name, 0, name.length), name);
    assertEquals(knownName(`0\x01${name}=`, 2, name.length), name);
  }
  assertEquals(new Set(KNOWN_NAMES).size, KNOWN_NAMES.length);
});

Deno.test("knownName() finds no name that is not known", () => {
  for (const name of KNOWN_NAMES) {
    for (let at = 0; at < name.length; at++) {
      const other = name.slice(0, at) + "a" + name.slice(at + 1);
      assertEquals(knownName(other, 0, other.length), undefined);
    }
    assertEquals(knownName(name, 0, name.length - 1) === name, false);
  }
  for (const name of ["", "A", "AB", "PATH", "SERVER"]) {
    assertEquals(knownName(name, 0, name.length), undefined);
  }
});

Deno.test("decodePairs() gives the names sent, known or not", () => {
  const entries = KNOWN_NAMES.flatMap((name): [string, string][] => [
    [name, "1"],
    [name.toLowerCase(), "2"],
    [name + "X", "3"],
    [name.slice(1), "4"],
  ]);
  assertEquals(decode(pairs(entries)), entries);
});
