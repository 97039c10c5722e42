// request(): applications of every kind in-process. That nothing is left open
// the test runner's sanitizers see.

import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Application, Gateway, HttpError } from "@smisk/smisk";
import { request } from "@smisk/smisk/testing";
import type { FastCGIEnd } from "@smisk/smisk/testing";
import type { ServiceRequest } from "../../src/request.ts";
import type { ServiceResponse } from "../../src/response.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import type { Service } from "../support/running.ts";

/** An application of a service, which notes its start and stop. */
class App extends Application {
  readonly events: string[] = [];
  readonly #service: Service;

  constructor(service: Service) {
    super();
    this.#service = service;
  }

  override applicationWillStart(): void {
    this.events.push("start");
  }

  override applicationDidStop(): void {
    this.events.push("stop");
  }

  override service(
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void> {
    return this.#service(request, response);
  }
}

Deno.test("request() gives the answer of an application, which has started and stopped", async () => {
  const app = new App((request, response) => {
    response.status = 201;
    response.headers.append("Set-Cookie", "a=1");
    response.headers.append("Set-Cookie", "b=2");
    response.write(`${request.method} ${request.url}`);
  });
  const response = await request(app, "/a?b=c");
  assertEquals([response.status, response.statusText], [201, "Created"]);
  assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
  assertEquals(await response.text(), "GET http://localhost/a?b=c");
  assertEquals(app.events, ["start", "stop"]);
});

const INPUTS: [input: string | URL | Request, url: string][] = [
  ["/", "http://localhost/"],
  ["//a//b", "http://localhost//a//b"],
  ["https://example.org/x", "https://example.org/x"],
  [new URL("http://example.org:81/?y"), "http://example.org:81/?y"],
  [new Request("http://example.org/z"), "http://example.org/z"],
];

for (const [input, url] of INPUTS) {
  Deno.test(`request() asks for ${url}`, async () => {
    const app = new App((request, response) => {
      response.write(request.url.href);
    });
    assertEquals(await (await request(app, input)).text(), url);
  });
}

Deno.test("request() sends method, headers and body, and what a request has no words for", async () => {
  const app = new App(async (request, response) => {
    response.json({
      method: request.method,
      header: request.headers.get("x-a"),
      form: Object.fromEntries((await request.form()).fields),
      remote: request.remoteAddr,
      port: request.param("REMOTE_PORT") ?? null,
      param: request.param("SCRIPT_NAME"),
    });
  });
  const response = await request(app, "/", {
    method: "PUT",
    headers: { "X-A": "ä" },
    body: new URLSearchParams({ a: "b c" }),
    params: { SCRIPT_NAME: "/app", REMOTE_PORT: null },
  });
  assertEquals(await response.json(), {
    method: "PUT",
    header: "ä",
    form: { a: "b c" },
    remote: "127.0.0.1",
    port: null,
    param: "/app",
  });
});

Deno.test("request() asks in any role, and tells what was logged and how it ended", async () => {
  const app = new App((request, response) => {
    request.log("checked");
    response.appStatus = 7;
  });
  const lines: string[] = [];
  const ends: FastCGIEnd[] = [];
  const response = await request(app, "/", {
    role: "authorizer",
    onStderr: (line) => lines.push(line),
    onEnd: (end) => ends.push(end),
  });
  assertEquals(response.status, 403);
  assertEquals(lines, ["checked"]);
  assertEquals(ends, [{ appStatus: 7, protocolStatus: 0 }]);
  const filter = new App(async (request, response) => {
    await response.write(await new Response(request.data).text());
  });
  const filtered = await request(filter, "/", {
    role: "filter",
    data: new TextEncoder().encode("file"),
    params: { FCGI_DATA_LENGTH: "4", FCGI_DATA_LAST_MOD: "0" },
  });
  assertEquals(await filtered.text(), "file");
});

Deno.test("request() leaves nothing open where nobody reads the body", async () => {
  const app = new App((_, response) => {
    response.write("unread");
  });
  assertEquals((await request(app, "/")).status, 200);
  assertEquals(app.events, ["start", "stop"]);
});

Deno.test("request() gives answers without a body", async () => {
  for (const status of [204, 304]) {
    const app = new App((_, response) => {
      response.status = status;
    });
    const response = await request(app, "/");
    assertEquals([response.status, response.body], [status, null]);
    assertEquals(app.events, ["start", "stop"]);
  }
  const app = new App((_, response) => {
    response.write("body");
  });
  const head = await request(app, "/", { method: "HEAD" });
  assertEquals(
    [head.body, head.headers.get("content-length")],
    [null, "4"],
  );
});

Deno.test("request() passes a body on as it comes", async () => {
  let next = gate();
  const app = new App(async (_, response) => {
    for (let i = 0; i < 3; i++) {
      await response.write(`${i}`);
      await response.flush();
      await next.promise;
    }
  });
  const reader = (await request(app, "/")).body!
    .pipeThrough(new TextDecoderStream()).getReader();
  for (let i = 0; i < 3; i++) {
    assertEquals((await within(reader.read(), "a chunk")).value, `${i}`);
    assertEquals(app.events, ["start"]);
    const { resolve } = next;
    next = gate();
    resolve();
  }
  assertEquals((await within(reader.read(), "the end")).done, true);
  assertEquals(app.events, ["start", "stop"]);
});

Deno.test("request() carries megabytes both ways, into a buffer too", async () => {
  const app = new App(async (request, response) => {
    await response.write(await request.bytes());
  });
  const body = new Uint8Array(3_000_000).map((_, i) => i * 7);
  const response = await request(app, "/", { method: "POST", body });
  const reader = response.body!.getReader({ mode: "byob" });
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(100_000));
    if (done) break;
    assertEquals(value, body.subarray(length, length + value.length));
    length += value.length;
  }
  assertEquals(length, body.length);
});

Deno.test("request() tells the application where the body is cancelled, or the signal fires", async () => {
  const aborted = [gate<unknown>(), gate<unknown>()];
  let served = 0;
  const app = new App(async (request, response) => {
    const told = aborted[served++]!;
    request.signal.addEventListener(
      "abort",
      () => told.resolve(request.signal.reason),
    );
    await response.write("begun");
    await response.flush();
    await told.promise;
  });
  const response = await request(app, "/");
  await response.body!.cancel();
  await within(aborted[0]!.promise, "the service to be told");
  const controller = new AbortController();
  const { signal } = controller;
  const other = await request(app, "/", { signal });
  const reason = new Error("on purpose");
  controller.abort(reason);
  assertEquals(await assertRejects(() => other.text()), reason);
  await within(aborted[1]!.promise, "the service to be told");
  assertEquals(app.events, ["start", "stop", "start", "stop"]);
});

Deno.test("request() gives the page of an error, and fails a body that is broken off", async () => {
  const app = new App(async (request, response) => {
    if (request.url.pathname === "/404") throw new HttpError(404, "No page");
    await response.write("half");
    await response.flush();
    throw new Error("on purpose");
  });
  const lines: string[] = [];
  const onStderr = (line: string) => lines.push(line);
  const early = await request(app, "/404", { onStderr });
  assertEquals(early.status, 404);
  assertStringIncludes(await early.text(), "No page");
  const late = await request(app, "/", { onStderr });
  await assertRejects(() => late.text(), Error, "FCGI_END_REQUEST");
});

Deno.test("request() throws what applicationWillStart() throws", async () => {
  const app = new (class extends Application {
    override applicationWillStart(): void {
      throw new Error("on purpose");
    }
  })();
  await assertRejects(() => request(app, "/"), Error, "on purpose");
});

Deno.test("request() may be called many times at once, of one application", async () => {
  const app = new App(async (request, response) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    response.write(request.url.pathname);
  });
  const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
  const texts = paths.map(async (path) => (await request(app, path)).text());
  assertEquals(await Promise.all(texts), paths);
  assertEquals(app.events.at(-1), "stop");
});

Deno.test("request() asks an application that listens as well", async () => {
  const app = new App((_, response) => {
    response.write("here");
  });
  const server = app.listen({ hostname: "127.0.0.1", port: 0 });
  assertEquals(await (await request(app, "/")).text(), "here");
  assertEquals(app.events, ["start"]);
  await server.shutdown();
  assertEquals(app.events, ["start", "stop"]);
});

Deno.test("request() asks what a Gateway is around: a fetch handler, or a WSGI-style application", async () => {
  const fetching = new Gateway({
    fetch: (request) => new Response(`fetched ${request.url}`),
  });
  assertEquals(
    await (await request(fetching, "/a")).text(),
    "fetched http://localhost/a",
  );
  const wsgi = new Gateway((env, startResponse) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return [`called ${env.PATH_INFO}`];
  });
  const response = await request(wsgi, "/b");
  assertEquals(response.headers.get("content-type"), "text/plain");
  assertEquals(await response.text(), "called /b");
});

Deno.test("request() needs no permission, and lets the process end", async () => {
  const program = `
    import { Application } from "@smisk/smisk";
    import { request } from "@smisk/smisk/testing";
    class App extends Application {
      override async service() {
        this.response.write(await this.request.text());
      }
    }
    const init = { method: "POST", body: "asked and answered" };
    console.log(await (await request(new App(), "/", init)).text());
  `;
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, program);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const { code, stdout, stderr } = await within(
      new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "--no-check", "--config", config, path],
      }).output(),
      "the process to end",
    );
    const said = new TextDecoder().decode(stderr);
    assertEquals([code, new TextDecoder().decode(stdout)], [
      0,
      "asked and answered\n",
    ], said);
  } finally {
    await Deno.remove(path);
  }
});
