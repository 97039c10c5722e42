// PairIndex: what it finds is what a look at every pair finds.

import { assert, assertEquals } from "@std/assert";
import { ActiveRequest } from "../../src/protocol/active_request.ts";
import { PairIndex } from "../../src/protocol/pair_index.ts";
import { scanParams } from "../../src/protocol/params_scan.ts";
import { seeded, whole } from "../support/random.ts";
import { concatLarge, pair, pairs, readPairs } from "../support/wire.ts";

/** The index of a stream, in the midst of other bytes. */
function indexOf(bytes: Uint8Array): PairIndex | null {
  const around = concatLarge([
    new Uint8Array([128, 65]),
    bytes,
    new Uint8Array([1, 1, 65, 66]),
  ]);
  const end = 2 + bytes.length;
  const request = new ActiveRequest(1, 1, true);
  assert(scanParams(around, 2, end, request));
  const index = PairIndex.of(around, 2, end, request.areLengthsShort);
  // It holds nothing of the buffer.
  around.fill(0);
  return index;
}

const NAMES = ["A", "a", "B", "HTTP_A", "Http_A", "HTTP_B", "", "n".repeat(33)];
const VALUES = ["", "1", "two", "x".repeat(127), "y".repeat(128), "\uFFFD"];

/** Pairs of few names, so that they repeat; now and then text, or long forms. */
function somePairs(seed: number): Uint8Array<ArrayBuffer> {
  const random = seeded(seed);
  const isText = random() < 0.2;
  const isLong = random() < 0.3;
  const parts: Uint8Array[] = [];
  for (let n = whole(random, 0, 40); n > 0; n--) {
    const name = NAMES[whole(random, 0, NAMES.length - 1)]!;
    const value = VALUES[whole(random, 0, VALUES.length - (isText ? 1 : 2))]!;
    parts.push(pair(name, value, isLong && random() < 0.5));
  }
  return concatLarge(parts);
}

const isAscii = (text: string) => /^[\0-\x7f]*$/.test(text);

Deno.test("PairIndex finds what a look at every pair finds", () => {
  let without = 0;
  let eager = 0;
  for (let seed = 1; seed <= 1500; seed++) {
    const bytes = somePairs(seed);
    const expected = readPairs(bytes);
    const index = indexOf(bytes);
    if (index === null) {
      assert(!expected.flat().every(isAscii), `seed ${seed}`);
      without++;
      continue;
    }
    if (bytes.some((byte) => byte > 127)) eager++;
    assertEquals(index.isAscii, expected.flat().every(isAscii));
    const found: [string, string][] = [];
    index.each((name, value) => found.push([name, value]));
    assertEquals(found, expected, `seed ${seed}`);
    for (const name of [...NAMES, "C", "HTTP_C"]) {
      const values = expected.filter(([known]) => known === name);
      assertEquals(index.get(name), values.at(-1)?.[1], `seed ${seed} ${name}`);
      // The names of headers are wanted in upper case, and none is empty.
      if (name === "" || name !== name.toUpperCase()) continue;
      assertEquals(
        index.getAll(name),
        expected.filter(([known]) => known.toUpperCase() === name)
          .map(([, value]) => value),
        `seed ${seed} ${name}`,
      );
    }
  }
  assert(without > 50 && eager > 200, `${without} without, ${eager} eager`);
});

Deno.test("PairIndex looks a name up before and after all are given", () => {
  for (const value of ["short", "long".repeat(100)]) {
    const bytes = pairs([["A", value], ["B", "2"], ["A", "3"]]);
    const index = indexOf(bytes)!;
    assertEquals(index.get("A"), "3");
    const names: string[] = [];
    index.each((name) => names.push(name));
    assertEquals(names, ["A", "B", "A"]);
    assertEquals(index.getAll("A"), [value, "3"]);
    assertEquals(index.get("C"), undefined);
  }
});

Deno.test("PairIndex of nothing has nothing", () => {
  const index = indexOf(new Uint8Array(0))!;
  assertEquals([index.text, index.get(""), index.isAscii], [
    "",
    undefined,
    true,
  ]);
  index.each(() => assert(false));
});
