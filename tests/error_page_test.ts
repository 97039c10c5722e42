import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import {
  escapeHtml,
  htmlPage,
  plainText,
  problemDetails,
  sentenceOf,
} from "../src/error_page.ts";

const EVIL = `<script>alert("1")</script>&'`;
const HARMLESS = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;";

/** A fault of nothing but what is given. */
function fault(parts: Partial<Parameters<typeof htmlPage>[0]> = {}) {
  return {
    status: 500,
    title: "Internal Server Error",
    message: "",
    reference: "",
    time: new Date("2026-01-02T03:04:05.678Z"),
    traceback: [],
    ...parts,
  };
}

const TRACE = {
  headline: `Error: ${EVIL}`,
  frames: [
    { text: `ext:core ${EVIL}`, line: 0, first: 0, lines: [] },
    {
      text: `Db.find (file:///db.ts:10:5)`,
      line: 10,
      first: 9,
      lines: ["  before", `  ${EVIL}`, "  after"],
    },
    { text: "run (file:///app.ts:1:1)", line: 1, first: 1, lines: ["go()"] },
  ],
};

Deno.test("escapeHtml() escapes what means something in content and attributes", () => {
  assertEquals(escapeHtml(EVIL), HARMLESS);
  assertEquals(escapeHtml("plain é"), "plain é");
  assertEquals(escapeHtml(""), "");
});

Deno.test("htmlPage() escapes all it is given", () => {
  const page = htmlPage(fault({
    title: EVIL,
    message: EVIL,
    reference: EVIL,
    traceback: [TRACE],
  }));
  // Twice the title; message, reference, headline, frame and line once.
  assertEquals(page.split(HARMLESS).length - 1, 7);
  assertEquals(page.includes("<script"), false);
});

Deno.test("htmlPage() tells status, sentence, reference and time", () => {
  const page = htmlPage(fault({ status: 503, title: "X", reference: "AB-CD" }));
  assertMatch(page, /^<!DOCTYPE html>\n<html lang="en">[^]*<\/html>\n$/);
  assertStringIncludes(page, "<title>503 X</title>");
  assertStringIncludes(page, '<p class="status">503</p>\n<h1>X</h1>\n');
  assertStringIncludes(page, "not available at the moment");
  assertStringIncludes(page, '<dd class="reference">AB-CD</dd>');
  assertStringIncludes(
    page,
    '<time datetime="2026-01-02T03:04:05.678Z">2026-01-02 03:04:05 UTC</time>',
  );
});

Deno.test("htmlPage() of no fault tells neither status nor time", () => {
  const page = htmlPage(fault({ status: 200, title: "Hello", message: "Hi" }));
  assertStringIncludes(page, "<title>Hello</title>");
  assertStringIncludes(page, "<main>\n<h1>Hello</h1>\n<p>Hi</p>\n</main>");
});

Deno.test("htmlPage() needs nothing from elsewhere, and runs nothing", () => {
  const page = htmlPage(fault({ reference: "AB", traceback: [TRACE] }));
  assertEquals(
    /<script|<link|src=|href=|url\(|@import|\bon\w+=/.test(page),
    false,
  );
});

Deno.test("htmlPage() can be written in any charset", () => {
  // deno-lint-ignore no-control-regex
  assertMatch(htmlPage(fault({ traceback: [TRACE] })), /^[\x00-\x7f]*$/);
});

Deno.test("htmlPage() shows the lines of a traceback, the first of them unfolded", () => {
  const page = htmlPage(fault({ traceback: [TRACE, TRACE] }));
  assertStringIncludes(
    page,
    "<li><details open><summary><code>Db.find (file:///db.ts:10:5)</code></summary>" +
      ` <pre> 9    before\n<mark>10    ${HARMLESS}</mark>\n11    after</pre>`
        .trim() +
      "</details></li>",
  );
  assertStringIncludes(page, "<li><details><summary><code>run (");
  assertStringIncludes(page, `<li><code>ext:core ${HARMLESS}</code></li>`);
  assertEquals(page.split("<small>Caused by</small>").length, 2);
});

Deno.test("problemDetails() tells what RFC 9457 names, reference and time", () => {
  const time = "2026-01-02T03:04:05.678Z";
  assertEquals(
    problemDetails(fault({ status: 404, title: "Not Found", message: "No" })),
    {
      type: "about:blank",
      title: "Not Found",
      status: 404,
      detail: "No",
      time,
    },
  );
  const { detail, reference, traceback } = problemDetails(
    fault({ reference: "AB", traceback: [TRACE, TRACE] }),
  );
  assertEquals(reference, "AB");
  assertEquals(detail, "Something went wrong here. It is not your fault.");
  assert(Array.isArray(traceback));
  assertEquals(traceback.length, 8);
  assertEquals(traceback[0], `Error: ${EVIL}`);
  assertEquals(traceback[2], "    at Db.find (file:///db.ts:10:5)");
  assertEquals(traceback[4], `Caused by: Error: ${EVIL}`);
});

Deno.test("plainText() tells the same, a line each", () => {
  assertEquals(
    plainText(fault({ reference: "AB" })),
    "500 Internal Server Error\nSomething went wrong here. It is not your fault.\nReference: AB\nTime: 2026-01-02T03:04:05.678Z\n",
  );
  assertEquals(
    plainText(fault({ status: 200, title: "Hello", message: "Hi" })),
    "Hello\nHi\n",
  );
  assertStringIncludes(
    plainText(fault({ traceback: [TRACE] })),
    `Z\n\nError: ${EVIL}\n    at ext:core`,
  );
});

Deno.test("sentenceOf() knows one for every status", () => {
  for (let status = 400; status < 600; status++) {
    assertMatch(sentenceOf(fault({ status })), /^[A-Z].*\.$/);
  }
  assertEquals(sentenceOf(fault({ status: 404, message: "Mine" })), "Mine");
  assertEquals(sentenceOf(fault({ status: 200 })), "");
  assertEquals(
    sentenceOf(fault({ status: 418 })),
    sentenceOf(fault({ status: 400 })),
  );
});
