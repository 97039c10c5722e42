// Which variable is which header, and what a repeated one means.

import { assert, assertEquals } from "@std/assert";
import {
  headerName,
  joinValues,
  normalValue,
  requestHeaders,
} from "../../src/cgi/variables.ts";

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
  // Of the client's connection with the web server.
  ["HTTP_CONNECTION", null],
  ["HTTP_KEEP_ALIVE", null],
  ["HTTP_PROXY_CONNECTION", null],
  ["HTTP_TE", null],
  ["HTTP_TRAILER", null],
  ["HTTP_TRANSFER_ENCODING", null],
  ["HTTP_UPGRADE", null],
  ["HTTP_UPGRADE_INSECURE_REQUESTS", "upgrade-insecure-requests"],
  ["HTTP_EXPECT", null],
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

Deno.test("joinValues() joins what may come twice, and takes the last of the rest", () => {
  assertEquals(joinValues("cookie", "a=1", "b=2"), "a=1; b=2");
  assertEquals(joinValues("accept", "a", "b"), "a, b");
  assertEquals(joinValues("x-cookie", "a, b", "c"), "a, b, c");
  assertEquals(joinValues("host", "a", "a:8080"), "a:8080");
  assertEquals(joinValues("content-type", "", "text/plain"), "text/plain");
});

const FORM = "application/x-www-form-urlencoded";

/** What a name's value becomes, of the variables that are looked at. */
const VALUES: [
  name: string,
  value: string,
  normal: string | null,
  params?: Record<string, string>,
][] = [
  ["accept", "", ""],
  ["accept", "a, b", "a, b"],
  ["host", "a.test", "a.test"],
  ["host", "A.Test:80", "a.test:80"],
  ["host", "", null],
  ["user-agent", "", null],
  ["user-agent", "x", "x"],
  ["content-type", "", null],
  ["content-type", FORM, FORM],
  ["content-type", FORM, null, { SERVER_SOFTWARE: "Caddy/2.6.2" }],
  ["content-type", FORM, FORM, { SERVER_SOFTWARE: "nginx/1.22.1" }],
  [
    "content-type",
    FORM,
    FORM,
    { SERVER_SOFTWARE: "Caddy/2.6.2", HTTP_CONTENT_TYPE: FORM },
  ],
  [
    "content-type",
    `${FORM}; charset=utf-8`,
    `${FORM}; charset=utf-8`,
    { SERVER_SOFTWARE: "Caddy/2.6.2" },
  ],
  ["content-length", "0", null],
  ["content-length", "0", null, { REQUEST_METHOD: "GET" }],
  ["content-length", "0", null, { REQUEST_METHOD: "DELETE" }],
  ["content-length", "0", "0", { REQUEST_METHOD: "POST" }],
  ["content-length", "0", "0", { REQUEST_METHOD: "PUT" }],
  ["content-length", "0", "0", { REQUEST_METHOD: "PATCH" }],
  ["content-length", "3", "3", { REQUEST_METHOD: "GET" }],
  ["cookie", "a=1, b=2", "a=1, b=2"],
  ["cookie", "a=1, b=2", "a=1, b=2", { SERVER_SOFTWARE: "nginx/1.22.1" }],
  ["cookie", "a=1, b=2", "a=1; b=2", { SERVER_SOFTWARE: "Caddy/2.6.2" }],
  [
    "cookie",
    "a=1; b=2, c=3, d=4",
    "a=1; b=2; c=3; d=4",
    { SERVER_SOFTWARE: "Apache/2.4.71 (Debian)" },
  ],
  // A date in a value, as some set it: nothing of it is a name.
  [
    "cookie",
    "a=Thu, 01 Jan; b=x,y=z",
    "a=Thu, 01 Jan; b=x,y=z",
    { SERVER_SOFTWARE: "Apache/2.4.71 (Debian)" },
  ],
  ["cookie", "a=1;b=2; c", "a=1; b=2; c", { SERVER_SOFTWARE: "h2o/2.2.5" }],
  ["cookie", "a=1;b=2; c", "a=1;b=2; c", { SERVER_SOFTWARE: "nginx" }],
  ["REQUEST_URI", "/a?b", "/a?b"],
  ["REQUEST_URI", "//a/b", "//a/b"],
  ["REQUEST_URI", "*", "*"],
  ["REQUEST_URI", "HTTP://a.test:81/b?c", "/b?c"],
  ["REQUEST_URI", "http://a.test", ""],
  ["SERVER_NAME", "a.test", "a.test"],
  ["SERVER_NAME", "a.test:81", "a.test"],
  ["SERVER_NAME", "[::1]", "[::1]"],
  ["SERVER_NAME", "[::1]:81", "[::1]"],
  ["SERVER_PORT", "80", "80"],
  ["SERVER_PORT", "80", "80", { SERVER_NAME: "a.test" }],
  ["SERVER_PORT", "80", "81", { SERVER_NAME: "a.test:81" }],
  ["SERVER_PORT", "80", "80", { SERVER_NAME: "[::1]" }],
  ["REMOTE_ADDR", "192.0.2.1", "192.0.2.1"],
  ["REMOTE_ADDR", "::ffff:192.0.2.1", "192.0.2.1"],
  ["REMOTE_ADDR", "::FFFF:192.0.2.1", "192.0.2.1"],
  ["REMOTE_ADDR", "2001:db8::1", "2001:db8::1"],
  ["REMOTE_ADDR", "::1", "::1"],
  ["REMOTE_ADDR", "unix:", "unix:"],
  ["__proto__", "x", "x"],
];

for (const [name, value, normal, params = {}] of VALUES) {
  Deno.test(`normalValue() makes ${JSON.stringify(normal)} of ${name} ${JSON.stringify(value)} with ${JSON.stringify(params)}`, () => {
    const read = (name: string) => params[name] ?? null;
    assertEquals(normalValue(name, value, read), normal);
  });
}

Deno.test("normalValue() takes no longer for a long value", () => {
  const read = (name: string) =>
    name === "SERVER_SOFTWARE" ? "Apache" : "x".repeat(10);
  for (
    const value of ["a, ", "a=", ", ", ";", ":", "::ffff:", "1.", "http:", "//"]
  ) {
    const start = performance.now();
    for (const [name] of VALUES) normalValue(name, value.repeat(30_000), read);
    assert(performance.now() - start < 5_000, value);
  }
});

Deno.test("requestHeaders() keeps the order, and many headers take no time", () => {
  const names = Array.from({ length: 12_000 }, (_, i) => `HTTP_${i}`);
  const start = performance.now();
  const headers = requestHeaders(
    (pair) => {
      for (const name of [...names, ...names]) pair(name, "x");
    },
    5,
    () => null,
  );
  assert(performance.now() - start < 5_000);
  assertEquals(headers.slice(0, 2), [["0", "x, x"], ["1", "x, x"]]);
  assertEquals(headers.at(-1), ["content-length", "5"]);
  assertEquals(headers.length, names.length + 1);
});
