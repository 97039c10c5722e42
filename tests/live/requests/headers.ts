// Headers and cookies: the same whichever web server passes them on.

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import type { Live } from "../live.ts";
import { inspect } from "./urls.ts";

/** Header lines as sent, and the headers that come of them. */
const HEADERS: [
  what: string,
  sent: readonly string[],
  came: Record<string, string>,
][] = [
  ["nothing", [], {}],
  ["one", ["X-One: 1"], { "x-one": "1" }],
  ["in any case", ["x-oNE: 1"], { "x-one": "1" }],
  ["blanks around", ["X-One: \t 1 2 \t"], { "x-one": "1 2" }],
  ["commas", ["X-List: a,b , c"], { "x-list": "a,b , c" }],
  ["repeated", ["X-Two: a", "X-Other: x", "X-Two: b"], {
    "x-two": "a, b",
    "x-other": "x",
  }],
  ["bytes", ["X-Bytes: \xe9 \xc3\xa9 \xff"], {
    "x-bytes": "\xe9 \xc3\xa9 \xff",
  }],
  ["long", [`X-Long: ${"x".repeat(8000)}`], { "x-long": "x".repeat(8000) }],
  ["of 127 and 128 bytes", [
    `X-127: ${"x".repeat(127)}`,
    `X-128: ${"x".repeat(128)}`,
  ], { "x-127": "x".repeat(127), "x-128": "x".repeat(128) }],
  [
    "many",
    many((i) => `X-Many-${i}: ${i}`),
    Object.fromEntries(
      many((i) => [`x-many-${i}`, String(i)]),
    ),
  ],
  ["credentials", ["Authorization: Basic YTpi"], {
    authorization: "Basic YTpi",
  }],
  ["what a cache asks", ['If-None-Match: "a"', "Accept-Encoding: gzip"], {
    "if-none-match": '"a"',
    "accept-encoding": "gzip",
  }],
  ["an agent and a page", ["User-Agent: test", "Referer: http://a.test/b"], {
    "user-agent": "test",
    "referer": "http://a.test/b",
  }],
  ["a cookie", ["Cookie: a=1; b=2"], { cookie: "a=1; b=2" }],
  ["several cookies", ["Cookie: a=1", "Cookie: b=2; c=3"], {
    cookie: "a=1; b=2; c=3",
  }],
  // None of these is for the program, as Connection: close, which all send.
  ["what is of the connection", [
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "Proxy-Connection: keep-alive",
  ], {}],
  ["a Proxy (httpoxy)", ["Proxy: http://evil.test/"], {}],
];

function many<T>(make: (i: number) => T): T[] {
  return Array.from({ length: 60 }, (_, i) => make(i));
}

/** Registers the tests. */
export function headersArrive(live: () => Live): void {
  it("headers arrive as they were sent, and no others", async () => {
    for (const [what, sent, came] of HEADERS) {
      const told = await inspect(live(), "GET /inspect HTTP/1.1", sent);
      assertEquals(
        withoutAdded(told.headers, told.env.SERVER_SOFTWARE!),
        { host: `127.0.0.1:${live().site.port}`, ...came },
        what,
      );
    }
  });

  it("cookies of 16 KB arrive", async () => {
    const cookies = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [`cookie${i}`, "x".repeat(148)]),
    );
    const pairs = Object.entries(cookies).map((pair) => pair.join("="));
    const told = await inspect(live(), "GET /inspect HTTP/1.1", [
      `Cookie: ${pairs.join("; ")}`,
    ]);
    assertEquals(told.headers.cookie?.length, 15_888);
    assertEquals(told.cookies, cookies);
  });

  it("a body's type and length arrive, and none that was not sent", async () => {
    for (
      const [method, sent, came] of [
        ["POST", ["Content-Type: text/x", "Content-Length: 0"], {
          "content-type": "text/x",
          "content-length": "0",
        }],
        ["POST", ["Content-Length: 0"], { "content-length": "0" }],
        ["PUT", ["Content-Type: a/b; c=d", "Content-Length: 0"], {
          "content-type": "a/b; c=d",
          "content-length": "0",
        }],
        ["DELETE", [], {}],
        ["OPTIONS", [], {}],
        // Not in place of the real ones, nor beside them.
        ["GET", ["Content_Length: 5", "Content_Type: evil"], {}],
      ] as const
    ) {
      const told = await inspect(live(), `${method} /inspect HTTP/1.1`, sent);
      assertEquals(
        withoutAdded(told.headers, told.env.SERVER_SOFTWARE!),
        { host: `127.0.0.1:${live().site.port}`, ...came },
        `${method} ${sent}`,
      );
    }
  });
}

/** Without what Caddy tells of the client on its own account. */
function withoutAdded(
  headers: Record<string, string>,
  software: string,
): Record<string, string> {
  if (!software.startsWith("Caddy")) return headers;
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) =>
      !/^x-forwarded-(?:for|host|proto)$/.test(name)
    ),
  );
}
