// The access log: what a line says of a request.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import { compileFormat } from "../../src/observe/log_format.ts";
import { askOn, latin1, rawRequest } from "../support/ask.ts";
import type { Question } from "../support/ask.ts";
import { within } from "../support/peer.ts";
import { gate, Running } from "../support/running.ts";
import type { RunningOptions, Service } from "../support/running.ts";
import { request } from "../support/wire.ts";
import { inFolder } from "../support/folder.ts";

const hello: Service = (_, response) => {
  response.write("hello");
};

/** The lines that requests, one after another, leave in the log. */
async function logged(
  questions: readonly Question[],
  options: RunningOptions,
  service: Service = hello,
): Promise<string[]> {
  let lines: string[] = [];
  await inFolder(async (folder) => {
    const accessLog = `${folder}/access.log`;
    {
      await using running = new Running(service, { accessLog, ...options });
      using peer = await running.connect();
      for (const question of questions) await askOn(peer, question);
      assertEquals(running.logged, []);
    }
    const text = await Deno.readTextFile(accessLog);
    assert(text === "" || text.endsWith("\n"));
    lines = text.split("\n").slice(0, -1);
  });
  return lines;
}

const BROWSER = {
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/a/b?c=d&e",
  QUERY_STRING: "c=d&e",
  REMOTE_USER: "alice",
  HTTP_REFERER: "http://from.test/",
  HTTP_USER_AGENT: "Mozilla/5.0",
  HTTP_HOST: "to.test:81",
};

Deno.test("accessFormat is combined where nothing is said", async () => {
  const before = Math.floor(Date.now() / 1000);
  const [line] = await logged([{ params: BROWSER }], {});
  const [, time] =
    /^192\.0\.2\.1 - alice \[(.*)\] "GET \/a\/b\?c=d&e HTTP\/1\.1" 200 5 "http:\/\/from\.test\/" "Mozilla\/5\.0"$/
      .exec(line!)!;
  const [, day, month, year, clock, zone] =
    /^(\d\d)\/(\w{3})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})$/.exec(time!)!;
  const seconds = Date.parse(`${day} ${month} ${year} ${clock} ${zone}`) / 1000;
  assert(seconds >= before && seconds <= Date.now() / 1000, time);
});

const LINES: [
  format: string,
  params: Record<string, string>,
  expected: string | RegExp,
][] = [
  ["common", {}, /^192\.0\.2\.1 - - \[.*\] "GET \/ HTTP\/1\.1" 200 5$/],
  // PHP-FPM's default, and the one of its sample configuration.
  ['%R - %u %t "%m %r" %s', BROWSER, /^192.* \+?.* "GET \/a\/b" 200$/],
  [
    '%R - %u %t "%m %r%Q%q" %s %f %{milli}d %{kilo}M %C%%',
    { ...BROWSER, SCRIPT_FILENAME: "/srv/x.php" },
    /^.* "GET \/a\/b\?c=d&e" 200 \/srv\/x\.php \d+\.\d{3} - -%$/,
  ],
  ["%m|%r|%q|%Q", BROWSER, "GET|/a/b|c=d&e|?"],
  ["%m|%r|%q|%Q", {}, "GET|/||"],
  ["%r%Q%q", { REQUEST_URI: "", SCRIPT_NAME: "/s", PATH_INFO: "/p" }, "/s/p"],
  [
    "%r%Q%q",
    { REQUEST_URI: "", SCRIPT_NAME: "/s", QUERY_STRING: "a=b" },
    "/s?a=b",
  ],
  ["%r", { REQUEST_URI: "" }, "-"],
  ["%s %b", {}, "200 5"],
  ["%l", {}, "0"],
  // The class of the test has no name.
  ["%n", {}, "-"],
  ["%p %P", {}, `${Deno.pid} ${Deno.ppid}`],
  ["%i", {}, "-"],
  ["%i", { HTTP_X_REQUEST_ID: "x" }, "x"],
  ["%i", { HTTP_X_REQUEST_ID: "x", UNIQUE_ID: "u" }, "u"],
  ["%i", { UNIQUE_ID: "u", REQUEST_ID: "r" }, "r"],
  ["%i", { REQUEST_ID: "", HTTP_X_REQUEST_ID: "x" }, "x"],
  ["%{HTTP_HOST}e %{NONE}e", BROWSER, "to.test:81 -"],
  ["%{Content-Type}o", {}, "text/html; charset=utf-8"],
  ["%{content-TYPE}o|%{X-None}o", {}, "text/html; charset=utf-8|-"],
  ["%d %{seconds}d", {}, /^\d+\.\d{3} \d+\.\d{3}$/],
  ["%{milliseconds}d %{micro}d", {}, /^\d+\.\d{3} \d+$/],
  ["%{%Y-%m-%d %H:%M:%S %%}t", {}, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d %$/],
  [
    "%{%F %T %D %j %e %I %p %y %s %z}T",
    {},
    new RegExp(
      "^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d \\d\\d/\\d\\d/\\d\\d \\d{3} [ \\d]\\d \\d\\d [AP]M \\d\\d \\d{10} [+-]\\d{4}$",
    ),
  ],
  ["%{%a %A %b %B}t", {}, /^(\w{3}) \1\w*day (\w{3}) \2\w*$/],
  ["literal\t%% %s", {}, "literal\t% 200"],
];

for (const [format, params, expected] of LINES) {
  Deno.test(`accessFormat ${JSON.stringify(format)} tells ${expected}`, async () => {
    const [line] = await logged([{ params }], { accessFormat: format });
    if (typeof expected === "string") assertEquals(line, expected);
    else assertMatch(line!, expected);
  });
}

Deno.test("accessFormat json tells an object a line", async () => {
  const before = Date.now();
  const lines = await logged([
    { params: { ...BROWSER, REQUEST_ID: "r1" } },
    { params: { REQUEST_METHOD: "PUT" }, body: "abc" },
  ], { accessFormat: "json" });
  const [first, second] = lines.map((line) => JSON.parse(line));
  const { time, durationMs, ...rest } = first;
  assert(Date.parse(time) >= before - 1 && durationMs >= 0);
  assertEquals(rest, {
    remoteAddr: "192.0.2.1",
    user: "alice",
    method: "GET",
    path: "/a/b",
    query: "c=d&e",
    protocol: "HTTP/1.1",
    host: "to.test:81",
    status: 200,
    appStatus: 0,
    isAborted: false,
    bytes: 5,
    requestBytes: null,
    referrer: "http://from.test/",
    userAgent: "Mozilla/5.0",
    requestId: "r1",
    pid: Deno.pid,
  });
  assertEquals(
    [second.method, second.requestBytes, second.query, second.requestId],
    ["PUT", 3, null, null],
  );
});

const EVIL = [
  "a\r\nHTTP/1.1 200 OK\n",
  'quote" 200 0 "',
  "back\\slash\\",
  "escape \x1b[2J\x07\x00\x7f",
  "bytes \xe9\xff\x80\x9b",
  "\xe2\x80\xa8 separator, \xe2\x80\xae bidi",
];

for (const format of ["combined", "json", "%{HTTP_USER_AGENT}e"]) {
  Deno.test(`accessFormat ${format} lets no value break its line`, async () => {
    const lines = await logged(
      EVIL.map((value) =>
        rawRequest([
          ["REQUEST_URI", latin1(`/${value}?${value}`)],
          ["REMOTE_USER", latin1(value)],
          ["HTTP_REFERER", latin1(value)],
          ["HTTP_USER_AGENT", latin1(value)],
          ["REQUEST_ID", latin1(value)],
        ])
      ),
      { accessFormat: format },
    );
    assertEquals(lines.length, EVIL.length);
    for (const line of lines) assertMatch(line, /^[ -~]*$/);
    if (format === "json") {
      assertEquals(JSON.parse(lines[0]!).userAgent, EVIL[0]);
      assertEquals(
        JSON.parse(lines[5]!).userAgent,
        "\u2028 separator, \u202e bidi",
      );
      assertEquals(
        JSON.parse(lines[4]!).userAgent,
        "bytes \ufffd\ufffd\ufffd\ufffd",
      );
    } else if (format !== "combined") {
      assertEquals(lines.slice(0, 5), [
        "a\\x0d\\x0aHTTP/1.1 200 OK\\x0a",
        'quote\\" 200 0 \\"',
        "back\\\\slash\\\\",
        "escape \\x1b[2J\\x07\\x00\\x7f",
        "bytes \\xe9\\xff\\x80\\x9b",
      ]);
    } else {
      // Every quote within a value is escaped.
      for (const line of lines) {
        assertMatch(
          line,
          /^192\.0\.2\.1 - |^- - .* \[.*\] "(?:[^"\\]|\\.)*" 200 5 "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"$/,
        );
      }
    }
  });
}

Deno.test("accessFormat cuts a value that is longer than a page", async () => {
  const long = "x".repeat(50_000);
  for (const format of ["%{HTTP_USER_AGENT}e", "json"]) {
    const [line] = await logged(
      [{ params: { HTTP_USER_AGENT: long } }],
      { accessFormat: format },
    );
    assert(line!.includes(`${"x".repeat(4096)}...`));
    assert(line!.length < 5_000);
  }
});

Deno.test("accessLog tells the status and the bytes of every kind of answer", async () => {
  const service: Service = async (request, response) => {
    switch (request.url.pathname) {
      case "/large":
        for (let i = 0; i < 40; i++) await response.write("x".repeat(10_000));
        break;
      case "/utf-8":
        response.write("\u00e9\u20ac");
        break;
      case "/throw":
        throw new Error("on purpose");
      case "/204":
        response.status = 204;
        response.write("nothing of this");
        break;
      default:
        response.write("hello");
    }
  };
  const paths = ["/large", "/utf-8", "/204"];
  const lines = await logged(
    [
      ...paths.map((REQUEST_URI) => ({ params: { REQUEST_URI } })),
      { params: { REQUEST_METHOD: "HEAD" } },
    ],
    { accessFormat: "%r %s %b" },
    service,
  );
  assertEquals(lines, [
    "/large 200 400000",
    "/utf-8 200 5",
    "/204 204 0",
    "/ 200 0",
  ]);
});

Deno.test("accessLog tells requests that were refused before the application", async () => {
  let served = 0;
  const lines = await logged(
    [
      { params: { REQUEST_METHOD: "" } },
      { params: { HTTP_HOST: "a b" } },
      { body: "x".repeat(11) },
      { params: { LARGE: "x".repeat(2000) } },
      { role: 9 },
    ],
    {
      accessFormat: "%m %s %{HTTP_HOST}e",
      maxBodyBytes: 10,
      maxParamsBytes: 1024,
    },
    () => {
      served++;
    },
  );
  assertEquals(lines, [
    "- 500 -",
    "GET 400 a b",
    "POST 413 -",
    "- 431 -",
    "GET 500 -",
  ]);
  assertEquals(served, 0);
});

Deno.test("accessLog tells of a request that was given up 499, or how far it came", async () => {
  await inFolder(async (folder) => {
    const accessLog = `${folder}/access.log`;
    const begun: Record<string, PromiseWithResolvers<void>> = {
      "/half": gate(),
      "/none": gate(),
    };
    {
      await using running = new Running(async (request, response) => {
        const { pathname } = request.url;
        if (pathname === "/half") {
          await response.write("half");
          await response.flush();
        }
        const aborted = gate();
        request.signal.addEventListener("abort", () => aborted.resolve());
        begun[pathname]!.resolve();
        await aborted.promise;
      }, { accessLog, accessFormat: "%r %s %b" });
      for (const path of Object.keys(begun)) {
        const peer = await running.connect();
        await peer.send(request({ params: { REQUEST_URI: path } }));
        await within(begun[path]!.promise, "the service");
        peer.close();
      }
    }
    const lines = (await Deno.readTextFile(accessLog)).split("\n").sort();
    assertEquals(lines, ["", "/half 200 4", "/none 499 0"]);
  });
});

Deno.test("accessLog tells nothing of pingPath and statusPath", async () => {
  const paths = ["/ping", "/", "/status"];
  const lines = await logged(
    paths.map((REQUEST_URI) => ({ params: { REQUEST_URI } })),
    { accessFormat: "%r", pingPath: "/ping", statusPath: "/status" },
  );
  assertEquals(lines, ["/"]);
});

const BAD: [format: string, why: string][] = [
  ["plain", "write common, combined, json, or a format with tokens"],
  ["%y", "%y is no token"],
  ["%s%", "a % at its end is no token"],
  ["%e", "%e needs a name, as in %{NAME}e"],
  ["%{}e", "{} is nothing for %e"],
  ["%{NAME}s", "{NAME} is nothing for %s"],
  ["%{hours}d", "{hours} is nothing for %d"],
  ["%{%Q}t", "{%Q} is nothing for %t"],
  ["%{%}t", "{%} is nothing for %t"],
  ["%s\n", "it has a control character"],
  ["%{HTTP_HOST", "a % at its end is no token"],
];

for (const [format, why] of BAD) {
  Deno.test(`accessFormat refuses ${JSON.stringify(format)}, and nothing is served`, () => {
    try {
      compileFormat(format);
    } catch (error) {
      assert(error instanceof StartError);
      assertEquals(error.code, "BAD_ARGUMENT");
      assert(error.message.includes(why), error.message);
      assertEquals(error.message.includes("\n"), false);
      return;
    }
    throw new Error("It was taken");
  });
}

Deno.test("accessFormat that is none makes the server fail", async () => {
  await inFolder(async (folder) => {
    const running = new Running(hello, {
      accessLog: `${folder}/access.log`,
      accessFormat: "%y",
    });
    await assertRejects(
      () => within(running.server.finished, "the server to fail"),
      StartError,
      "%y is no token",
    );
    await running[Symbol.asyncDispose]().catch(() => {});
  });
});
