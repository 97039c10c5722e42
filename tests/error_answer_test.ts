// What the default error() answers, on the wire.

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { Application, HttpError, LimitError } from "../mod.ts";
import { ask } from "./support/ask.ts";
import type { Asked } from "./support/ask.ts";
import type { RunningOptions, Service } from "./support/running.ts";

const EVIL = `<script>alert("1")</script>&'`;
const HARMLESS = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;";

/** Answers an error to a client that accepts a media type. */
function fail(
  error: unknown,
  options: RunningOptions & { accept?: string; service?: Service } = {},
): Promise<Asked> {
  const { accept = "", service, ...rest } = options;
  return ask(
    service ?? (() => {
      throw error;
    }),
    { params: { HTTP_ACCEPT: accept } },
    rest,
  );
}

Deno.test("the default page tells nothing of an error but a reference, which the log has", async () => {
  const { status, headers, text, stderr, logged } = await fail(
    new Error("secret", { cause: new Error("deep") }),
  );
  assertEquals([status, headers["content-type"]], [
    500,
    "text/html; charset=utf-8",
  ]);
  assertEquals(headers["content-length"], String(text.length));
  assertEquals(/secret|deep|\.ts|file:|Deno|Smisk/i.test(text), false);
  const [, reference] = /class="reference">([\w-]+)</.exec(text)!;
  assertMatch(reference!, /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/);
  assert(stderr.startsWith(`[${reference}] Error: secret\n    at `), stderr);
  assertMatch(stderr, /\n {4}at .*error_answer_test\.ts/);
  assertStringIncludes(stderr, "\nCaused by: Error: deep\n");
  assertEquals(logged, []);
});

Deno.test("every error has a reference of its own", async () => {
  const found = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const { stderr } = await fail(new Error("x"));
    found.add(/^\[(.*?)\]/.exec(stderr)![1]!);
  }
  assertEquals(found.size, 5);
});

Deno.test("problem details and plain text have the reference too", async () => {
  for (const accept of ["application/json", "text/plain"]) {
    const { text, stderr } = await fail(new Error("secret"), { accept });
    const [, reference] = /^\[(.*?)\]/.exec(stderr)!;
    assertStringIncludes(text, reference!);
    assertEquals(text.includes("secret"), false);
  }
});

Deno.test("an error is answered with headers that keep it from harm", async () => {
  const { headers } = await fail(new Error());
  assertEquals(headers["cache-control"], "no-store");
  assertEquals(headers["x-content-type-options"], "nosniff");
  assertMatch(headers["content-security-policy"]!, /^default-src 'none'; /);
  const json = await fail(new Error(), { accept: "application/json" });
  assertEquals(json.headers["cache-control"], "no-store");
  assertEquals(json.headers["x-content-type-options"], "nosniff");
});

Deno.test("a 4xx may be cached as far as the application says", async () => {
  const { headers } = await fail(new HttpError(404));
  assertEquals(headers["cache-control"], undefined);
  const service: Service = (_, response) => {
    response.headers.set("cache-control", "max-age=60");
    response.headers.set("vary", "Cookie");
    throw new HttpError(response.status === 200 ? 503 : 500);
  };
  const own = await fail(null, { service });
  assertEquals(own.headers["cache-control"], "max-age=60");
  assertEquals(own.headers.vary, "Cookie, Accept");
  const shown = await fail(null, { service, showTraceback: true });
  assertEquals(shown.headers["cache-control"], "no-store");
});

Deno.test("showTraceback shows message, stack and source lines, escaped", async () => {
  const { text, stderr } = await fail(null, {
    showTraceback: true,
    service: () => {
      throw new Error(EVIL); // & this very line
    },
  });
  assertStringIncludes(text, `<h2>Error: ${HARMLESS}</h2>`);
  assertMatch(text, /<mark> *\d+ {8}throw new Error\(EVIL\);.*&amp; this very/);
  assertStringIncludes(text, "error_answer_test.ts:");
  assertEquals(text.includes("<script"), false);
  assertStringIncludes(stderr, `Error: ${EVIL}\n`);
});

Deno.test("showTraceback shows it as problem details and plain text too", async () => {
  const error = new HttpError(404, "told", { cause: new Error("the reason") });
  const json = JSON.parse(
    (await fail(error, { accept: "application/json", showTraceback: true }))
      .text,
  );
  assertEquals([json.status, json.detail], [404, "told"]);
  assertEquals(json.traceback[0], "HttpError: told");
  assert(json.traceback.includes("Caused by: Error: the reason"));
  const { text } = await fail(error, {
    accept: "text/plain",
    showTraceback: true,
  });
  assertStringIncludes(text, "\nCaused by: Error: the reason\n    at ");
});

Deno.test("showTraceback can be set while the server runs", async () => {
  for (const showTraceback of [true, false]) {
    const { text } = await fail(new Error("shown"), { showTraceback });
    assertEquals(text.includes("shown"), showTraceback);
  }
});

Deno.test("what is thrown need be no Error", async () => {
  for (
    const [thrown, line] of [
      ["a string", "a string"],
      [42, "42"],
      [undefined, "undefined"],
      [null, "null"],
      [Symbol("s"), "Symbol(s)"],
      [{ toString: () => "an object" }, "an object"],
    ] as const
  ) {
    const { status, text, stderr } = await fail(thrown, {
      showTraceback: true,
    });
    assertEquals([status, stderr.replace(/^\[.*?\] /, "")], [500, `${line}\n`]);
    assertStringIncludes(text, `<h2>${line}</h2>`);
  }
});

Deno.test("HttpError answers its status and message, escaped, and is not logged", async () => {
  const { status, text, lines, stderr, logged } = await fail(
    new HttpError(404, `No ${EVIL}`),
  );
  assertEquals([status, lines.at(-1)], [404, "Status: 404 Not Found"]);
  assertStringIncludes(text, "<title>404 Not Found</title>");
  assertStringIncludes(text, `<p>No ${HARMLESS}</p>`);
  assertEquals(text.includes("Reference"), false);
  assertEquals([stderr, logged], ["", []]);
});

Deno.test("HttpError of 5xx tells its message, and is logged", async () => {
  const { status, text, stderr } = await fail(
    new HttpError(503, "Back at noon"),
  );
  assertEquals(status, 503);
  assertStringIncludes(text, "<p>Back at noon</p>");
  assertStringIncludes(stderr, "HttpError: Back at noon\n");
});

Deno.test("HttpError from deep inside of an async service answers its status", async () => {
  const { status } = await ask(async () => {
    await Promise.resolve();
    await (async () => {
      await Promise.resolve();
      throw new HttpError(410);
    })();
  });
  assertEquals(status, 410);
});

Deno.test("a limit's error answers its status, 5xx without its message", async () => {
  const told = await fail(
    new LimitError("X", "Too much", 1, 2, { status: 413 }),
  );
  assertEquals(told.status, 413);
  assertStringIncludes(told.text, "<p>Too much</p>");
  const untold = await fail(new LimitError("X", "Internal thing", 1, 2));
  assertEquals(untold.status, 500);
  assertEquals(untold.text.includes("Internal thing"), false);
});

Deno.test("the answer is in the charset of the application, but for JSON", async () => {
  const error = new HttpError(400, "é");
  const charset = "iso-8859-1";
  for (
    const [accept, type] of [["text/html", "html"], ["text/plain", "plain"]]
  ) {
    const { body, headers } = await fail(error, { charset, accept: accept! });
    assertEquals(headers["content-type"], `text/${type}; charset=iso-8859-1`);
    assert(body.includes(0xe9));
  }
  const { text } = await fail(error, { charset, accept: "application/json" });
  assertEquals(JSON.parse(text).detail, "é");
});

Deno.test("the answer to a HEAD request is not sent, but its length is", async () => {
  const service: Service = () => {
    throw new HttpError(404, "gone");
  };
  const get = await ask(service);
  const head = await ask(service, { params: { REQUEST_METHOD: "HEAD" } });
  assertEquals([head.status, head.body.length], [404, 0]);
  assertEquals(head.headers["content-length"], get.headers["content-length"]);
});

Deno.test("no services are a page, problem details or plain text", async () => {
  for (
    const [accept, type, shown] of [
      ["", "text/html; charset=utf-8", "<h1>No services available</h1>"],
      ["text/plain", "text/plain; charset=utf-8", "No services available\n"],
      [
        "application/json",
        "application/problem+json",
        '"title":"No services available"',
      ],
    ] as const
  ) {
    const { status, headers, text } = await ask(new Application(), {
      params: { HTTP_ACCEPT: accept },
    });
    assertEquals([status, headers["content-type"]], [200, type]);
    assertStringIncludes(text, shown);
  }
});

Deno.test("super.error() answers whether it is awaited or not", async () => {
  for (
    const error of [
      function (this: Application, ...args: Parameters<Application["error"]>) {
        Application.prototype.error.apply(this, args);
        args[2].headers.set("x-own", "1");
      },
      async function (
        this: Application,
        ...args: Parameters<Application["error"]>
      ) {
        await Application.prototype.error.apply(this, args);
      },
    ]
  ) {
    const app = new Application();
    app.service = () => {
      throw new HttpError(404, "no such thing");
    };
    app.error = error;
    const { status, text } = await ask(app);
    assertEquals(status, 404);
    assertStringIncludes(text, "no such thing");
  }
});
