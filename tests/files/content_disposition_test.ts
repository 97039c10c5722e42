import { assertEquals } from "@std/assert";
import { attachment } from "../../src/files/content_disposition.ts";

const CASES: [name: string, value: string][] = [
  ["plain.txt", 'attachment; filename="plain.txt"'],
  ["two words.txt", 'attachment; filename="two words.txt"'],
  ["a'b(c)*.txt", `attachment; filename="a'b(c)*.txt"`],
  ['a"b.txt', 'attachment; filename="a\\"b.txt"'],
  ["100%.txt", 'attachment; filename="100%.txt"'],
  // Of folders only the last part is a name.
  ["/etc/passwd", 'attachment; filename="passwd"'],
  ["..\\..\\boot.ini", 'attachment; filename="boot.ini"'],
  ["a/", "attachment"],
  ["", "attachment"],
  ["  ", "attachment"],
  // What is not ASCII stands in the other form too.
  [
    "naïve.txt",
    "attachment; filename=\"na_ve.txt\"; filename*=UTF-8''na%C3%AFve.txt",
  ],
  [
    "Ünïcödé '(*)'.txt",
    "attachment; filename=\"_n_c_d_ '(*)'.txt\"; filename*=UTF-8''%C3%9Cn%C3%AFc%C3%B6d%C3%A9%20%27%28%2A%29%27.txt",
  ],
  ["😀", "attachment; filename=\"_\"; filename*=UTF-8''%F0%9F%98%80"],
  [
    "\ud800.txt",
    "attachment; filename=\"_.txt\"; filename*=UTF-8''%EF%BF%BD.txt",
  ],
  // Browsers take this for an escape.
  ["a%20b", "attachment; filename=\"a%20b\"; filename*=UTF-8''a%2520b"],
  // Nothing may break the line, or show a name other than it is.
  ["a\r\nSet-Cookie: b=c", 'attachment; filename="aSet-Cookie: b=c"'],
  ["a\0b\x7f\x1b.txt", 'attachment; filename="ab.txt"'],
  ["a\u202etxt.exe", 'attachment; filename="atxt.exe"'],
];

for (const [name, value] of CASES) {
  Deno.test(`attachment() gives ${JSON.stringify(name)} as a download`, () => {
    assertEquals(attachment(name), value);
    // Whatever it is, a header takes it.
    assertEquals(new Headers({ x: value }).get("x"), value);
  });
}
