// The ping and the status path, on the wire.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Application } from "../../src/application.ts";
import { ask, askOn } from "../support/ask.ts";
import { Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { HAS_PARSER, parseMetrics } from "./openmetrics.ts";

const hello: Service = (_, response) => {
  response.write("hello");
};

const PATHS = { pingPath: "/ping", statusPath: "/-/status" };

const PINGED: [name: string, params: Record<string, string>][] = [
  ["path", { REQUEST_URI: "/ping" }],
  ["path with a query", { REQUEST_URI: "/ping?x=/status" }],
  ["path in absolute form", { REQUEST_URI: "http://a.test:81/ping?x" }],
  ["SCRIPT_NAME, as FPM has it", { REQUEST_URI: "", SCRIPT_NAME: "/ping" }],
  ["SCRIPT_NAME and PATH_INFO", {
    REQUEST_URI: "",
    SCRIPT_NAME: "",
    PATH_INFO: "/ping",
  }],
];

for (const [name, params] of PINGED) {
  Deno.test(`pingPath is answered with pong where it is the ${name}`, async () => {
    const answer = await ask(hello, { params }, PATHS);
    assertEquals([answer.status, answer.text], [200, "pong\n"]);
    assertEquals(answer.headers["content-type"], "text/plain; charset=utf-8");
    assertEquals(answer.headers["cache-control"], "no-store");
    assertEquals([answer.appStatus, answer.protocolStatus], [0, 0]);
  });
}

Deno.test("pingPath and statusPath leave every other path to the application", async () => {
  for (
    const path of [
      "/",
      "/pin",
      "/ping/",
      "/ping2",
      "/x/ping",
      "/%70ing",
      "/-/",
      "/?/ping",
      "ping",
    ]
  ) {
    const answer = await ask(hello, { params: { REQUEST_URI: path } }, PATHS);
    assertEquals([path, answer.text], [path, "hello"]);
  }
});

Deno.test("pingPath is whole, whatever the mount is", async () => {
  const options = { ...PATHS, mount: "/app" };
  for (const [path, text] of [["/ping", "pong\n"], ["/app/ping", "hello"]]) {
    const answer = await ask(
      hello,
      { params: { REQUEST_URI: path! } },
      options,
    );
    assertEquals(answer.text, text);
  }
});

Deno.test("pingPath has no body for HEAD, and no other method", async () => {
  const params = { REQUEST_URI: "/ping" };
  const head = await ask(hello, {
    params: { ...params, REQUEST_METHOD: "HEAD" },
  }, PATHS);
  assertEquals([head.status, head.text], [200, ""]);
  assertEquals(head.headers["content-length"], "5");
  const post = await ask(hello, { params, body: "abc" }, PATHS);
  assertEquals([post.status, post.headers.allow], [405, "GET, HEAD"]);
});

Deno.test("pingPath lets nobody past an Authorizer", async () => {
  for (const path of Object.values(PATHS)) {
    const answer = await ask(
      () => {},
      { role: 2, params: { REQUEST_URI: path } },
      PATHS,
    );
    assertEquals(answer.status, 403);
  }
});

Deno.test("neither path is answered where no option asks for it", async () => {
  for (const path of ["", "/", "/ping", "/status"]) {
    const answer = await ask(hello, { params: { REQUEST_URI: path } });
    assertEquals(answer.text, "hello");
  }
});

// Status

/** Asks for the status after some requests, on one connection. */
async function status(
  params: Record<string, string> = {},
  query = "",
): Promise<{ type: string; text: string }> {
  await using running = new Running(hello, PATHS);
  using peer = await running.connect();
  for (let i = 0; i < 3; i++) await askOn(peer);
  const answer = await askOn(peer, {
    params: { REQUEST_URI: `/-/status${query}`, ...params },
  });
  assertEquals(answer.status, 200);
  assertEquals(answer.headers["cache-control"], "no-store");
  assertEquals(answer.headers["vary"], "Accept");
  return { type: answer.headers["content-type"]!, text: answer.text };
}

const FORMS: [accept: string, query: string, type: string][] = [
  ["", "", "text/plain"],
  ["*/*", "", "text/plain"],
  ["image/png", "", "text/plain"],
  ["text/html,application/xhtml+xml,*/*;q=0.8", "", "text/html"],
  ["application/json", "", "application/json"],
  ["", "?json", "application/json"],
  ["text/html", "?json", "application/json"],
  ["text/html", "?x=1&json=1", "application/json"],
  ["", "?html", "text/html"],
  ["text/html", "?text", "text/plain"],
  ["", "?openmetrics", "application/openmetrics-text"],
  [
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
    "",
    "application/openmetrics-text",
  ],
];

for (const [accept, query, type] of FORMS) {
  Deno.test(`statusPath answers "${query}" with Accept "${accept}" as ${type}`, async () => {
    const got = await status(accept ? { HTTP_ACCEPT: accept } : {}, query);
    assertEquals(got.type.split(";")[0], type);
  });
}

Deno.test("statusPath tells as JSON what the server counts", async () => {
  const before = Date.now();
  const { text } = await status({}, "?json");
  const told = JSON.parse(text);
  assertEquals([told.accepted, told.active, told.idle], [1, 1, 0]);
  assertEquals([told.served, told.aborted, told.refused], [3, 0, 0]);
  assertEquals([told.inFlight, told.pid], [1, Deno.pid]);
  assert(told.bytesIn > 300 && told.bytesOut > 200);
  assert(told.memoryBytes > 1024 * 1024);
  const { boundsMs, counts } = told.latency;
  assertEquals(counts.length, boundsMs.length + 1);
  assertEquals(counts.reduce((sum: number, n: number) => sum + n, 0), 3);
  assert(Date.parse(told.startedAt) >= before - 1000);
  assertEquals(told.uptimeSeconds >= 0, true);
  assertMatch(told.version, /^\d+\.\d+\.\d+$/);
});

Deno.test("statusPath tells as text a name and a value a line", async () => {
  const { text } = await status();
  const lines = new Map(
    text.trimEnd().split("\n").map((line) => {
      const [, name, value] = /^([^:]+):\s+(.*)$/.exec(line)!;
      return [name, value];
    }),
  );
  assertEquals(lines.get("requests served"), "3");
  assertEquals(lines.get("connections active"), "1");
  assertMatch(lines.get("latency, 50 %")!, /^(?:up to|more than) [\d.]+ ms$/);
});

Deno.test("statusPath escapes a name in HTML and OpenMetrics", async () => {
  const Evil = class extends Application {};
  Object.defineProperty(Evil, "name", { value: "<script>'\"&\\\n" });
  const told = async (query: string) => {
    const params = { REQUEST_URI: `/-/status?${query}` };
    return (await ask(new Evil(PATHS), { params })).text;
  };
  const html = await told("html");
  assertMatch(html, /<h1>Status of &#60;script&#62;&#39;&#34;&#38;/);
  assertEquals(html.includes("<script"), false);
  const metrics = await told("openmetrics");
  assertMatch(metrics, /{application="<script>'\\"&\\\\\\n",version=/);
});

Deno.test("statusPath tells as OpenMetrics what names and types promise", async () => {
  const { type, text } = await status({}, "?openmetrics");
  assertEquals(
    type,
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
  );
  assert(text.endsWith("\n# EOF\n"));
  const samples = new Map(
    text.trimEnd().split("\n").filter((line) => !line.startsWith("#"))
      .map((line) => line.split(/ (?=[^ ]+$)/) as [string, string]),
  );
  assertEquals(samples.get('smisk_requests_total{outcome="served"}'), "3");
  assertEquals(samples.get("smisk_requests_in_flight"), "1");
  assertEquals(
    samples.get('smisk_request_duration_seconds_bucket{le="+Inf"}'),
    "3",
  );
  assertEquals(samples.get("smisk_request_duration_seconds_count"), "3");
});

Deno.test({
  name: "statusPath tells OpenMetrics that its reference parser takes",
  ignore: !HAS_PARSER,
  async fn() {
    const { text } = await status({}, "?openmetrics");
    const lines = await parseMetrics(text);
    assertEquals(lines.length, 10);
    assert(lines.includes("smisk_requests counter  3"), lines.join("\n"));
    assert(lines.includes("smisk_sent_bytes counter bytes 1"));
    assert(
      lines.includes("smisk_request_duration_seconds histogram seconds 18"),
      lines.join("\n"),
    );
  },
});
