// Methods, URLs and addresses: the same whichever web server passes them on.

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { askRaw, jsonOf, requestLines } from "../http.ts";
import type { Live } from "../live.ts";

/** What the page `/inspect` tells. */
export interface Inspected {
  method: string;
  url: string;
  headers: Record<string, string>;
  cookies: Record<string, string>;
  remoteAddr: string;
  env: Record<string, string>;
}

/** Asks for `/inspect` in these words, and gives what it tells. */
export async function inspect(
  { site }: Live,
  first: string,
  headers: readonly string[] = [],
): Promise<Inspected> {
  const host = headers.some((line) => line.startsWith("Host:"))
    ? []
    : [`Host: 127.0.0.1:${site.port}`];
  const request = requestLines(first, [...host, ...headers]);
  const answer = await askRaw(site.port, request);
  assertEquals(answer.status, 200, `${first}: ${answer.text}`);
  return jsonOf(answer);
}

const METHODS = [
  "GET",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "PROPFIND",
];

/** A target as sent, and the path and query that come of it. */
const TARGETS: [sent: string, came: string][] = [
  ["/inspect", "/inspect"],
  ["/inspect/", "/inspect/"],
  ["/inspect?", "/inspect?"],
  ["/inspect?a=1&b=%C3%A9&a=2", "/inspect?a=1&b=%C3%A9&a=2"],
  ["/inspect??a?b=/?", "/inspect??a?b=/?"],
  ["/inspect/a%20b", "/inspect/a%20b"],
  ["/inspect/a%2Fb%3F%23%25", "/inspect/a%2Fb%3F%23%25"],
  ["/inspect/%C3%A9", "/inspect/%C3%A9"],
  ["/inspect/%c3%a9/~/%7E", "/inspect/%c3%a9/~/%7E"],
  ["/inspect//a///b//", "/inspect//a///b//"],
  ["/inspect/%2F%2Fa", "/inspect/%2F%2Fa"],
  ["/inspect/./a/../b", "/inspect/b"],
  ["/inspect/%2e/a/%2E%2e/b", "/inspect/b"],
  ["/inspect/a/..", "/inspect/"],
  ["/inspect/a+b;c=d,e:@&f=$!*'()?a+b", "/inspect/a+b;c=d,e:@&f=$!*'()?a+b"],
  ["/inspect/a\\b", "/inspect/a%5Cb"],
];

/** Registers the tests. */
export function urlsArrive(live: () => Live): void {
  it("the method arrives", async () => {
    for (const method of METHODS) {
      const told = await inspect(live(), `${method} /inspect HTTP/1.1`, [
        "Content-Length: 0",
      ]);
      assertEquals(told.method, method);
    }
  });

  it("the URL arrives, however path and query are written", async () => {
    const { port } = live().site;
    for (const [sent, came] of TARGETS) {
      const told = await inspect(live(), `GET ${sent} HTTP/1.1`);
      assertEquals(told.url, `http://127.0.0.1:${port}${came}`, sent);
    }
  });

  it("a path of two slashes stays a path", async () => {
    const { port } = live().site;
    const host = [`Host: 127.0.0.1:${port}`];
    const { status, text } = await askRaw(
      port,
      requestLines("GET //inspect HTTP/1.1", host),
    );
    assertEquals([status, text], [200, "Hello World!"]);
  });

  it("the URL has the host that was asked for", async () => {
    const { port } = live().site;
    for (
      const [host, came] of [
        ["example.test", "example.test"],
        ["example.test:80", "example.test"],
        ["example.test:8080", "example.test:8080"],
        ["EXAMPLE.Test:8080", "example.test:8080"],
        [`localhost:${port}`, `localhost:${port}`],
        [`[::1]:${port}`, `[::1]:${port}`],
      ]
    ) {
      const told = await inspect(live(), "GET /inspect HTTP/1.1", [
        `Host: ${host}`,
      ]);
      assertEquals(told.url, `http://${came}/inspect`, host);
      // lighttpd takes the port off that says nothing.
      assertEquals(told.headers.host!.replace(/:80$/, ""), came);
    }
  });

  it("the URL is the same in absolute form", async () => {
    const url = `http://127.0.0.1:${live().site.port}/inspect?x`;
    assertEquals((await inspect(live(), `GET ${url} HTTP/1.1`)).url, url);
  });

  it("HTTP/1.0 without a host gets an answer", async () => {
    const { port } = live().site;
    const answer = await askRaw(port, "GET /inspect?x HTTP/1.0\r\n\r\n");
    assertEquals(answer.status, 200);
    const { pathname, search } = new URL(jsonOf(answer).url);
    assertEquals(pathname + search, "/inspect?x");
  });

  it("the client's address arrives", async () => {
    const told = await inspect(live(), "GET /inspect HTTP/1.1");
    assertEquals(told.remoteAddr, "127.0.0.1");
  });
}
