// The headers of the Request that a handler is given.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { serveFetch } from "../../src/gateway/fetch.ts";
import { ask, latin1, rawRequest } from "../support/ask.ts";
import { bothWays, FOUND, WAYS } from "../support/fetch.ts";

/** Parameters that make headers, and what they are to make. */
const HEADERS: [string, Parameters<typeof rawRequest>[0]][] = [
  ["a few", [["HTTP_HOST", "a.test"], ["HTTP_ACCEPT", "*/*"]]],
  ["none", []],
  ["repeated ones", [
    ["HTTP_X_ONE", "1"],
    ["HTTP_COOKIE", "a=1"],
    ["HTTP_X_ONE", "2"],
    ["HTTP_COOKIE", "b=2"],
    ["CONTENT_TYPE", "text/plain"],
    ["CONTENT_TYPE", "text/html"],
  ]],
  ["a Proxy, which is none", [["HTTP_PROXY", "evil.test"]]],
  ["odd names", [["HTTP_X.DOT", "1"], ["HTTP_", "2"], ["HTTP_A B", "3"]]],
  ["an empty Content-Type", [["CONTENT_TYPE", ""]]],
  ["an empty value", [["HTTP_X_EMPTY", ""]]],
  ["space around", [["HTTP_X_SPACE", " \t a b\t "]]],
  ["line ends and NUL", [["HTTP_X_A", "a\r\nb"], ["HTTP_X_B", "a\0"]]],
  ["every byte above ASCII", [
    ["HTTP_X_BYTES", latin1("\xa0\xff\xe9")],
  ]],
  ["a length", [["REQUEST_METHOD", "PUT"], ["CONTENT_LENGTH", "0"]]],
  ["a length that says nothing", [
    ["REQUEST_METHOD", "DELETE"],
    ["CONTENT_LENGTH", "0"],
  ]],
  ["no length", [["CONTENT_LENGTH", ""]]],
  ["a connection", [["HTTP_CONNECTION", "close"], ["HTTP_TE", "trailers"]]],
  ["two hosts", [["HTTP_HOST", "a.test"], ["HTTP_HOST", "b.test:81"]]],
  ["Caddy", [
    ["SERVER_SOFTWARE", "Caddy/2.6.2"],
    ["HTTP_COOKIE", "a=1, b=2"],
    ["HTTP_USER_AGENT", ""],
    ["CONTENT_TYPE", "application/x-www-form-urlencoded"],
  ]],
  ["a false length", [["CONTENT_LENGTH", "x"], ["HTTP_CONTENT_LENGTH", "9"]]],
];

for (const [what, params] of HEADERS) {
  bothWays(
    `the headers of ${what} are those of ServiceRequest`,
    async (way) => {
      const internals = way.isLazy ? FOUND : { request: null, response: null };
      const seen: [string, string][][] = [];
      await ask((request, response) => {
        const serve = serveFetch({
          fetch({ headers }) {
            seen.push([...headers]);
            for (const [name, value] of headers) {
              assertEquals(headers.get(name), value);
              assertEquals(headers.get(name.toUpperCase()), value);
              assert(headers.has(name));
            }
            assertEquals(headers.get("x-absent"), null);
            return new Response();
          },
        }, { internals });
        seen.push([...request.headers]);
        return serve(request, response);
      }, rawRequest(params));
      assertEquals(seen.length, 2);
      assertEquals(seen[1], seen[0]);
    },
  );
}

bothWays(
  "headers and the URL are bytes, and variables UTF-8, as of Deno.serve",
  async (way) => {
    for (
      const [name, bytes, header, variable] of [
        ["UTF-8", "\xc3\xa9", "\xc3\xa9", "\u00e9"],
        ["no UTF-8", "\xff\x80", "\xff\x80", "\ufffd\ufffd"],
        ["either", "\xc3\xa9\xff", "\xc3\xa9\xff", "\u00e9\ufffd"],
        ["ASCII", "a", "a", "a"],
      ] as const
    ) {
      for (const length of [1, 200]) {
        // Names and values of 128 bytes have lengths that are no UTF-8.
        const long = "x".repeat(length);
        assertEquals(
          await way.seen(
            (request, { env }) => [
              request.headers.get("x-bytes"),
              request.headers.get("x-long"),
              new URL(request.url).search,
              env.HTTP_X_BYTES,
              env.HTTP_X_LONG,
            ],
            rawRequest([
              ["HTTP_X_BYTES", latin1(bytes)],
              ["HTTP_X_LONG", long],
              ["REQUEST_URI", latin1(`/?${bytes}`)],
            ]),
          ),
          [header, long, `?${escaped(bytes)}`, variable, long],
          name,
        );
      }
    }
  },
);

function escaped(bytes: string): string {
  return bytes.replace(
    /[^!-~]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

bothWays("single headers are found without the others", async (way) => {
  assertEquals(
    await way.seen(
      ({ headers }) => [
        headers.get("Host"),
        headers.get("X-One"),
        headers.get("content-length"),
        headers.get("x-two"),
      ],
      rawRequest([
        ["HTTP_HOST", "a.test"],
        ["HTTP_X_ONE", "1"],
        [
          "HTTP_X_ONE",
          "2",
        ],
        ["REQUEST_METHOD", "POST"],
        ["CONTENT_LENGTH", "0"],
      ]),
    ),
    ["a.test", "1, 2", "0", null],
  );
});

Deno.test("the headers of a lazy Request do not change, as of Deno.serve", async () => {
  const [way] = WAYS;
  assertEquals(
    await way!.seen(({ headers }) => {
      assertThrows(() => headers.set("a", "b"), TypeError);
      assertThrows(() => headers.append("a", "b"), TypeError);
      assertThrows(() => headers.delete("host"), TypeError);
      return headers.get("a");
    }),
    null,
  );
});
