// FastCGIClient in front of an application: requests and answers.

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { FastCgiError, StartError } from "../../src/errors.ts";
import type { ServiceRequest } from "../../src/request.ts";
import type { ServiceResponse } from "../../src/response.ts";
import { served, WAYS } from "../support/clients.ts";
import { within } from "../support/peer.ts";
import { randomBytes, seeded } from "../support/random.ts";
import { gate } from "../support/running.ts";
import { concatLarge } from "../support/wire.ts";

/** Tells what of the body was announced, and gives it back. */
async function echo(
  request: ServiceRequest,
  response: ServiceResponse,
): Promise<void> {
  response.headers.set("X-Length", request.param("CONTENT_LENGTH") ?? "none");
  response.headers.set("X-Type", request.param("CONTENT_TYPE") ?? "none");
  await response.write(await request.bytes());
}

/** A stream of chunks that have to be waited for. */
function slowly(...chunks: string[]): ReadableStream<Uint8Array> {
  const left = [...chunks];
  let timer: ReturnType<typeof setTimeout> | undefined;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => timer = setTimeout(resolve, 2));
      const chunk = left.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(chunk));
    },
    cancel() {
      clearTimeout(timer);
    },
  });
}

for (const way of WAYS) {
  Deno.test(`FastCGIClient.fetch() gets the answer to a GET over ${way}`, async () => {
    await using app = served((request, response) => {
      response.status = 203;
      response.statusText = "Just So";
      response.headers.set("X-One", "1");
      response.headers.append("Set-Cookie", "a=1");
      response.headers.append("Set-Cookie", "b=2");
      response.write(`${request.method} ${request.url}`);
    }, { way });
    const response = await app.fetch("/a/b?c=d#e");
    assertEquals([response.status, response.statusText], [203, "Just So"]);
    assertEquals(response.headers.get("x-one"), "1");
    assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assertEquals(response.headers.get("content-length"), "23");
    assertEquals(await response.text(), "GET http://test/a/b?c=d");
  });

  Deno.test(`FastCGIClient.fetch() carries 1 MB either way over ${way}`, async () => {
    await using app = served(echo, { way });
    const body = randomBytes(seeded(3), 1_000_000);
    const response = await app.fetch("/", { method: "POST", body });
    assertEquals(response.headers.get("x-length"), "1000000");
    assertEquals(await response.bytes(), body);
  });
}

const form = new FormData();
form.set("a", "b");
form.set("file", new File(["x".repeat(2000)], "x.txt"));

const BODIES: [name: string, body: BodyInit, type: RegExp][] = [
  ["a string", "añb", /^text\/plain;charset=UTF-8$/],
  ["bytes", new Uint8Array([0, 255, 10, 13]), /^none$/],
  ["nothing", "", /^text\/plain/],
  ["1 MB of bytes", new Uint8Array(1_000_000).fill(7), /^none$/],
  ["URLSearchParams", new URLSearchParams({ a: "b c" }), /^application\/x-www/],
  ["a Blob", new Blob(["ab", "cd"], { type: "x/y" }), /^x\/y$/],
  ["a form with a file", form, /^multipart\/form-data; boundary=/],
];

for (const [name, body, type] of BODIES) {
  Deno.test(`FastCGIClient.fetch() tells the length of a body of ${name}`, async () => {
    await using app = served(echo);
    const expected = await new Request("http://h/", { method: "POST", body })
      .bytes();
    const response = await app.fetch("/", { method: "POST", body });
    const got = await response.bytes();
    assertEquals(response.headers.get("x-length"), String(got.length));
    assert(type.test(response.headers.get("x-type")!));
    // The boundary of a form is another each time, of the same length.
    assertEquals(got.length, expected.length);
    if (!(body instanceof FormData)) assertEquals(got, expected);
  });
}

Deno.test("FastCGIClient.fetch() streams a body of unknown length without CONTENT_LENGTH", async () => {
  await using app = served(echo);
  for (const chunks of [["a"], ["a", "", "bc", "d"], []]) {
    const response = await app.fetch("/", {
      method: "POST",
      body: slowly(...chunks),
    });
    assertEquals(response.headers.get("x-length"), "none");
    assertEquals(await response.text(), chunks.join(""));
  }
});

Deno.test("FastCGIClient.fetch() streams a body of the length its Content-Length tells", async () => {
  await using app = served(echo);
  const response = await app.fetch("/", {
    method: "PUT",
    body: slowly("ab", "c"),
    headers: { "content-length": "3" },
  });
  assertEquals(response.headers.get("x-length"), "3");
  assertEquals(await response.text(), "abc");
});

for (const length of ["2", "4"]) {
  Deno.test(`FastCGIClient.fetch() fails where a body of 3 bytes has a Content-Length of ${length}`, async () => {
    await using app = served(echo);
    await assertRejects(
      () =>
        app.fetch("/", {
          method: "POST",
          body: slowly("abc"),
          headers: { "content-length": length },
        }),
      TypeError,
      `Content-Length says ${length}`,
    );
  });
}

Deno.test("FastCGIClient.fetch() fails with what reading the request's body throws", async () => {
  const began = gate();
  const ended = gate<unknown>();
  await using app = served(async (request) => {
    began.resolve();
    await request.bytes().catch(ended.resolve);
  });
  const error = new Error("no more");
  const body = new ReadableStream({
    async pull(controller) {
      await began.promise;
      controller.error(error);
    },
  });
  const failed = await assertRejects(() =>
    app.fetch("/", { method: "POST", body })
  );
  assertEquals(failed, error);
  // The service does not take what came for the whole.
  assert(
    await within(ended.promise, "the body to fail") instanceof FastCgiError,
  );
});

Deno.test("FastCGIClient.fetch() gives the answer while the request's body is on its way", async () => {
  await using app = served(async (request, response) => {
    for await (const chunk of request.body) {
      await response.write(chunk);
      await response.flush();
    }
  });
  const { readable, writable } = new TransformStream<Uint8Array>();
  const writer = writable.getWriter();
  const utf8 = new TextEncoder();
  const fetching = app.fetch("/", { method: "POST", body: readable });
  await writer.write(utf8.encode("0"));
  const response = await within(fetching, "the header");
  const reader = response.body!.pipeThrough(new TextDecoderStream())
    .getReader();
  for (let i = 0; i < 5; i++) {
    assertEquals((await within(reader.read(), "an echo")).value, String(i));
    if (i < 4) await writer.write(utf8.encode(String(i + 1)));
  }
  await writer.close();
  assertEquals((await reader.read()).done, true);
});

Deno.test("FastCGIClient.fetch() gives no body for HEAD and null-body statuses, and keeps the connection", async () => {
  await using app = served((request, response) => {
    response.status = Number(request.url.pathname.slice(1));
    if (response.status === 200) response.write("abc");
  });
  for (const status of [204, 205, 304, 200]) {
    const init = { method: status === 200 ? "HEAD" : "GET" };
    const response = await app.fetch(`/${status}`, init);
    assertEquals([response.status, response.body], [status, null]);
    if (status === 200) {
      assertEquals(response.headers.get("content-length"), "3");
    }
  }
  assertEquals(await (await app.fetch("/200")).text(), "abc");
  assertEquals(app.connections(), 1);
});

Deno.test("FastCGIClient.fetch() carries header values byte by byte, both ways", async () => {
  await using app = served((request, response) => {
    response.headers.set("X-Back", request.headers.get("x-there")!);
  });
  const value = "\xe9 \xc3\xa9 \x80\xff";
  const response = await app.fetch("/", { headers: { "x-there": value } });
  assertEquals(response.headers.get("x-back"), value);
  await response.body!.cancel();
});

Deno.test("FastCGIClient.fetch() sends the parameters it is given", async () => {
  await using app = served((request, response) => {
    response.json(request.env);
  });
  const response = await app.client.fetch(new Request("http://test/x"), {
    REMOTE_ADDR: "192.0.2.7",
    SCRIPT_FILENAME: "/srv/ä.php",
    SCRIPT_NAME: "/x",
  });
  const env = await response.json();
  assertEquals(env.REMOTE_ADDR, "192.0.2.7");
  assertEquals(env.SCRIPT_FILENAME, "/srv/ä.php");
  assertEquals([env.SCRIPT_NAME, env.REQUEST_METHOD], ["/x", "GET"]);
});

Deno.test("FastCGIClient.fetch() carries parameters of more than a record", async () => {
  await using app = served((request, response) => {
    response.write(request.param("LONG")!);
  });
  const LONG = "x".repeat(100_000);
  const response = await app.client.fetch(new Request("http://test/"), {
    LONG,
  });
  assertEquals(await response.text(), LONG);
});

Deno.test("FastCGIClient.fetch() gives a body that can be read into a buffer", async () => {
  await using app = served(async (_, response) => {
    await response.write("abcdef");
    await response.flush();
    await response.write("g");
  });
  const response = await app.fetch("/");
  const reader = response.body!.getReader({ mode: "byob" });
  const parts: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(4));
    if (done) break;
    parts.push(value);
  }
  assertEquals(new TextDecoder().decode(concatLarge(parts)), "abcdefg");
});

Deno.test("FastCGIClient tells the lines of the error stream, with their request", async () => {
  const told: [line: string, url: string][] = [];
  await using app = served((request, response) => {
    response.write("x");
    request.log("first");
    request.log("zweite Zeile, äöü €");
  }, {
    client: { onStderr: (line, { url }) => told.push([line, url]) },
  });
  await (await app.fetch("/a")).text();
  await (await app.fetch("/b")).text();
  assertEquals(
    told,
    ["/a", "/b"].flatMap((path) => [
      ["first", `http://test${path}`],
      ["zweite Zeile, äöü €", `http://test${path}`],
    ]),
  );
});

Deno.test("FastCGIClient writes the error stream to the console by default", async () => {
  await using app = served((request) => request.log("a line"));
  await (await app.fetch("/")).text();
  assertEquals(app.running.logged, ["a line"]);
});

Deno.test("FastCGIClient.fetch() gives the page of an error, and fails the body of one that came late", async () => {
  const lines: string[] = [];
  await using app = served(async (request, response) => {
    if (request.url.pathname === "/late") {
      await response.write("half");
      await response.flush();
    }
    throw new Error("on purpose");
  }, { client: { onStderr: (line) => lines.push(line) } });
  const early = await app.fetch("/early");
  assertEquals(early.status, 500);
  assertStringIncludes(await early.text(), "500 Internal Server Error");
  assertStringIncludes(lines.join("\n"), "on purpose");
  const late = await app.fetch("/late");
  assertEquals(late.status, 200);
  const error = await assertRejects(
    () => late.text(),
    FastCgiError,
    "FCGI_END_REQUEST",
  );
  assertEquals(error.code, "CLOSED");
});

Deno.test("FastCGIClient() takes an address as text or as an object", async () => {
  for (const unix of [false, true]) {
    await using app = served((_, response) => {
      response.write("here");
    }, { way: unix ? "Unix" : "TCP" });
    const { path } = app.running.server.addr as Deno.UnixAddr;
    const { port } = app.running.server.addr as Deno.NetAddr;
    const forms = unix ? [path, `unix:${path}`, { path }] : [
      `127.0.0.1:${port}`,
      `:${port}`,
      { port },
      { hostname: "localhost", port },
    ];
    for (const form of forms) {
      await using client = new FastCGIClient(form);
      const response = await client.fetch(new Request("http://test/"));
      assertEquals(await response.text(), "here");
    }
  }
});

Deno.test("FastCGIClient() refuses what is no address, and options out of bounds", () => {
  for (const address of ["", "nowhere", "host:99999"]) {
    let error: unknown;
    try {
      new FastCGIClient(address);
    } catch (thrown) {
      error = thrown;
    }
    assert(error instanceof StartError);
    assertEquals(error.code, "BAD_ADDRESS");
  }
  for (
    const options of [
      { maxHeaderBytes: 63 },
      { maxHeaderBytes: NaN },
      { maxIdleConnections: -1 },
      { maxIdleConnections: 1.5 },
    ]
  ) {
    let error: unknown;
    try {
      new FastCGIClient("h:1", options);
    } catch (thrown) {
      error = thrown;
    }
    assert(error instanceof RangeError);
    assertStringIncludes(error.message, Object.keys(options)[0]!);
  }
});
