// The header block of a response, byte for byte.

import { assert, assertEquals } from "@std/assert";
import { HeaderBlock, isHopByHop } from "../../src/cgi/header_block.ts";

type Header = [name: string, value: string];

/** What a block writes, a character per byte. */
function written(
  headers: Iterable<Header>,
  { status = 200, statusText = "", length = -1 } = {},
): string {
  const block = new HeaderBlock(status, statusText, headers);
  const out = new Uint8Array(block.maxLength + 6).fill(0xee);
  const end = block.write(out, 3, length);
  assert(end - 3 <= block.maxLength);
  // Nothing is written before the offset, or after what is returned.
  assert(out.subarray(0, 3).every((byte) => byte === 0xee));
  assert(out.subarray(end).every((byte) => byte === 0xee));
  return Array.from(out.subarray(3, end), (byte) => String.fromCharCode(byte))
    .join("");
}

Deno.test("HeaderBlock.write() writes headers, Content-Length, and Status last", () => {
  const headers = new Headers({
    "location": "/x",
    "content-type": "text/html; charset=utf-8",
  });
  assertEquals(
    written(headers, { status: 302, length: 5 }),
    "Content-Type: text/html; charset=utf-8\r\nLocation: /x\r\n" +
      "Content-Length: 5\r\nStatus: 302 Found\r\n\r\n",
  );
});

Deno.test("HeaderBlock.write() leaves Content-Length out where none is given", () => {
  assertEquals(written([]), "Status: 200 OK\r\n\r\n");
  assertEquals(
    written([["content-length", "7"]]),
    "Status: 200 OK\r\n\r\n",
  );
});

Deno.test("HeaderBlock.write() writes Content-Length once, as told", () => {
  const headers: Header[] = [["content-length", "7"], ["x-a", "1"]];
  for (const length of [0, 7, 8, 65_536, Number.MAX_SAFE_INTEGER]) {
    assertEquals(
      written(headers, { length }),
      `X-A: 1\r\nContent-Length: ${length}\r\nStatus: 200 OK\r\n\r\n`,
    );
  }
});

Deno.test("HeaderBlock.write() writes the same block again, of any length", () => {
  const block = new HeaderBlock(200, "", [["x-a", "1"]]);
  const out = new Uint8Array(block.maxLength);
  for (const length of [3, 3, -1, 12, -1, 0, 3]) {
    const end = block.write(out, 0, length);
    const line = length < 0 ? "" : `Content-Length: ${length}\r\n`;
    assertEquals(
      new TextDecoder().decode(out.subarray(0, end)),
      `X-A: 1\r\n${line}Status: 200 OK\r\n\r\n`,
    );
  }
});

Deno.test("HeaderBlock.contentLength is what the application set", () => {
  for (
    const [value, length] of [
      ["0", 0],
      ["42", 42],
      ["999999999999999", 999_999_999_999_999],
      ["1000000000000000", -1],
      ["-1", -1],
      ["4 2", -1],
      ["4,4", -1],
      ["0x4", -1],
      ["1e3", -1],
      ["", -1],
    ] as const
  ) {
    const block = new HeaderBlock(200, "", [["content-length", value]]);
    assertEquals(block.contentLength, length, value);
  }
  assertEquals(new HeaderBlock(200, "", []).contentLength, -1);
});

Deno.test("HeaderBlock takes no Content-Length where the status has no content", () => {
  for (const [status, length] of [[204, -1], [205, -1], [304, 7], [200, 7]]) {
    const block = new HeaderBlock(status!, "", [["content-length", "7"]]);
    assertEquals(block.contentLength, length, String(status));
  }
});

Deno.test("HeaderBlock sends neither hop-by-hop headers nor a Status of the application", () => {
  const names = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
    "status",
  ];
  const headers = new Headers(names.map((name): Header => [name, "x"]));
  headers.set("x-kept", "1");
  assertEquals(
    written(headers),
    "X-Kept: 1\r\nStatus: 200 OK\r\n\r\n",
  );
  for (const name of names.slice(0, -1)) {
    assert(isHopByHop(name));
    assert(isHopByHop(name.toUpperCase()));
  }
  for (const name of ["status", "content-type", "upgrade-insecure-requests"]) {
    assertEquals(isHopByHop(name), false, name);
  }
});

Deno.test("HeaderBlock sends several Set-Cookie as lines of their own", () => {
  const headers = new Headers();
  headers.append("set-cookie", "a=1; Path=/");
  headers.append("set-cookie", "b=2");
  headers.append("vary", "accept");
  headers.append("vary", "cookie");
  assertEquals(
    written(headers),
    "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n" +
      "Vary: accept, cookie\r\nStatus: 200 OK\r\n\r\n",
  );
});

Deno.test("HeaderBlock sends values as ISO-8859-1", () => {
  assertEquals(
    written(new Headers({ "x-name": "caf\xe9 \x80\xff" })),
    "X-Name: caf\xe9 \x80\xff\r\nStatus: 200 OK\r\n\r\n",
  );
});

Deno.test("HeaderBlock sends the reason that is set, or the registered one", () => {
  const statusLine = (status: number, statusText = "") =>
    written([], { status, statusText }).trimEnd();
  assertEquals(statusLine(404), "Status: 404 Not Found");
  assertEquals(statusLine(404, "Gone fishing"), "Status: 404 Gone fishing");
  assertEquals(statusLine(299), "Status: 299 OK");
  assertEquals(statusLine(404, "Pas trouv\xe9"), "Status: 404 Pas trouv\xe9");
});

Deno.test("HeaderBlock writes names as people read them", () => {
  for (
    const [name, shown] of [
      ["etag", "ETag"],
      ["www-authenticate", "WWW-Authenticate"],
      ["x-accel-buffering", "X-Accel-Buffering"],
      ["x-forwarded-for", "X-Forwarded-For"],
      ["variable-auth_user", "Variable-AUTH_USER"],
      ["x-1-a", "X-1-A"],
      ["-x--y", "-X--Y"],
      ["x.dot", "X.dot"],
    ]
  ) {
    assertEquals(
      written([[name!, "1"]]),
      `${shown}: 1\r\nStatus: 200 OK\r\n\r\n`,
    );
  }
});
