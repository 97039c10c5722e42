// Cookies: what is read of Cookie, what is written as Set-Cookie, and that
// nothing given to it can break out of the line.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { readCookies, writeCookie } from "../src/cookies.ts";
import type { CookieOptions } from "../src/cookies.ts";

const READ: [header: string, cookies: Record<string, string>][] = [
  ["", {}],
  ["a=1", { a: "1" }],
  ["a=1; b=2", { a: "1", b: "2" }],
  ["a=1;b=2;  c=3 ;", { a: "1", b: "2", c: "3" }],
  [" a = 1 ", { a: "1" }],
  ["a=", { a: "" }],
  ["=1; a=2", { "": "1", a: "2" }],
  ["a", {}],
  [";;; a=1", { a: "1" }],
  ["a=b=c", { a: "b=c" }],
  // The first counts: it is the most specific.
  ["a=1; a=2", { a: "1" }],
  ['a="1 2"; b="', { a: "1 2", b: '"' }],
  ['a=""', { a: "" }],
  ["a=%41%20%C3%A9%3B", { a: "A \u00e9;" }],
  ['a="%41"', { a: "A" }],
  // No encoding of ours stays as it is.
  ["a=100%; b=%zz; c=%ff", { a: "100%", b: "%zz", c: "%ff" }],
  ["a=1+2", { a: "1+2" }],
  ["A=1; a=2", { A: "1", a: "2" }],
  ["%61=1", { "%61": "1" }],
  ["a=\xe9", { a: "\xe9" }],
  ["a=1, b=2", { a: "1, b=2" }],
];

Deno.test("readCookies() reads names and values", () => {
  for (const [header, expected] of READ) {
    assertEquals({ ...readCookies(header) }, expected, header);
  }
});

Deno.test("readCookies() has no names but those sent", () => {
  const cookies = readCookies("__proto__=x; constructor=y; hasOwnProperty=z");
  assertEquals(Object.getPrototypeOf(cookies), null);
  assertEquals(Object.keys(cookies), [
    "__proto__",
    "constructor",
    "hasOwnProperty",
  ]);
  assertEquals(cookies["__proto__"], "x");
  assertEquals("toString" in readCookies("a=1"), false);
  assertEquals(({} as Record<string, unknown>).x, undefined);
});

const WRITTEN: [options: CookieOptions, attributes: string][] = [
  [{}, "; Path=/"],
  [{ path: "/app" }, "; Path=/app"],
  [{ path: "" }, "; Path="],
  [{ domain: "example.com" }, "; Domain=example.com; Path=/"],
  [{ maxAge: 60 }, "; Max-Age=60; Path=/"],
  [{ maxAge: 0 }, "; Max-Age=0; Path=/"],
  [{ maxAge: -1 }, "; Max-Age=-1; Path=/"],
  [
    { expires: new Date(0) },
    "; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  ],
  [{ httpOnly: true, secure: true }, "; Path=/; HttpOnly; Secure"],
  [{ httpOnly: false, secure: false, partitioned: false }, "; Path=/"],
  [{ partitioned: true }, "; Path=/; Partitioned"],
  [{ sameSite: "strict" }, "; Path=/; SameSite=Strict"],
  [{ sameSite: "lax" }, "; Path=/; SameSite=Lax"],
  [{ sameSite: "none", secure: true }, "; Path=/; Secure; SameSite=None"],
];

Deno.test("writeCookie() writes the attributes", () => {
  for (const [options, attributes] of WRITTEN) {
    assertEquals(writeCookie("a", "1", options), `a=1${attributes}`);
  }
});

Deno.test("writeCookie() encodes what cannot stand in a value", () => {
  for (
    const [value, written] of [
      ["a;b", "a%3Bb"],
      ["a,b c", "a%2Cb%20c"],
      ["a\r\nSet-Cookie: b=1", "a%0D%0ASet-Cookie%3A%20b%3D1"],
      ['"\\', "%22%5C"],
      ["\u00e9\u20ac", "%C3%A9%E2%82%AC"],
      ["\0", "%00"],
      ["%41", "%2541"],
      ["lone \ud800", "lone%20%EF%BF%BD"],
      ["", ""],
    ] as const
  ) {
    assertEquals(writeCookie("a", value, {}), `a=${written}; Path=/`);
  }
});

Deno.test("writeCookie() writes what readCookies() reads", () => {
  const all = Array.from({ length: 0x250 }, (_, i) => String.fromCharCode(i));
  const value = all.join("") + "\u20ac\ud83d\ude00";
  const pair = writeCookie("!#$%&'*+-.^_`|~aZ09", value, {}).split(";")[0]!;
  assert(/^[\x21-\x7e]+$/.test(pair));
  assertEquals({ ...readCookies(pair) }, { "!#$%&'*+-.^_`|~aZ09": value });
});

Deno.test("writeCookie() refuses names that are no token", () => {
  for (
    const name of [
      "",
      " ",
      "a b",
      "a=b",
      "a;b",
      "a,b",
      "a\n",
      "\0",
      "\u00e9",
      '"',
    ]
  ) {
    assertThrows(
      () => writeCookie(name, "", {}),
      TypeError,
      "a name is a token",
    );
  }
});

Deno.test("writeCookie() refuses attributes that would break out of theirs", () => {
  for (
    const value of [
      "/; HttpOnly",
      "a;",
      "/\r\nX: y",
      "\n",
      "\0",
      "\x7f",
      "/\u00e9",
      "/\u010d\u010a",
    ]
  ) {
    for (const attribute of ["path", "domain"] as const) {
      assertThrows(
        () => writeCookie("a", "", { [attribute]: value }),
        TypeError,
        `Cannot set a cookie with the ${attribute}`,
      );
    }
  }
  for (const sameSite of ["Lax", "", "none; X", "toString", 1, null]) {
    assertThrows(
      () => writeCookie("a", "", { sameSite: sameSite as "lax" }),
      TypeError,
      "sameSite",
    );
  }
});

Deno.test("writeCookie() refuses times that are none", () => {
  for (const maxAge of [1.5, NaN, Infinity, 1e21, "60", "1; X", null]) {
    assertThrows(
      () => writeCookie("a", "", { maxAge: maxAge as number }),
      RangeError,
      "maxAge",
    );
  }
  assertThrows(
    () => writeCookie("a", "", { expires: new Date(NaN) }),
    RangeError,
    "no valid date",
  );
});
