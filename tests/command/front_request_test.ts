// The HTTP front and requests that are not what they seem, byte by byte.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ServiceRequest } from "../../src/request.ts";
import type { Service } from "../support/running.ts";
import { Fronted } from "./fronted.ts";

/** A front whose application notes what it is asked. */
function noting(): { app: Fronted; served: string[] } {
  const served: string[] = [];
  const app = new Fronted(async (request, response) => {
    const body = await request.text().catch(() => "cut off");
    served.push(`${request.method} ${request.param("REQUEST_URI")} ${body}`);
    response.write("served");
  });
  return { app, served };
}

const REFUSED: [name: string, request: string, status: number][] = [
  ["CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 501],
  ["TRACE", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  [
    "a coding beside chunked",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    501,
  ],
  [
    "an unknown coding",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    400,
  ],
  [
    "a length beside chunked",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    400,
  ],
  [
    "two lengths",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 37\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n",
    400,
  ],
  [
    "a length with a sign",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\nabc",
    400,
  ],
  [
    "a blank before the colon",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc",
    400,
  ],
  [
    "a folded header",
    "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
    400,
  ],
  [
    "a NUL in a header",
    "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
    400,
  ],
  ["two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
  ["a host with a path", "GET /a HTTP/1.1\r\nHost: h/secret?\r\n\r\n", 400],
  ["a host with a user", "GET /a HTTP/1.1\r\nHost: u@h\r\n\r\n", 400],
  ["a host with a blank", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
];

for (const [name, request, status] of REFUSED) {
  Deno.test(`HttpFront answers ${status} to a request with ${name}, and the application sees none of it`, async () => {
    const { app, served } = noting();
    await using _ = app;
    const closing = request.replace("\r\n", "\r\nConnection: close\r\n");
    const answer = await app.raw(closing);
    assert(answer.startsWith(`HTTP/1.1 ${status} `), answer);
    assertEquals([served, app.running.logged], [[], []]);
    assertEquals(answer.split("HTTP/1.1 ").length, 2, answer);
  });
}

Deno.test("HttpFront keeps requests on one connection apart, whatever body they have", async () => {
  const { app, served } = noting();
  await using _ = app;
  const answers = await app.raw(
    "GET /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 25\r\n\r\nGET /no HTTP/1.1\r\nX: abcd\n" +
      "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" +
      "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n2\r\nef\r\n0\r\n\r\n" +
      "POST /4 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\ngh" +
      "GET /5 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
  );
  assertEquals(answers.split("HTTP/1.1 200 OK").length, 6, answers);
  assertEquals(served, [
    "GET /1 ",
    "POST /2 abc",
    "POST /3 def",
    "POST /4 gh",
    "GET /5 ",
  ]);
});

Deno.test("HttpFront goes on with a connection whose request the application did not read", async () => {
  let served = 0;
  await using app = new Fronted((_, response) => {
    served++;
    response.write("served");
  });
  const body = "GET /no HTTP/1.1\r\n\r\n".repeat(5000);
  const answers = await app.raw(
    `POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      "GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
  );
  // The runtime may close instead: no byte of the body is a request.
  assert(answers.split("HTTP/1.1 ").length <= 3, answers);
  assert(served <= 2, `${served} requests were served`);
});

/** What an application is told by a raw request. */
async function told(
  request: string,
  read: (request: ServiceRequest) => unknown,
): Promise<unknown> {
  const service: Service = (request, response) => {
    response.json(read(request));
  };
  await using app = new Fronted(service);
  const answer = await app.raw(
    request.replace("\r\n", "\r\nConnection: close, X-Nominated\r\n"),
  );
  assertStringIncludes(answer, "HTTP/1.1 200 OK");
  return JSON.parse(answer.split("\r\n\r\n")[1]!);
}

Deno.test("HttpFront takes the host of a whole URL, not that of Host", async () => {
  assertEquals(
    await told(
      "GET http://asked.example:81/a?b HTTP/1.1\r\nHost: said.example\r\n\r\n",
      (request) => [request.url.href, request.headers.get("host")],
    ),
    ["http://asked.example:81/a?b", "asked.example:81"],
  );
});

Deno.test("HttpFront keeps a path that begins with two slashes a path", async () => {
  assertEquals(
    await told(
      "GET //other.example/a HTTP/1.1\r\nHost: h\r\n\r\n",
      (request) => [request.url.href, request.param("PATH_INFO")],
    ),
    ["http://h//other.example/a", "//other.example/a"],
  );
});

Deno.test("HttpFront tells the address of the connection, whatever X-Forwarded-For says, which is a header as any", async () => {
  assertEquals(
    await told(
      "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\nForwarded: for=192.0.2.1\r\n\r\n",
      (request) => [
        request.remoteAddr,
        request.url.href,
        request.headers.get("x-forwarded-for"),
        request.headers.get("forwarded"),
      ],
    ),
    ["127.0.0.1", "http://h/", "192.0.2.1", "for=192.0.2.1"],
  );
});

Deno.test("HttpFront passes on no header of the connection, and none that could pass for another", async () => {
  assertEquals(
    await told(
      "GET / HTTP/1.1\r\nHost: h\r\nX-Nominated: 1\r\nKeep-Alive: 1\r\nTE: trailers\r\nUpgrade: websocket\r\nProxy: http://evil/\r\nX_Kept: 1\r\nExpect: 100-continue\r\nX-Kept: 2\r\n\r\n",
      (request) => [...request.headers.keys()].sort(),
    ),
    ["host", "x-kept"],
  );
});

Deno.test("HttpFront tells its own address and port", async () => {
  await using app = new Fronted((request, response) => {
    response.json([
      request.param("SERVER_ADDR"),
      request.param("SERVER_PORT"),
    ]);
  });
  const { port } = new URL(app.front.url);
  assertEquals(await (await app.fetch("/")).json(), ["127.0.0.1", port]);
});

Deno.test("HttpFront takes off what an application tells its web server, and says what it does not do", async () => {
  await using app = new Fronted((request, response) => {
    const name = request.url.pathname.slice(1);
    response.headers.set(name, "/srv/secret");
    response.headers.set("X-Kept", "1");
  });
  for (
    const [name, isTold] of [
      ["X-Sendfile", true],
      ["X-Accel-Redirect", true],
      ["X-LIGHTTPD-send-file", true],
      ["X-Accel-Buffering", false],
      ["X-Accel-Expires", false],
    ] as const
  ) {
    const response = await app.fetch(`/${name}`);
    await response.text();
    assertEquals(
      [response.headers.get(name), response.headers.get("x-kept")],
      [null, "1"],
    );
    const lines = app.running.logged.splice(0);
    assertEquals(lines.length, isTold ? 1 : 0, name);
    if (isTold) assertStringIncludes(lines[0]!, name.toLowerCase());
  }
});
