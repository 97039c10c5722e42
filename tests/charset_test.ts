// Charsets that text is written in.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { textEncoderOf } from "../src/charset.ts";

/** The single-byte encodings of the Encoding Standard. */
const SINGLE_BYTE = [
  "ibm866",
  "iso-8859-2",
  "iso-8859-3",
  "iso-8859-4",
  "iso-8859-5",
  "iso-8859-6",
  "iso-8859-7",
  "iso-8859-8",
  "iso-8859-8-i",
  "iso-8859-10",
  "iso-8859-13",
  "iso-8859-14",
  "iso-8859-15",
  "iso-8859-16",
  "koi8-r",
  "koi8-u",
  "macintosh",
  "windows-874",
  "windows-1250",
  "windows-1251",
  "windows-1252",
  "windows-1253",
  "windows-1254",
  "windows-1255",
  "windows-1256",
  "windows-1257",
  "windows-1258",
  "x-mac-cyrillic",
  "x-user-defined",
];

const SEVERAL_BYTES = [
  "gbk",
  "gb18030",
  "big5",
  "euc-jp",
  "iso-2022-jp",
  "shift_jis",
  "euc-kr",
  "utf-16le",
  "utf-16be",
];

Deno.test("textEncoderOf() gives null for UTF-8, by any label", () => {
  for (const label of ["utf-8", "UTF8", " utf-8 ", "unicode-1-1-utf-8"]) {
    assertEquals(textEncoderOf(label), null, label);
  }
});

Deno.test("textEncoderOf() turns every single-byte decoder round", () => {
  for (const label of SINGLE_BYTE) {
    const encode = textEncoderOf(label);
    assert(encode !== null, label);
    const decoder = new TextDecoder(label);
    let letters = 0;
    for (let byte = 0; byte < 256; byte++) {
      const text = decoder.decode(new Uint8Array([byte]));
      if (text === "\ufffd") continue;
      letters++;
      assertEquals(decoder.decode(encode(text)), text, `${label} ${byte}`);
      assertEquals(encode(text).length, 1);
    }
    assert(letters > 200, label);
  }
});

Deno.test("textEncoderOf() encodes ISO-8859-1 as the Web does, as windows-1252", () => {
  const encode = textEncoderOf("iso-8859-1")!;
  assertEquals([...encode("a\u00e9\u20ac\u00ff")], [0x61, 0xe9, 0x80, 0xff]);
  assertEquals([...encode("\r\n\t\0")], [13, 10, 9, 0]);
  assertEquals(encode("").length, 0);
});

Deno.test("textEncoderOf() writes a question mark for what the charset lacks", () => {
  const encode = textEncoderOf("iso-8859-15")!;
  const text = "a\u3042\ud83d\ude00\ud800b\ufffd\u20ac";
  assertEquals(
    new TextDecoder("iso-8859-15").decode(encode(text)),
    "a???b?\u20ac",
  );
});

Deno.test("textEncoderOf() refuses charsets of several bytes a character", () => {
  for (const label of SEVERAL_BYTES) {
    assertThrows(
      () => textEncoderOf(label),
      RangeError,
      `Cannot write text as "${label}"`,
    );
  }
});

Deno.test("textEncoderOf() refuses what is no charset", () => {
  for (const label of ["", "utf-7", "latin-9", "replacement", "utf-8\0"]) {
    assertThrows(() => textEncoderOf(label), RangeError);
  }
});
