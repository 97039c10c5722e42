// The record parser: records of every vector, its place in a record, where it
// fails, and what goes through it from the handler.

import { assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../src/errors.ts";
import { RecordParser } from "../../src/protocol/parser.ts";
import { concat, concatLarge, record } from "../support/wire.ts";
import { hex } from "../vectors/vector.ts";

/** A parser, and the pieces it has found: type, id, content, remaining. */
function make(): {
  parser: RecordParser;
  pieces: [number, number, string, number][];
} {
  const pieces: [number, number, string, number][] = [];
  const parser = new RecordParser({
    record(type, id, buffer, start, end, remaining) {
      const content = String.fromCharCode(...buffer.subarray(start, end));
      pieces.push([type, id, content, remaining]);
    },
  });
  return { parser, pieces };
}

Deno.test("RecordParser.push() finds type, id, content and padding", () => {
  const { parser, pieces } = make();
  const bytes = hex(`
    01 05 0001 0003 00 00  'abc'
    01 ff ffff 0001 02 77  'x' 0101
    01 00 0100 0000 ff 00 ${"05".repeat(255)}
    01 04 8000 0000 00 ff`);
  parser.push(bytes, 0, bytes.length);
  assertEquals(pieces, [
    [5, 1, "abc", 0],
    [255, 65535, "x", 0],
    [0, 256, "", 0],
    [4, 32768, "", 0],
  ]);
});

Deno.test("RecordParser.push() reads no byte outside its range", () => {
  const { parser, pieces } = make();
  const bytes = concat([
    new Uint8Array([1, 5, 0, 9, 0]),
    record(5, 1, "ab", 1),
    record(5, 2, "cd").subarray(0, 9),
    new Uint8Array([0x64, 1, 5]),
  ]);
  parser.push(bytes, 5, 5 + 11 + 9);
  assertEquals(pieces, [[5, 1, "ab", 0], [5, 2, "c", 1]]);
  assertEquals(parser.isAtBoundary, false);
});

Deno.test("RecordParser.push() gives the pieces of a split record with what remains", () => {
  const { parser, pieces } = make();
  const bytes = record(5, 7, "abcdef", 3);
  for (const [start, end] of [[0, 3], [3, 8], [8, 9], [9, 9], [9, 13]]) {
    parser.push(bytes, start!, end!);
  }
  assertEquals(pieces, [[5, 7, "a", 5], [5, 7, "bcde", 1]]);
  parser.push(bytes, 13, 17);
  assertEquals(pieces.at(-1), [5, 7, "f", 0]);
});

Deno.test("RecordParser.push() gives a record of the most content whole", () => {
  const { parser, pieces } = make();
  const bytes = record(5, 1, "x".repeat(65535), 255);
  parser.push(bytes, 0, bytes.length);
  assertEquals(pieces.map(([, , content]) => content.length), [65535]);
});

Deno.test("RecordParser.isAtBoundary is true when the bytes end with a record", () => {
  const one = record(5, 1, "abc", 2);
  const bytes = concatLarge([one, record(4, 1), record(5, 1, "", 1)]);
  const boundaries = new Set([0, one.length, one.length + 8, bytes.length]);
  for (let end = 0; end <= bytes.length; end++) {
    const { parser } = make();
    parser.push(bytes, 0, end);
    assertEquals(parser.isAtBoundary, boundaries.has(end), `at ${end}`);
  }
});

Deno.test("RecordParser.push() fails at the offset of a wrong version", () => {
  const good = concatLarge([record(5, 1, "abc", 2), record(4, 1)]);
  for (const version of [0, 2, 71, 255]) {
    const bytes = concat([good, new Uint8Array([version, 5, 0, 1])]);
    for (let cut = 0; cut <= good.length; cut++) {
      const { parser, pieces } = make();
      parser.push(bytes, 0, cut);
      const error = assertThrows(
        () => parser.push(bytes, cut, bytes.length),
        ProtocolError,
        `FastCGI version ${version}`,
      );
      assertEquals(
        [error.code, error.requestId, error.offset, error.status],
        ["BAD_VERSION", 0, good.length, 400],
      );
      assertEquals(pieces.at(-1), [4, 1, "", 0]);
    }
  }
});

Deno.test("RecordParser.push() lets through what the handler throws", () => {
  const parser = new RecordParser({
    record: () => {
      throw new RangeError("of the handler");
    },
  });
  const bytes = record(5, 1, "abc");
  parser.push(bytes, 0, 8);
  assertThrows(() => parser.push(bytes, 8, 9), RangeError, "of the handler");
});
