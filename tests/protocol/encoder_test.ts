// OutputBuffer: the exact bytes of each record, and that they stay right
// wherever in the buffer they are written and however it grows.

import { assert, assertEquals } from "@std/assert";
import { OutputBuffer } from "../../src/protocol/encoder.ts";
import { randomBytes, seeded, whole } from "../support/random.ts";
import { records } from "../support/wire.ts";
import { hex } from "../vectors/vector.ts";

function written(out: OutputBuffer): Uint8Array<ArrayBuffer> {
  return out.bytes.slice(0, out.length);
}

/** What each method is to write. */
const ROWS: [string, (out: OutputBuffer) => unknown, string][] = [
  [
    "header() writes type, id and length",
    (out) => out.header(6, 0x1234, 0xabcd),
    "01 06 1234 abcd 00 00",
  ],
  [
    "header() writes the least and the most",
    (out) => {
      out.header(0, 0, 0);
      out.header(255, 65535, 65535);
    },
    "01 00 0000 0000 00 00  01 ff ffff ffff 00 00",
  ],
  [
    "stream() writes one record where one suffices",
    (out) => out.stream(7, 1, hex("'config error: missing SI_UID' 0a")),
    "01 07 0001 001d 00 00  'config error: missing SI_UID' 0a",
  ],
  [
    "stream() writes part of what holds the bytes",
    (out) => out.stream(6, 2, hex("'abcdef'"), 2, 5),
    "01 06 0002 0003 00 00  'cde'",
  ],
  [
    "stream() writes nothing for nothing, which would end the stream",
    (out) => {
      out.stream(6, 2, new Uint8Array(0));
      out.stream(6, 2, hex("'abc'"), 3);
      out.stream(6, 2, hex("'abc'"), 1, 1);
    },
    "",
  ],
  [
    "endStream() writes the empty record",
    (out) => out.endStream(7, 258),
    "01 07 0102 0000 00 00",
  ],
  [
    "beginRequest() writes role and flags (section 5.1)",
    (out) => {
      out.beginRequest(1, 1, 0);
      out.beginRequest(65535, 0x0203, 1);
    },
    `01 01 0001 0008 00 00  0001 00 0000000000
     01 01 ffff 0008 00 00  0203 01 0000000000`,
  ],
  [
    "endRequest() writes both statuses (section 5.5)",
    (out) => {
      out.endRequest(1, 0, 0);
      out.endRequest(0x102, 0x01020304, 3);
      out.endRequest(65535, 0xffffffff, 255);
      out.endRequest(1, -1, 1);
    },
    `01 03 0001 0008 00 00  00000000 00 000000
     01 03 0102 0008 00 00  01020304 03 000000
     01 03 ffff 0008 00 00  ffffffff ff 000000
     01 03 0001 0008 00 00  ffffffff 01 000000`,
  ],
  [
    "endResponse() writes the end of FCGI_STDOUT, then FCGI_END_REQUEST",
    (out) => out.endResponse(1, 0, 0),
    "01 06 0001 0000 00 00  01 03 0001 0008 00 00  00000000 00 000000",
  ],
  [
    "endResponse() writes other ids into both records",
    (out) => {
      out.endResponse(255, 0, 0);
      out.endResponse(256, 0, 0);
      out.endResponse(65535, 0, 0);
    },
    `01 06 00ff 0000 00 00  01 03 00ff 0008 00 00  00000000 00 000000
     01 06 0100 0000 00 00  01 03 0100 0008 00 00  00000000 00 000000
     01 06 ffff 0000 00 00  01 03 ffff 0008 00 00  00000000 00 000000`,
  ],
  [
    "endResponse() writes statuses that are not 0",
    (out) => {
      out.endResponse(1, 1, 0);
      out.endResponse(1, 0, 2);
      out.endResponse(0x304, 0x80000000, 3);
    },
    `01 06 0001 0000 00 00  01 03 0001 0008 00 00  00000001 00 000000
     01 06 0001 0000 00 00  01 03 0001 0008 00 00  00000000 02 000000
     01 06 0304 0000 00 00  01 03 0304 0008 00 00  80000000 03 000000`,
  ],
  [
    "unknownType() writes request id 0 (section 4.2)",
    (out) => out.unknownType(255),
    "01 0b 0000 0008 00 00  ff 00000000000000",
  ],
  [
    "management() writes pairs with request id 0 (section 4.1)",
    (out) => out.management(10, hex("0f 01 'FCGI_MPXS_CONNS' '1'")),
    "01 0a 0000 0012 00 00  0f 01 'FCGI_MPXS_CONNS' '1'",
  ],
  [
    "management() writes an empty answer where nothing is known",
    (out) => out.management(10, new Uint8Array(0)),
    "01 0a 0000 0000 00 00",
  ],
  ["raw() writes bytes as they are", (out) => out.raw(hex("00ff01")), "00ff01"],
  [
    "endResponse() ends a whole response (appendix B, example 1)",
    (out) => {
      const head = "Content-type: text/html\r\n\r\n<html>\n<head>";
      out.header(6, 1, head.length);
      out.text(head);
      out.endResponse(1, 0, 0);
    },
    `01 06 0001 0028 00 00
       'Content-type: text/html' 0d0a0d0a '<html>' 0a '<head>'
     01 06 0001 0000 00 00
     01 03 0001 0008 00 00  00000000 00 000000`,
  ],
];

for (const [name, write, expected] of ROWS) {
  Deno.test(`OutputBuffer.${name}`, () => {
    const bytes = hex(expected);
    // In a buffer with room, in one that has to grow, after other bytes, and
    // where other bytes stood before.
    for (const capacity of [0, 1, 7, bytes.length, 4096]) {
      for (const before of ["", "'before'"]) {
        const out = new OutputBuffer(capacity);
        out.raw(new Uint8Array(200).fill(0xee));
        out.length = 0;
        out.raw(hex(before));
        write(out);
        assertEquals(written(out), hex(before + expected));
      }
    }
  });
}

Deno.test("OutputBuffer.stream() splits at 65,535 bytes", () => {
  for (
    const [size, sizes] of [
      [1, [1]],
      [65_534, [65_534]],
      [65_535, [65_535]],
      [65_536, [65_535, 1]],
      [66_000, [65_535, 465]],
      [131_070, [65_535, 65_535]],
      [131_071, [65_535, 65_535, 1]],
    ] as const
  ) {
    const content = randomBytes(seeded(size), size);
    const out = new OutputBuffer(64);
    out.stream(6, 9, content);
    const read = records(written(out));
    assertEquals(read.rest.length, 0);
    assertEquals(read.records.map((one) => one.content.length), [...sizes]);
    assert(read.records.every(({ type, id }) => type === 6 && id === 9));
    const joined = read.records.flatMap((one) => [...one.content]);
    assert(joined.every((byte, i) => byte === content[i]));
  }
});

const utf8 = new TextEncoder();

const TEXTS = [
  "",
  "a",
  "\x00\x7f",
  "\u0080",
  "\u00e9",
  "\u20ac",
  "\ud83d\ude00",
  "lone \ud83d and \ude00",
  "ASCII and then \u00e9",
  ...[190, 191, 192, 193, 5000].flatMap((length) => [
    "x".repeat(length),
    "x".repeat(length - 1) + "\u00e9",
    "\u20ac".repeat(length),
    "\ud83d\ude00".repeat(length),
  ]),
];

Deno.test("OutputBuffer.text() writes UTF-8 of any length", () => {
  for (const text of TEXTS) {
    const expected = utf8.encode(text);
    for (const capacity of [0, expected.length, 100_000]) {
      const out = new OutputBuffer(capacity);
      out.raw(hex("'<'"));
      assertEquals(out.text(text), expected.length);
      out.raw(hex("'>'"));
      assertEquals(
        written(out),
        Uint8Array.of(0x3c, ...expected, 0x3e),
        JSON.stringify(text.slice(0, 40)),
      );
    }
  }
});

Deno.test("OutputBuffer.text() does not grow a buffer that has room", () => {
  for (const text of ["x".repeat(1000), "x".repeat(998) + "\u00e9"]) {
    const out = new OutputBuffer(1001);
    const first = out.bytes;
    out.raw(hex("'<'"));
    assertEquals(out.text(text), 1000);
    assert(out.bytes === first);
  }
});

Deno.test("OutputBuffer.reserve() keeps what is written, and at least doubles", () => {
  const out = new OutputBuffer(16);
  out.raw(hex("'0123456789'"));
  const first = out.bytes;
  out.reserve(6);
  assertEquals(out.bytes, first);
  assert(out.bytes === first);
  out.reserve(7);
  assertEquals(out.bytes.length, 32);
  out.reserve(1000);
  assertEquals(out.bytes.length, 1010);
  assertEquals(written(out), hex("'0123456789'"));
});

Deno.test("OutputBuffer.clear() gives back what it has grown by", () => {
  const out = new OutputBuffer(32);
  const first = out.bytes;
  out.raw(new Uint8Array(32));
  out.clear();
  assertEquals(out.length, 0);
  assert(out.bytes === first, "a buffer that did not grow is kept");
  out.raw(new Uint8Array(33));
  out.clear();
  assertEquals([out.length, out.bytes.length, out.capacity], [0, 32, 32]);
});

Deno.test("OutputBuffer writes records that can be read back, at random", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = seeded(seed);
    const out = new OutputBuffer(whole(random, 0, 256));
    const expected: [number, number, number[]][] = [];
    const empty = new Array(7).fill(0);
    for (let n = whole(random, 1, 12); n > 0; n--) {
      const id = whole(random, 1, 65535);
      const type = whole(random, 1, 11);
      const content = randomBytes(random, whole(random, 1, 300));
      const status = whole(random, 0, 1) * whole(random, 0, 2 ** 32 - 1);
      const protocol = whole(random, 0, 3);
      const end = [
        ...new Uint8Array(new Uint32Array([status]).buffer).reverse(),
        protocol,
        0,
        0,
        0,
      ];
      switch (whole(random, 0, 5)) {
        case 0:
          out.stream(type, id, content);
          expected.push([type, id, [...content]]);
          break;
        case 1:
          out.endResponse(id, status, protocol);
          expected.push([6, id, []], [3, id, end]);
          break;
        case 2:
          out.endRequest(id, status, protocol);
          expected.push([3, id, end]);
          break;
        case 3:
          out.unknownType(type);
          expected.push([11, 0, [type, ...empty]]);
          break;
        case 4:
          out.management(10, content);
          expected.push([10, 0, [...content]]);
          break;
        default:
          out.beginRequest(id, protocol, 1);
          expected.push([1, id, [0, protocol, 1, 0, 0, 0, 0, 0]]);
      }
    }
    const read = records(written(out));
    assertEquals(read.rest.length, 0);
    assertEquals(
      read.records.map((one) => [one.type, one.id, [...one.content]]),
      expected,
      `seed ${seed}`,
    );
    assert(read.records.every((one) => one.padding === 0));
  }
});

Deno.test("OutputBuffer.from() gives what is written, also where it had grown", () => {
  const out = new OutputBuffer(8);
  out.raw(hex("01020304"));
  assertEquals(out.from(0), hex("01020304"));
  out.raw(new Uint8Array(20));
  out.length = 0;
  out.raw(hex("05060708"));
  assertEquals(out.from(0), hex("05060708"));
  out.clear();
  out.raw(hex("090a0b0c"));
  assertEquals(out.from(0), hex("090a0b0c"));
  assertEquals(out.from(2), hex("0b0c"));
});
