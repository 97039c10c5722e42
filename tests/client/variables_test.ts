// A web request as CGI variables (RFC 3875, section 4.1), as a client sends it.

import { assertEquals, assertThrows } from "@std/assert";
import { requestVariables } from "../../src/client/variables.ts";
import type { FastCGIParams } from "../../src/client/variables.ts";
import { FastCgiError } from "../../src/errors.ts";
import { latin1 } from "../support/ask.ts";

/** The variables of a request, those wanted or all. */
function of(
  request: Request,
  { names, length = null, params = {} }: {
    names?: string[];
    length?: number | null;
    params?: FastCGIParams;
  } = {},
): Record<string, string | Uint8Array | undefined> {
  const variables = requestVariables(request, length, params);
  return Object.fromEntries(
    (names ?? [...variables.keys()]).map((name) => [name, variables.get(name)]),
  );
}

Deno.test("requestVariables() makes every variable of a small request", () => {
  assertEquals(of(new Request("http://example.org/a/b?c=d#e")), {
    GATEWAY_INTERFACE: "CGI/1.1",
    SERVER_SOFTWARE: "smisk",
    SERVER_PROTOCOL: "HTTP/1.1",
    SERVER_NAME: "example.org",
    SERVER_PORT: "80",
    REQUEST_METHOD: "GET",
    REQUEST_SCHEME: "http",
    REQUEST_URI: "/a/b?c=d",
    SCRIPT_NAME: "",
    PATH_INFO: "/a/b",
    QUERY_STRING: "c=d",
    HTTP_HOST: "example.org",
  });
});

const URLS: [url: string, expected: Record<string, string | undefined>][] = [
  ["http://h:8080/", {
    SERVER_NAME: "h",
    SERVER_PORT: "8080",
    HTTP_HOST: "h:8080",
  }],
  ["https://h/", { SERVER_PORT: "443", HTTPS: "on", REQUEST_SCHEME: "https" }],
  ["https://h:8443/", { SERVER_PORT: "8443", HTTP_HOST: "h:8443" }],
  ["http://[::1]:81/", { SERVER_NAME: "[::1]", HTTP_HOST: "[::1]:81" }],
  ["http://h", { REQUEST_URI: "/", PATH_INFO: "/", QUERY_STRING: "" }],
  ["http://h/?", { REQUEST_URI: "/", QUERY_STRING: "", HTTPS: undefined }],
  ["http://h//a//", { REQUEST_URI: "//a//", PATH_INFO: "//a//" }],
  ["http://h/a%zz", { REQUEST_URI: "/a%zz" }],
  ["http://h/?a=%20+b", { QUERY_STRING: "a=%20+b" }],
];

for (const [url, expected] of URLS) {
  Deno.test(`requestVariables() takes ${url} apart`, () => {
    assertEquals(
      of(new Request(url), { names: Object.keys(expected) }),
      expected,
    );
  });
}

Deno.test("requestVariables() decodes PATH_INFO to the bytes that the path names", () => {
  const path = (url: string) =>
    requestVariables(new Request(url), null, {}).get("PATH_INFO");
  assertEquals(path("http://h/a%20b%2Fc"), latin1("/a b/c"));
  assertEquals(path("http://h/%ff%00"), latin1("/\xff\0"));
  assertEquals(path("http://h/é"), latin1("/\xc3\xa9"));
  assertEquals(path("http://h/a%zz%4"), latin1("/a%zz%4"));
});

Deno.test("requestVariables() makes headers variables, and leaves out those that are none", () => {
  const headers: [string, string][] = [
    ["accept", "text/html"],
    ["content-type", "text/plain"],
    ["content-length", "7"],
    ["cookie", "a=1"],
    ["host", "other.example:81"],
    ["x-forwarded-for", "192.0.2.1"],
    ["x-empty", ""],
    ["x-latin", "\xe9"],
    ["x-twice", "1"],
    ["x-twice", "2"],
    // None of these may be seen.
    ["connection", "close, X-Nominated , te"],
    ["x-nominated", "1"],
    ["expect", "100-continue"],
    ["keep-alive", "1"],
    ["proxy", "http://evil.example/"],
    ["te", "trailers"],
    ["transfer-encoding", "chunked"],
    ["upgrade", "x"],
    ["x.dot", "1"],
    ["x_forwarded_for", "198.51.100.1"],
  ];
  const plain = of(new Request("http://h/"));
  const all = of(
    new Request("http://h/", { method: "POST", body: "a", headers }),
    { length: 7 },
  );
  const added = Object.entries(all).filter(([name, value]) =>
    plain[name] !== value
  );
  assertEquals(Object.fromEntries(added), {
    REQUEST_METHOD: "POST",
    CONTENT_LENGTH: "7",
    CONTENT_TYPE: "text/plain",
    HTTP_ACCEPT: "text/html",
    HTTP_COOKIE: "a=1",
    HTTP_HOST: "other.example:81",
    HTTP_X_EMPTY: "",
    HTTP_X_FORWARDED_FOR: "192.0.2.1",
    HTTP_X_LATIN: latin1("\xe9"),
    HTTP_X_TWICE: "1, 2",
  });
});

Deno.test("requestVariables() sends CONTENT_LENGTH where the length is known", () => {
  const names = ["CONTENT_LENGTH"];
  const request = new Request("http://h/", { method: "POST", body: "abc" });
  assertEquals(of(request, { names, length: 0 }).CONTENT_LENGTH, "0");
  assertEquals(of(request, { names, length: 3 }).CONTENT_LENGTH, "3");
  assertEquals(of(request, { names, length: -1 }).CONTENT_LENGTH, undefined);
  assertEquals(of(request, { names, length: null }).CONTENT_LENGTH, undefined);
});

Deno.test("requestVariables() lets parameters replace what it made", () => {
  const params = { SCRIPT_NAME: "/app", REMOTE_ADDR: "é" };
  assertEquals(
    of(new Request("http://h/"), { names: Object.keys(params), params }),
    params,
  );
});

Deno.test("requestVariables() takes parameters as bytes, and leaves out those that are null", () => {
  const params = {
    SCRIPT_FILENAME: new Uint8Array([0x2f, 0xff]),
    SERVER_SOFTWARE: null,
    NEVER_MADE: null,
  };
  assertEquals(
    of(new Request("http://h/"), { names: Object.keys(params), params }),
    {
      SCRIPT_FILENAME: new Uint8Array([0x2f, 0xff]),
      SERVER_SOFTWARE: undefined,
      NEVER_MADE: undefined,
    },
  );
});

for (
  const host of [
    "a b",
    "a/b",
    "a?b",
    "a#b",
    "user@a",
    "a\\b",
    "a:99999",
    "a:b",
    "[::1",
    "é",
  ]
) {
  Deno.test(`requestVariables() refuses a Host of ${host}`, () => {
    const headers = { host };
    const error = assertThrows(
      () => of(new Request("http://h/", { headers })),
      FastCgiError,
      "is no host",
    );
    assertEquals([error.code, error.status], ["BAD_REQUEST", 400]);
  });
}

Deno.test("requestVariables() takes any host for a Host, and none", () => {
  for (const host of ["h", "h:", "h:80", "[::1]:8080", "127.0.0.1", "a_b.c."]) {
    const headers = { host };
    assertEquals(
      of(new Request("http://h/", { headers }), { names: ["HTTP_HOST"] }),
      { HTTP_HOST: host },
    );
  }
  const headers = { host: "" };
  assertEquals(
    of(new Request("http://h/", { headers }), { names: ["HTTP_HOST"] }),
    { HTTP_HOST: "" },
  );
});
