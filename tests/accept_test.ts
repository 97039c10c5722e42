import { assertEquals } from "@std/assert";
import { chooseForm } from "../src/accept.ts";
import { ask } from "./support/ask.ts";
import { HttpError } from "../mod.ts";

const FORMS = [
  ["text/html", "application/xhtml+xml"],
  ["application/problem+json", "application/json"],
  ["text/plain"],
];
const [HTML, JSON, TEXT, NONE] = [0, 1, 2, -1];

const CASES: [accept: string, form: number][] = [
  ["", HTML],
  [" ", HTML],
  ["*/*", HTML],
  ["text/html", HTML],
  ["TEXT/HTML", HTML],
  ["text/html;charset=utf-8", HTML],
  ["text/html;level=1;q=0.5, text/plain;q=0.4", HTML],
  ["application/xhtml+xml", HTML],
  [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    HTML,
  ],
  ["application/json", JSON],
  ["application/problem+json", JSON],
  ["application/*", HTML],
  ["application/json, text/plain, */*", JSON],
  ["application/json;q=0.9, */*;q=0.8", JSON],
  ["text/html;q=0.5, application/json", JSON],
  ["text/*", HTML],
  ["text/plain", TEXT],
  ["text/plain, */*;q=0.1", TEXT],
  ["text/plain ; q=0.5 , text/html ; q=0.4", TEXT],
  ["text/*, text/html;q=0", TEXT],
  ["*/*, text/html;q=0, application/xhtml+xml;q=0", JSON],
  ["*/*;q=0", NONE],
  ["text/html;q=0", NONE],
  ["text/html;q=0.000", NONE],
  ["image/png", NONE],
  ["image/png, */*;q=0.001", HTML],
  // Malformed ranges say nothing.
  ["text/html;q=2", NONE],
  ["text/html;q=-1", NONE],
  ["text/html;q=0.1234", NONE],
  ["text/html;q=", NONE],
  ["text/html;q=x, text/plain;q=0.1", TEXT],
  [",,;q=1,/,text,*", NONE],
  ['text/plain;x="a,b"', TEXT],
];

for (const [accept, form] of CASES) {
  Deno.test(`chooseForm() gives ${form} for "${accept}"`, () => {
    assertEquals(chooseForm(accept, FORMS), form);
  });
}

Deno.test("chooseForm() looks at 64 ranges at most", () => {
  const other = (n: number) => "image/png,".repeat(n);
  assertEquals(chooseForm(`${other(63)}text/plain`, FORMS), TEXT);
  assertEquals(chooseForm(`${other(64)}text/plain`, FORMS), NONE);
});

Deno.test("an error is answered in the form that the client asks for", async () => {
  for (
    const [accept, type] of [
      [undefined, "text/html; charset=utf-8"],
      ["text/html", "text/html; charset=utf-8"],
      ["application/json", "application/problem+json"],
      ["text/plain", "text/plain; charset=utf-8"],
      ["image/png", "text/plain; charset=utf-8"],
    ] as const
  ) {
    const { status, headers } = await ask(() => {
      throw new HttpError(404);
    }, { params: accept === undefined ? {} : { HTTP_ACCEPT: accept } });
    assertEquals([status, headers["content-type"], headers.vary], [
      404,
      type,
      "Accept",
    ]);
  }
});
