// The HTTP front, as a browser sees it.

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { HttpFront } from "../../src/command/http_front.ts";
import { StartError } from "../../src/errors.ts";
import { within } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { gate, Running } from "../support/running.ts";
import { Fronted } from "./fronted.ts";
import { HELLO, PROGRAM } from "./programs.ts";

Deno.test("HttpFront hands a request to the application, and its response back", async () => {
  await using app = new Fronted((request, response) => {
    response.status = 201;
    response.headers.append("Set-Cookie", "a=1");
    response.headers.append("Set-Cookie", "b=2");
    response.headers.set("X-Names", Object.keys(request.env).sort().join(" "));
    const { remoteAddr } = request;
    response.write(`${request.method} ${request.url} ${remoteAddr}`);
  });
  const response = await app.fetch("/a%20b?c=d&e");
  assertEquals(response.status, 201);
  assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
  assertEquals(
    response.headers.get("content-type"),
    "text/html; charset=utf-8",
  );
  const text = await response.text();
  assert(text.startsWith(`GET ${app.front.url}a%20b?c=d&e `), text);
  assertStringIncludes(text, "127.0.0.1");
  assertStringIncludes(
    response.headers.get("x-names")!,
    "REMOTE_ADDR REMOTE_PORT",
  );
});

Deno.test("HttpFront carries bodies of known and of unknown length", async () => {
  await using app = new Fronted(async (request, response) => {
    const body = await request.bytes();
    response.headers.set("X-Length", request.param("CONTENT_LENGTH") ?? "none");
    await response.write(body);
  });
  const large = new Uint8Array(2_000_000).map((_, i) => i * 7);
  const chunks = [new Uint8Array([1, 2]), new Uint8Array([3])];
  const cases: [body: BodyInit, length: string, expected: Uint8Array][] = [
    ["", "0", new Uint8Array(0)],
    [new Uint8Array([1, 2, 3]), "3", new Uint8Array([1, 2, 3])],
    [large, "2000000", large],
    [ReadableStream.from(chunks), "none", new Uint8Array([1, 2, 3])],
  ];
  for (const [body, length, expected] of cases) {
    const response = await app.fetch("/", { method: "POST", body });
    assertEquals(await response.bytes(), expected);
    if (length !== "none") {
      assertEquals(response.headers.get("x-length"), length);
    }
  }
});

Deno.test("HttpFront answers HEAD, 204 and 304 without a body, with the headers of one", async () => {
  await using app = new Fronted((request, response) => {
    const status = Number(request.url.pathname.slice(1));
    response.status = status;
    response.headers.set("ETag", '"x"');
    if (status === 200) response.write("abc");
  });
  const ask = (method: string, status: number) =>
    app.raw(
      `${method} /${status} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
    );
  const head = await ask("HEAD", 200);
  assert(/^HTTP\/1\.1 200 /.test(head) && head.endsWith("\r\n\r\n"), head);
  assert(/\r\ncontent-length: 3\r\n/i.test(head), head);
  for (const status of [204, 304]) {
    const answer = await ask("GET", status);
    assert(answer.startsWith(`HTTP/1.1 ${status} `), answer);
    assert(answer.endsWith("\r\n\r\n"), answer);
    assert(/\r\netag: "x"\r\n/i.test(answer), answer);
  }
});

Deno.test("HttpFront carries header values byte by byte, and leaves out Proxy", async () => {
  await using app = new Fronted((request, response) => {
    response.headers.set("X-Back", request.headers.get("x-there")!);
    response.write(request.param("HTTP_PROXY") ?? "no proxy");
  });
  const answer = await app.raw(
    "GET / HTTP/1.1\r\nHost: h\r\nX-There: \xe9\r\nProxy: http://evil/\r\nConnection: close\r\n\r\n",
  );
  assert(/\r\nx-back: \xe9\r\n/i.test(answer), answer);
  assert(answer.endsWith("no proxy"), answer);
});

Deno.test("HttpFront passes a response on as it comes", async () => {
  let next = gate();
  await using app = new Fronted(async (_, response) => {
    response.headers.set("Content-Type", "text/event-stream");
    for (let i = 0; i < 3; i++) {
      await response.write(`data: ${i}\n\n`);
      await response.flush();
      await next.promise;
    }
  });
  const response = await app.fetch("/");
  const reader = response.body!.pipeThrough(new TextDecoderStream())
    .getReader();
  for (let i = 0; i < 3; i++) {
    const { value } = await within(reader.read(), "an event");
    assertEquals(value, `data: ${i}\n\n`);
    const { resolve } = next;
    next = gate();
    resolve();
  }
  assertEquals((await reader.read()).done, true);
});

Deno.test("HttpFront breaks a response off that the application breaks off", async () => {
  await using app = new Fronted(async (_, response) => {
    await response.write("half");
    await response.flush();
    throw new Error("on purpose");
  });
  const response = await app.fetch("/");
  await assertRejects(() => response.text());
  const { logged } = app.running;
  assertStringIncludes(logged.join("\n"), "Error: on purpose");
  const own = logged.filter((line) => line.includes("Broke off a response"));
  assertEquals(own.length, 1);
  assertEquals(own[0]!.includes("\n"), false);
});

Deno.test("HttpFront tells the application that a client has gone", async () => {
  const aborted = gate();
  await using app = new Fronted(async (request, response) => {
    request.signal.addEventListener("abort", () => aborted.resolve());
    await response.write("begun");
    await response.flush();
    await aborted.promise;
  });
  const response = await app.fetch("/");
  await response.body!.cancel();
  await within(aborted.promise, "the service to be told");
});

Deno.test("HttpFront writes the error stream to the console", async () => {
  await using app = new Fronted((request) => request.log("a line"));
  await (await app.fetch("/")).text();
  assertEquals(app.running.logged, ["a line"]);
});

Deno.test("HttpFront answers 502 where the application cannot be reached, and says so", async () => {
  await using app = new Fronted(() => {});
  await app.front.server.abort();
  const response = await app.fetch("/a?b");
  assertEquals(response.status, 502);
  assertEquals(
    response.headers.get("content-type"),
    "text/html; charset=utf-8",
  );
  assertStringIncludes(await response.text(), "<title>502 Bad Gateway</title>");
  assertEquals(app.running.logged.length, 1);
  assertStringIncludes(
    app.running.logged[0]!,
    `smisk: Cannot answer GET ${app.front.url}a?b: `,
  );
});

Deno.test("HttpFront reaches an application that lets nobody else connect", async () => {
  await using app = new Fronted((_, response) => {
    response.write("here");
  }, { allowedClients: ["192.0.2.1"] });
  assertEquals(await (await app.fetch("/")).text(), "here");
});

Deno.test("HttpFront() refuses an address in use", async () => {
  await using running = new Running(() => {});
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  try {
    const error = assertThrows(
      () => new HttpFront(running.app, { hostname: "127.0.0.1", port }),
      StartError,
      `127.0.0.1:${port}: the address is in use`,
    );
    assertEquals(error.code, "ADDRESS_IN_USE");
  } finally {
    listener.close();
  }
});

// As part of a program

async function start(
  file: string,
): Promise<{ program: Program; url: string }> {
  const program = new Program(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--allow-net",
      "--allow-env",
      file,
      "--bind=127.0.0.1:0",
      "--http=127.0.0.1:0",
    ],
  });
  const [, url] = await program.until(
    /^Listening for HTTP on (http:\/\/127\.0\.0\.1:\d+\/)$/,
  );
  return { program, url: url! };
}

Deno.test("run() with --http serves a browser, and says nothing but where", async () => {
  const { program, url } = await start(HELLO);
  await using running = program;
  for (let i = 0; i < 3; i++) {
    const response = await fetch(url);
    assertEquals(await response.text(), "Hello World!");
  }
  assertEquals((await running.stop()).code, 0);
  assertEquals([running.output.length, running.errors], [2, []]);
  await assertRejects(() => fetch(url));
});

Deno.test("run() with --http finishes what a browser asked for before a signal", async () => {
  const { program, url } = await start(PROGRAM);
  await using running = program;
  const response = await fetch(`${url}until-signal`);
  const reader = response.body!.pipeThrough(new TextDecoderStream())
    .getReader();
  assertEquals((await reader.read()).value, "waiting");
  running.signal("SIGTERM");
  assertEquals((await within(reader.read(), "the rest")).value, " over");
  assertEquals((await reader.read()).done, true);
  assertEquals((await running.end()).code, 0);
  assertEquals(running.errors, []);
});

Deno.test("run() with --http stops at once at a second signal", async () => {
  const { program, url } = await start(PROGRAM);
  await using running = program;
  const response = await fetch(`${url}wait`);
  const body = assertRejects(() => response.text());
  running.signal("SIGTERM");
  await gone(url);
  running.signal("SIGTERM");
  await within(body, "the response to be broken off");
  assertEquals((await running.end()).code, 0);
  assert(running.output.includes("after run()"));
});

/** Waits until nobody listens any more. */
async function gone(url: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  const { hostname, port } = new URL(url);
  while (performance.now() < deadline) {
    try {
      (await Deno.connect({ hostname, port: Number(port) })).close();
    } catch {
      return;
    }
  }
  throw new Error("It still listens");
}
