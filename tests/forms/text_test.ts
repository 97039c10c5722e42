// The text of forms and queries: which charset it is read in, and what becomes
// of what is not of it.

import { assertEquals, assertMatch } from "@std/assert";
import type { FastCgiError } from "../../mod.ts";
import { ask, askOn } from "../support/ask.ts";
import { Running } from "../support/running.ts";
import { askForm, field, MULTIPART, parts, URLENCODED } from "./asking.ts";
import type { FormQuestion } from "./asking.ts";

type Pairs = [string, string][];

/** Urlencoded text, and its pairs. */
const PAIRS: [body: string, pairs: Pairs][] = [
  ["", []],
  ["&&", []],
  ["a=1&b=2&a=3", [["a", "1"], ["b", "2"], ["a", "3"]]],
  ["a", [["a", ""]]],
  ["=1&=", [["", "1"], ["", ""]]],
  ["a=b=c", [["a", "b=c"]]],
  ["a+b=c+d%2B", [["a b", "c d+"]]],
  ["a=%", [["a", "%"]]],
  ["a=%4&b=%zz%4", [["a", "%4"], ["b", "%zz%4"]]],
  ["%61%3D=%26", [["a=", "&"]]],
  ["a=%00%0d%0a", [["a", "\0\r\n"]]],
  ["a=1;b=2\r\n", [["a", "1;b=2\r\n"]]],
  ["a=caf%C3%A9", [["a", "café"]]],
  ["a=caf\xc3\xa9", [["a", "café"]]],
  ["a=%EF%BB%BF1", [["a", "\uFEFF1"]]],
  ["__proto__=1&constructor=2", [["__proto__", "1"], ["constructor", "2"]]],
];

for (const [body, pairs] of PAIRS) {
  Deno.test(`form() reads the urlencoded ${JSON.stringify(body)}`, async () => {
    for (const length of [String(body.length), ""]) {
      const { form, error, left } = await askForm(body, {
        type: URLENCODED,
        params: { CONTENT_LENGTH: length, REQUEST_METHOD: "POST" },
      });
      assertEquals([error, form], [null, { fields: pairs, files: [] }]);
      assertEquals(left, []);
    }
  });
}

/** Forms in some charset, and what `a` is, in both kinds. */
const CHARSETS: [
  name: string,
  setUp: FormQuestion & { field?: string; param?: string },
  bytes: string,
  text: string,
][] = [
  ["UTF-8 by default", {}, "\xe2\x82\xac", "€"],
  ["ISO-8859-1 where it is no UTF-8", {}, "caf\xe9", "café"],
  ["ISO-8859-1 where it ends amid a character", {}, "\xe2\x82", "â‚"],
  ["the application's charset", { charset: "iso-8859-15" }, "\xa4", "€"],
  ["that of the Content-Type", { param: "iso-8859-15" }, "\xa4", "€"],
  ["that of _charset_", { field: "windows-1251" }, "\xe9", "й"],
  [
    "that of _charset_ before all others",
    { field: "UTF-8", param: "iso-8859-15", charset: "windows-1251" },
    "\xe2\x82\xac",
    "€",
  ],
  [
    "that of the Content-Type before the application's",
    { param: "utf-8", charset: "windows-1251" },
    "\xe2\x82\xac",
    "€",
  ],
  [
    "one of several bytes a character",
    { field: "shift_jis" },
    "\x93\xfa",
    "日",
  ],
  [
    "the next where one is unknown",
    { field: "none", param: "x-none", charset: "iso-8859-15" },
    "\xa4",
    "€",
  ],
];

for (const [name, { field: named, param, ...setUp }, bytes, text] of CHARSETS) {
  Deno.test(`form() reads text in ${name}`, async () => {
    const suffix = param === undefined ? "" : `; charset=${param}`;
    const fields: Pairs = [["a", text], ["b", ""]];
    if (named !== undefined) fields.push(["_charset_", named]);
    const multipart = await askForm(
      parts(
        field("a", bytes),
        field("b", ""),
        ...named === undefined ? [] : [field("_charset_", named)],
        `Content-Disposition: form-data; name="${bytes}"; filename="${bytes}"\n\nx`,
      ),
      { ...setUp, type: MULTIPART + suffix },
    );
    assertEquals(multipart.error, null);
    assertEquals(multipart.form, {
      fields,
      files: [[text, text, "application/octet-stream", "x"]],
    });
    const urlencoded = await askForm(
      `a=${bytes}&b=${named === undefined ? "" : `&_charset_=${named}`}`,
      { ...setUp, type: URLENCODED + suffix },
    );
    assertEquals(urlencoded.error, null);
    assertEquals(urlencoded.form?.fields, fields);
  });
}

Deno.test("form() reads a part in the charset of its own", async () => {
  const { form } = await askForm(
    parts(
      `Content-Type: text/plain; charset=iso-8859-15\n${field("a", "\xa4")}`,
      `Content-Type: text/plain; charset="utf-8"\n${
        field("b", "\xe2\x82\xac")
      }`,
      `Content-Type: text/plain; charset=none\n${field("c", "\xe9")}`,
      `Content-Type: ;;=\n${field("d", "\xe9")}`,
      field("_charset_", "windows-1251"),
    ),
  );
  assertEquals(form?.fields, [
    ["a", "€"],
    ["b", "€"],
    ["c", "й"],
    ["d", "й"],
    ["_charset_", "windows-1251"],
  ]);
});

Deno.test("form() refuses text that is not of its charset, where not tolerant", async () => {
  const type = URLENCODED;
  const refused: [body: string | Uint8Array, question: FormQuestion][] = [
    ["a=caf%E9", { type }],
    ["caf%E9=1", { type }],
    ["a=%E2%82", { type }],
    ["a=%AA", { type, charset: "windows-1253" }],
    ["a=%80", { type: `${type}; charset=none` }],
    ["a=1&_charset_=none", { type }],
    [parts(field("a", "caf\xe9")), {}],
    [parts(field("\xe9", "")), {}],
    [parts(field("a", ""), field("_charset_", "none")), {}],
    [parts(`Content-Type: text/plain; charset=none\n${field("a", "")}`), {}],
    [
      parts('Content-Disposition: form-data; name=f; filename="\xe9"\n\nx'),
      {},
    ],
  ];
  for (const [body, question] of refused) {
    const { status, error, text, stored, left } = await askForm(body, {
      ...question,
      tolerant: false,
    });
    assertEquals([status, (error as FastCgiError).code], [
      400,
      "TEXT_UNDECODABLE",
    ]);
    assertMatch(text, /Cannot read the text of the form: it/);
    assertEquals([stored, left], [[], []]);
  }
  const good = await askForm("a=caf%C3%A9&_charset_=", {
    type,
    tolerant: false,
  });
  assertEquals(good.form?.fields, [["a", "café"], ["_charset_", ""]]);
});

/** The query of a request as a service sees it. */
async function queryOf(
  query: string,
  options: FormQuestion = {},
): Promise<{ status: number; pairs: Pairs; isSame: boolean }> {
  let pairs: Pairs = [];
  let isSame = false;
  const { status } = await ask(
    (request) => {
      pairs = [...request.query];
      isSame = request.query === request.query;
    },
    { params: { REQUEST_URI: `/?${query}`, QUERY_STRING: query } },
    options,
  );
  return { status, pairs, isSame };
}

Deno.test("query is read in the application's charset", async () => {
  const read: [query: string, options: FormQuestion, pairs: Pairs][] = [
    ["a=1&b=+%2B", {}, [["a", "1"], ["b", " +"]]],
    ["a=caf%C3%A9&%C3%A9=%41", {}, [["a", "café"], ["é", "A"]]],
    ["a=caf%E9", {}, [["a", "café"]]],
    ["a=%E9&b=%C3%A9", {}, [["a", "é"], ["b", "é"]]],
    ["a=%A4&b=1", { charset: "iso-8859-15" }, [["a", "€"], ["b", "1"]]],
    ["a=%E9&_charset_=utf-16le", {}, [["a", "é"], ["_charset_", "utf-16le"]]],
    ["a=%E9#%E8", {}, [["a", "é#è"]]],
  ];
  for (const [query, options, pairs] of read) {
    assertEquals(
      await queryOf(query, options),
      { status: 200, pairs, isSame: true },
      query,
    );
  }
});

Deno.test("query that is not of the charset is answered 400, where not tolerant", async () => {
  assertEquals((await queryOf("a=caf%E9", { tolerant: false })).status, 400);
  assertEquals(await queryOf("a=caf%C3%A9&b=%20", { tolerant: false }), {
    status: 200,
    pairs: [["a", "café"], ["b", " "]],
    isSame: true,
  });
});

Deno.test("charset and tolerant can be changed while an application serves", async () => {
  const seen: string[] = [];
  await using running = new Running((request) => {
    seen.push(request.query.get("a")!);
  });
  using peer = await running.connect();
  const question = { params: { REQUEST_URI: "/?a=%A4" } };
  await askOn(peer, question);
  running.app.charset = "iso-8859-15";
  await askOn(peer, question);
  running.app.charset = "utf-8";
  running.app.tolerant = false;
  assertEquals((await askOn(peer, question)).status, 400);
  assertEquals(seen, ["¤", "€"]);
});
