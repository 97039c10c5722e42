import { assertEquals, assertMatch } from "@std/assert";
import {
  contentRange,
  frameRanges,
  parseRanges,
} from "../../src/files/ranges.ts";

/** Of 100 bytes: [start, end excluded] each, or null where it is ignored. */
const CASES: [header: string, ranges: [number, number][] | null][] = [
  ["bytes=0-0", [[0, 1]]],
  ["bytes=0-99", [[0, 100]]],
  ["bytes=0-", [[0, 100]]],
  ["bytes=99-", [[99, 100]]],
  ["bytes=-1", [[99, 100]]],
  ["bytes=-100", [[0, 100]]],
  ["bytes=-1000", [[0, 100]]],
  ["bytes=10-1000", [[10, 100]]],
  ["bytes=10-99999999999999999999999", [[10, 100]]],
  ["bytes=010-011", [[10, 12]]],
  ["BYTES=1-2", [[1, 3]]],
  ["bytes= 1-2 ,\t4-5", [[1, 3], [4, 6]]],
  ["bytes=4-5,1-2", [[4, 6], [1, 3]]],
  ["bytes=1-50,40-60", [[1, 51], [40, 61]]],
  ["bytes=0-49,-50", [[0, 50], [50, 100]]],
  // Those that are in the file, of those that are asked for.
  ["bytes=0-0,100-200", [[0, 1]]],
  ["bytes=100-200", []],
  ["bytes=100-", []],
  ["bytes=99999999999999999999-", []],
  ["bytes=-0", []],
  ["bytes=-0,200-", []],
  // Malformed, or of another unit.
  ["", null],
  ["bytes", null],
  ["bytes=", null],
  ["bytes=-", null],
  ["bytes=--1", null],
  ["bytes=1", null],
  ["bytes=a-b", null],
  ["bytes=1-2-3", null],
  ["bytes=2-1", null],
  ["bytes=0-0,2-1", null],
  ["bytes=0x1-0x2", null],
  ["bytes=1 -2", null],
  ["bytes=+1-2", null],
  ["bytes=1.0-2", null],
  ["bytes=0-1,", null],
  ["bytes=0-1;2-3", null],
  ["bytes 0-1", null],
  [" bytes=0-1", null],
  ["items=0-1", null],
  ["bytes=０-１", null],
  // More than there is.
  ["bytes=0-99,0-0", null],
  ["bytes=0-,0-,0-", null],
];

for (const [header, ranges] of CASES) {
  Deno.test(`parseRanges() reads "${header}"`, () => {
    assertEquals(
      parseRanges(header, 100)?.map(({ start, end }) => [start, end]) ?? null,
      ranges,
    );
  });
}

Deno.test("parseRanges() takes 64 ranges and no more", () => {
  const header = (count: number) =>
    `bytes=${Array.from({ length: count }, (_, i) => `${i}-${i}`)}`;
  assertEquals(parseRanges(header(64), 100)?.length, 64);
  assertEquals(parseRanges(header(65), 100), null);
  assertEquals(parseRanges(header(100_000), 1_000_000), null);
});

Deno.test("parseRanges() ignores ranges of an empty file", () => {
  for (const header of ["bytes=0-", "bytes=-1", "bytes=0-0"]) {
    assertEquals(parseRanges(header, 0), null);
  }
});

Deno.test("contentRange() names the last byte, and the size alone for none", () => {
  assertEquals(contentRange({ start: 0, end: 1 }, 10), "bytes 0-0/10");
  assertEquals(contentRange({ start: 5, end: 10 }, 10), "bytes 5-9/10");
  assertEquals(contentRange(null, 10), "bytes */10");
});

Deno.test("frameRanges() frames parts with a boundary of its own", () => {
  const ranges = [{ start: 0, end: 2 }, { start: 5, end: 9 }];
  const frame = frameRanges(ranges, 10, "text/plain");
  const [, boundary] = /^multipart\/byteranges; boundary=([\w-]{20,70})$/
    .exec(frame.type)!;
  const decoder = new TextDecoder();
  const text = frame.heads.map((head, i) =>
    decoder.decode(head) +
    "abcdefghij".slice(ranges[i]!.start, ranges[i]!.end)
  ).join("") + decoder.decode(frame.tail);
  assertEquals(
    text,
    `--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\nab\r\n` +
      `--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-8/10\r\n\r\nfghi\r\n` +
      `--${boundary}--\r\n`,
  );
  assertEquals(frame.length, text.length);
  const other = frameRanges(ranges, 10, "text/plain");
  assertMatch(other.type, /boundary=/);
  assertEquals(other.type === frame.type, false);
});
