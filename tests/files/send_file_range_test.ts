// Ranges and conditions, on the wire.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { askFile, Files, LONG_AGO_TEXT, noise } from "./folder.ts";

const DIGITS = "0123456789";
const BEFORE = "Thu, 29 Feb 2024 12:34:56 GMT";

/** Asks for a part of ten digits. */
async function askDigits(params: Record<string, string>) {
  using files = new Files();
  return await askFile(files.write("digits.txt", DIGITS), { params });
}

Deno.test("a range is sent with 206, and where it is from", async () => {
  for (
    const [range, text, where] of [
      ["bytes=0-0", "0", "bytes 0-0/10"],
      ["bytes=2-5", "2345", "bytes 2-5/10"],
      ["bytes=7-", "789", "bytes 7-9/10"],
      ["bytes=-3", "789", "bytes 7-9/10"],
      ["bytes=0-99", DIGITS, "bytes 0-9/10"],
      ["bytes=5-6,20-30", "56", "bytes 5-6/10"],
    ] as const
  ) {
    const answer = await askDigits({ HTTP_RANGE: range });
    assertEquals([answer.status, answer.text], [206, text], range);
    assertEquals(answer.lines.at(-1), "Status: 206 Partial Content");
    assertEquals(answer.headers["content-range"], where);
    assertEquals(answer.headers["content-length"], String(text.length));
    assertEquals(answer.headers["content-type"], "text/plain; charset=utf-8");
    assertEquals(answer.headers["last-modified"], LONG_AGO_TEXT);
    assertMatch(answer.headers.etag!, /^"/);
  }
});

Deno.test("several ranges are sent as multipart/byteranges", async () => {
  const { status, headers, text } = await askDigits({
    HTTP_RANGE: "bytes=8-9, 0-1,-1",
  });
  assertEquals([status, headers["content-range"]], [206, undefined]);
  const [, boundary] = /^multipart\/byteranges; boundary=([\w-]+)$/
    .exec(headers["content-type"]!)!;
  assertEquals(headers["content-length"], String(text.length));
  const parts = text.split(`--${boundary}`);
  assertEquals([parts[0], parts.at(-1)], ["", "--\r\n"]);
  const head = "\r\nContent-Type: text/plain; charset=utf-8\r\n";
  assertEquals(parts.slice(1, -1), [
    `${head}Content-Range: bytes 8-9/10\r\n\r\n89\r\n`,
    `${head}Content-Range: bytes 0-1/10\r\n\r\n01\r\n`,
    `${head}Content-Range: bytes 9-9/10\r\n\r\n9\r\n`,
  ]);
});

Deno.test("long ranges are sent whole", async () => {
  using files = new Files();
  const content = noise(1_000_000);
  const path = files.write("long.bin", content);
  const ask = (range: string) =>
    askFile(path, { params: { HTTP_RANGE: `bytes=${range}` } });
  const one = await ask("100000-899999");
  assertEquals([one.status, one.body.length], [206, 800_000]);
  assert(one.body.every((byte, i) => byte === content[100_000 + i]));

  const two = await ask("0-399999,500000-999999");
  assertEquals(two.headers["content-length"], String(two.body.length));
  const separator = (at: number) =>
    new TextDecoder("latin1").decode(two.body.subarray(at, at + 400))
      .indexOf("\r\n\r\n") + 4 + at;
  const first = separator(0);
  assert(
    two.body.subarray(first, first + 400_000).every((b, i) => b === content[i]),
  );
  const second = separator(first + 400_000 + 2);
  assert(
    two.body.subarray(second, second + 500_000)
      .every((byte, i) => byte === content[500_000 + i]),
  );
});

Deno.test("a range that is not in the file is answered with 416, and its size", async () => {
  for (const range of ["bytes=10-", "bytes=99-100,50-60", "bytes=-0"]) {
    const { status, headers, text } = await askDigits({ HTTP_RANGE: range });
    assertEquals([status, text], [416, ""], range);
    assertEquals(headers["content-range"], "bytes */10");
    assertEquals(headers["content-type"], undefined);
    assertEquals(headers["content-length"], "0");
  }
});

Deno.test("a header Range that is none, or too much, is ignored", async () => {
  const many = Array.from({ length: 65 }, () => "0-0").join(",");
  for (
    const range of [
      "",
      "0-1",
      "items=0-1",
      "bytes=5-4",
      "bytes=0-,0-",
      `bytes=${many}`,
    ]
  ) {
    const { status, text } = await askDigits({ HTTP_RANGE: range });
    assertEquals([status, text], [200, DIGITS], range);
  }
});

Deno.test("If-Range has ranges sent of the same file alone", async () => {
  const { headers } = await askDigits({});
  for (
    const [ifRange, status] of [
      [headers.etag!, 206],
      [LONG_AGO_TEXT, 206],
      ['"another"', 200],
      [BEFORE, 200],
      ["nonsense", 200],
    ] as const
  ) {
    const answer = await askDigits({
      HTTP_RANGE: "bytes=0-0",
      HTTP_IF_RANGE: ifRange,
    });
    assertEquals(answer.status, status, ifRange);
    assertEquals(answer.text, status === 206 ? "0" : DIGITS);
  }
});

Deno.test("a client that has the file gets 304, with what a cache needs", async () => {
  const { headers } = await askDigits({});
  for (
    const params of [
      { HTTP_IF_NONE_MATCH: headers.etag! },
      { HTTP_IF_NONE_MATCH: `"x", W/${headers.etag!}` },
      { HTTP_IF_MODIFIED_SINCE: LONG_AGO_TEXT },
      { HTTP_IF_NONE_MATCH: headers.etag!, HTTP_RANGE: "bytes=0-0" },
      { HTTP_IF_NONE_MATCH: headers.etag!, REQUEST_METHOD: "HEAD" },
    ]
  ) {
    const answer = await askDigits(params);
    assertEquals([answer.status, answer.text], [304, ""]);
    assertEquals(answer.headers.etag, headers.etag);
    assertEquals(answer.headers["last-modified"], LONG_AGO_TEXT);
    for (const name of ["content-type", "content-length", "content-range"]) {
      assertEquals(answer.headers[name], undefined);
    }
  }
});

Deno.test("a client that wants another state of the file gets 412", async () => {
  for (
    const params of [
      { HTTP_IF_MATCH: '"another"' },
      { HTTP_IF_UNMODIFIED_SINCE: BEFORE },
      { HTTP_IF_MATCH: '"another"', HTTP_RANGE: "bytes=0-0" },
    ]
  ) {
    const { status, headers, text } = await askDigits(params);
    assertEquals([status, text, headers["content-length"]], [412, "", "0"]);
    assertEquals(headers["content-type"], undefined);
  }
});

Deno.test("a download that is not sent has no name", async () => {
  using files = new Files();
  const path = files.write("a.txt", DIGITS);
  const { status, headers } = await askFile(path, {
    params: { HTTP_IF_MODIFIED_SINCE: LONG_AGO_TEXT },
    send: { download: true },
  });
  assertEquals([status, headers["content-disposition"]], [304, undefined]);
});

Deno.test("an empty file has no ranges", async () => {
  using files = new Files();
  const path = files.write("empty.txt", "");
  const params = { HTTP_RANGE: "bytes=0-" };
  const { status, headers, text } = await askFile(path, { params });
  assertEquals([status, headers["content-length"], text], [200, "0", ""]);
});
