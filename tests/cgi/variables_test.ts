// Which variable is which header, and what a repeated one means.

import { assertEquals } from "@std/assert";
import { headerName, joinValues } from "../../src/cgi/variables.ts";

const ROWS: [variable: string, header: string | null][] = [
  ["HTTP_HOST", "host"],
  ["HTTP_COOKIE", "cookie"],
  ["HTTP_ACCEPT_LANGUAGE", "accept-language"],
  ["HTTP_X_FORWARDED_PROTO", "x-forwarded-proto"],
  ["HTTP_X_FORWARDED_BY", "x-forwarded-by"],
  ["HTTP_X__Y", "x--y"],
  ["HTTP_X_", "x-"],
  ["HTTP__X", "-x"],
  ["HTTP_1", "1"],
  ["HTTP_DNT", "dnt"],
  ["HTTP_PROXY_AUTHORIZATION", "proxy-authorization"],
  ["HTTP_PROXYY", "proxyy"],
  ["HTTP_X_PROXY", "x-proxy"],
  // Caddy and H2O pass other letters through.
  ["HTTP_X.DOT", "x.dot"],
  ["HTTP_X~T", "x~t"],
  ["HTTP_X-HYPHEN", "x-hyphen"],
  ["HTTP_lower", "lower"],
  ["HTTP_A!#$%&'*+^`|", "a!#$%&'*+^`|"],
  ["CONTENT_TYPE", "content-type"],
  // CONTENT_LENGTH is known as a number, which is checked.
  ["CONTENT_LENGTH", null],
  // Smuggled next to the real ones, in each way to write them.
  ["HTTP_CONTENT_LENGTH", null],
  ["HTTP_CONTENT-LENGTH", null],
  ["HTTP_Content_Length", null],
  ["HTTP_CONTENT_TYPE", null],
  ["HTTP_CONTENT-TYPE", null],
  // httpoxy.
  ["HTTP_PROXY", null],
  ["HTTP_Proxy", null],
  // No header names.
  ["HTTP_", null],
  ["HTTP_A B", null],
  ["HTTP_A:B", null],
  ["HTTP_A\n", null],
  ["HTTP_A\0", null],
  ["HTTP_\xe9", null],
  ["HTTP_A(B)", null],
  // No variables of headers.
  ["HTTPS", null],
  ["HTTP", null],
  ["http_host", null],
  ["XHTTP_HOST", null],
  [" HTTP_HOST", null],
  ["REQUEST_METHOD", null],
  ["AUTH_TYPE", null],
  ["proxy-fcgi-pathinfo", null],
  ["__proto__", null],
  ["constructor", null],
  ["", null],
];

Deno.test("headerName() gives the header that a variable stands for", () => {
  for (const [variable, header] of ROWS) {
    assertEquals(headerName(variable), header, JSON.stringify(variable));
  }
});

Deno.test("headerName() gives names that Headers accepts", () => {
  for (let code = 0; code < 256; code++) {
    const name = headerName(`HTTP_A${String.fromCharCode(code)}B`);
    if (name !== null) new Headers([[name, "value"]]);
  }
});

Deno.test("joinValues() joins cookies by semicolon and others by comma", () => {
  assertEquals(joinValues("cookie", "a=1", "b=2"), "a=1; b=2");
  assertEquals(joinValues("accept", "a", "b"), "a, b");
  assertEquals(joinValues("x-cookie", "a, b", "c"), "a, b, c");
});
