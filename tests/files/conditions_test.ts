import { assertEquals } from "@std/assert";
import { evaluateConditions, mayBeRanges } from "../../src/files/conditions.ts";
import type { Validators } from "../../src/files/conditions.ts";

const BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT";
const THEN = "Sun, 06 Nov 1994 08:49:37 GMT";
const AFTER = "Sun, 06 Nov 1994 08:49:38 GMT";

const STRONG: Validators = {
  etag: '"a"',
  lastModified: Date.parse(THEN),
  isDateStrong: true,
};
const WEAK: Validators = { ...STRONG, etag: 'W/"a"', isDateStrong: false };
const NONE: Validators = { etag: "", lastModified: NaN, isDateStrong: false };

type Headers = Record<string, string>;

function lookUp(headers: Headers): (name: string) => string | undefined {
  return (name) => headers[name];
}

const CASES: [headers: Headers, validators: Validators, status: number][] = [
  [{}, STRONG, 200],
  [{}, NONE, 200],

  [{ "If-None-Match": '"a"' }, STRONG, 304],
  [{ "If-None-Match": 'W/"a"' }, STRONG, 304],
  [{ "If-None-Match": '"a"' }, WEAK, 304],
  [{ "If-None-Match": '"b"' }, STRONG, 200],
  [{ "If-None-Match": '"b", "a"' }, STRONG, 304],
  [{ "If-None-Match": '"b,\\" ,W/"a"' }, STRONG, 304],
  [{ "If-None-Match": "*" }, STRONG, 304],
  [{ "If-None-Match": " * " }, STRONG, 304],
  [{ "If-None-Match": "a" }, STRONG, 200],
  [{ "If-None-Match": "" }, STRONG, 200],
  [{ "If-None-Match": '"a' }, STRONG, 200],
  [{ "If-None-Match": '""' }, NONE, 200],
  [{ "If-None-Match": '"A"' }, STRONG, 200],

  [{ "If-Modified-Since": BEFORE }, STRONG, 200],
  [{ "If-Modified-Since": THEN }, STRONG, 304],
  [{ "If-Modified-Since": AFTER }, STRONG, 304],
  [{ "If-Modified-Since": AFTER }, NONE, 200],
  // The date counts only where there is no tag.
  [{ "If-None-Match": '"b"', "If-Modified-Since": AFTER }, STRONG, 200],
  [{ "If-None-Match": '"a"', "If-Modified-Since": BEFORE }, STRONG, 304],

  [{ "If-Match": '"a"' }, STRONG, 200],
  [{ "If-Match": '"b", "a"' }, STRONG, 200],
  [{ "If-Match": '"b"' }, STRONG, 412],
  [{ "If-Match": 'W/"a"' }, STRONG, 412],
  [{ "If-Match": 'W/"a"' }, WEAK, 412],
  [{ "If-Match": "*" }, STRONG, 200],
  [{ "If-Match": "*" }, WEAK, 200],
  [{ "If-Match": "" }, STRONG, 412],

  [{ "If-Unmodified-Since": BEFORE }, STRONG, 412],
  [{ "If-Unmodified-Since": THEN }, STRONG, 200],
  [{ "If-Unmodified-Since": AFTER }, STRONG, 200],
  [{ "If-Unmodified-Since": BEFORE }, NONE, 200],
  [{ "If-Match": '"a"', "If-Unmodified-Since": BEFORE }, STRONG, 200],
  [{ "If-Match": '"b"', "If-None-Match": '"a"' }, STRONG, 412],
  [{ "If-Match": '"a"', "If-None-Match": '"a"' }, STRONG, 304],
  [{ "If-Unmodified-Since": AFTER, "If-Modified-Since": AFTER }, STRONG, 304],
  [{ "If-Unmodified-Since": BEFORE, "If-None-Match": '"a"' }, STRONG, 412],
];

for (const [headers, validators, status] of CASES) {
  Deno.test(`evaluateConditions() gives ${status} for ${JSON.stringify(headers)} of ${validators.etag || "nothing"}`, () => {
    assertEquals(evaluateConditions(lookUp(headers), validators), status);
  });
}

Deno.test("evaluateConditions() reads all three forms of dates, and ignores what is none", () => {
  for (
    const [date, status] of [
      ["Sunday, 06-Nov-94 08:49:37 GMT", 304],
      ["Sun Nov  6 08:49:37 1994", 304],
      ["Sun Nov  6 08:49:36 1994", 200],
      ["", 200],
      ["2030", 200],
      ["tomorrow", 200],
      ["Sun, 06 Nov 1994 08:49:37", 200],
      ["Sun, 06 Nov 1994 08:49:37 CET", 200],
      ["Sun, 06 Xxx 1994 08:49:37 GMT", 200],
      ["Sun, 99 Nov 1994 08:49:37 GMT", 200],
      ["1994-11-06T08:49:37Z", 200],
    ] as const
  ) {
    const header = lookUp({ "If-Modified-Since": date });
    assertEquals(evaluateConditions(header, STRONG), status, date);
  }
});

Deno.test("mayBeRanges() compares strongly", () => {
  for (
    const [ifRange, validators, expected] of [
      [undefined, STRONG, true],
      [undefined, NONE, true],
      ['"a"', STRONG, true],
      ['"b"', STRONG, false],
      ['W/"a"', STRONG, false],
      ['W/"a"', WEAK, false],
      ['"a"', WEAK, false],
      ['"a", "b"', STRONG, false],
      ["*", STRONG, false],
      ["", STRONG, false],
      [THEN, STRONG, true],
      [BEFORE, STRONG, false],
      [AFTER, STRONG, false],
      [THEN, WEAK, false],
      [THEN, NONE, false],
    ] as const
  ) {
    const header = lookUp(ifRange === undefined ? {} : { "If-Range": ifRange });
    assertEquals(mayBeRanges(header, validators), expected, ifRange);
  }
});
