import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { HttpError, LimitError } from "../mod.ts";
import { describeError, errorPage, escapeHtml } from "../src/error_page.ts";
import { ask } from "./support/ask.ts";
import type { Service } from "./support/running.ts";

const EVIL = `<script>alert("1")</script>&'`;
const HARMLESS = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;";

function throwing(error: unknown): Service {
  return () => {
    throw error;
  };
}

Deno.test("escapeHtml() escapes what means something in content and attributes", () => {
  assertEquals(escapeHtml(EVIL), HARMLESS);
  assertEquals(escapeHtml("plain é"), "plain é");
  assertEquals(escapeHtml(""), "");
});

Deno.test("errorPage() escapes all it is given", () => {
  const page = errorPage(404, EVIL, EVIL, EVIL);
  assertEquals(page.split(HARMLESS).length - 1, 4);
  assertEquals(page.includes("<script"), false);
});

Deno.test("errorPage() leaves out what is empty", () => {
  const page = errorPage(500, "Internal Server Error", "");
  assertStringIncludes(page, "<title>500 Internal Server Error</title>");
  assertStringIncludes(page, "<h1>500 Internal Server Error</h1>");
  assertEquals(/<p>|<pre>/.test(page), false);
  assertMatch(page, /^<!DOCTYPE html>\n[^]*<\/html>\n$/);
});

Deno.test("describeError() gives the stack, and those of the causes", () => {
  const error = new Error("outer", {
    cause: new TypeError("middle", { cause: "inner" }),
  });
  const lines = describeError(error).split("\n")
    .filter((line) => !line.startsWith("    at "));
  assertEquals(lines, [
    "Error: outer",
    "Caused by: TypeError: middle",
    "Caused by: inner",
  ]);
});

Deno.test("describeError() ends with causes in a circle", () => {
  const error = new Error("round");
  error.cause = error;
  assertEquals(describeError(error).split("Caused by:").length, 9);
});

Deno.test("describeError() describes whatever was thrown", () => {
  const silent = new Error("silent");
  silent.stack = "";
  const trap = Object.defineProperty(new Error("x"), "cause", {
    get() {
      throw new Error("no");
    },
  });
  trap.stack = "the stack";
  for (
    const [thrown, expected] of [
      [undefined, "undefined"],
      [Symbol("s"), "Symbol(s)"],
      [Object.create(null), "A thrown object that cannot be shown"],
      [silent, "Error: silent"],
      [trap, "the stack"],
    ] as const
  ) assertEquals(describeError(thrown), expected);
});

Deno.test("the default page tells nothing of an error", async () => {
  const { status, headers, text, stderr } = await ask(
    throwing(new Error("secret", { cause: new Error("deep") })),
  );
  assertEquals([status, headers["content-type"]], [
    500,
    "text/html; charset=utf-8",
  ]);
  assertEquals(headers["content-length"], String(text.length));
  assertEquals(text, errorPage(500, "Internal Server Error", ""));
  assertMatch(stderr, /^Error: secret\n {4}at .*error_page_test\.ts/);
});

Deno.test("the error stream has the cause of an error too", async () => {
  const { stderr } = await ask(
    throwing(new Error("outer", { cause: new TypeError("the real reason") })),
  );
  assertStringIncludes(stderr, "the real reason");
});

Deno.test("showTraceback shows message and stack, escaped", async () => {
  const { text, stderr } = await ask(throwing(new Error(EVIL)), {}, {
    showTraceback: true,
  });
  assertStringIncludes(text, `<pre>Error: ${HARMLESS}\n    at `);
  assertEquals(text.includes("<script"), false);
  assertStringIncludes(stderr, `Error: ${EVIL}\n`);
});

Deno.test("showTraceback can be set while the server runs", async () => {
  const service = throwing(new Error("shown"));
  for (const showTraceback of [true, false]) {
    const { text } = await ask(service, {}, { showTraceback });
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
    const { status, stderr } = await ask(throwing(thrown));
    assertEquals([status, stderr], [500, `${line}\n`]);
  }
});

Deno.test("HttpError answers its status and message, escaped", async () => {
  const { status, text, lines, stderr, logged } = await ask(
    throwing(new HttpError(404, `No ${EVIL}`)),
  );
  assertEquals([status, lines.at(-1)], [404, "Status: 404 Not Found"]);
  assertEquals(text, errorPage(404, "Not Found", `No ${EVIL}`));
  assertStringIncludes(text, `<p>No ${HARMLESS}</p>`);
  assertEquals([stderr, logged], ["", []]);
});

Deno.test("HttpError of 5xx tells its message, and is logged", async () => {
  const { status, text, stderr } = await ask(
    throwing(new HttpError(503, "Back at noon")),
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
  const told = await ask(
    throwing(new LimitError("X", "Too much", 1, 2, { status: 413 })),
  );
  assertEquals(told.status, 413);
  assertStringIncludes(told.text, "<p>Too much</p>");
  const untold = await ask(throwing(new LimitError("X", "Internal", 1, 2)));
  assertEquals(untold.status, 500);
  assertEquals(untold.text.includes("Internal</p>"), false);
});

Deno.test("the page is in the charset of the application", async () => {
  const { body, headers } = await ask(
    throwing(new HttpError(400, "é")),
    {},
    { charset: "iso-8859-1" },
  );
  assertEquals(headers["content-type"], "text/html; charset=iso-8859-1");
  assert(body.includes(0xe9));
});

Deno.test("the page of a HEAD request is not sent, but its length is", async () => {
  const get = await ask(throwing(new HttpError(404, "gone")));
  const head = await ask(throwing(new HttpError(404, "gone")), {
    params: { REQUEST_METHOD: "HEAD" },
  });
  assertEquals([head.status, head.body.length], [404, 0]);
  assertEquals(head.headers["content-length"], get.headers["content-length"]);
});
