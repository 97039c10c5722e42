// Multipart forms, as vectors: what each kind of part and of body comes to,
// however it is cut.

import { assert, assertEquals } from "@std/assert";
import { randomCuts } from "../support/deliver.ts";
import { latin1 } from "../support/ask.ts";
import { seeded, whole } from "../support/random.ts";
import { askForm, field, file, Folder, namesIn, parts } from "./asking.ts";
import type { SeenForm } from "./asking.ts";
import { deliverForm } from "./deliver_form.ts";

const EMPTY: SeenForm = { fields: [], files: [] };

/** Forms that can be read. */
const READ: [name: string, body: Uint8Array | string, form: SeenForm][] = [
  ["of nothing", parts(), EMPTY],
  ["of nothing, without a last line end", "--b--", EMPTY],
  [
    "of fields, in order and repeated",
    parts(field("a", "1"), field("b", "2"), field("a", "3")),
    { fields: [["a", "1"], ["b", "2"], ["a", "3"]], files: [] },
  ],
  ["of an empty field", parts(field("a", "")), {
    fields: [["a", ""]],
    files: [],
  }],
  ["of a field without a name", parts(field("", "x")), {
    fields: [["", "x"]],
    files: [],
  }],
  [
    "of a file and a field",
    parts(file("f", "a.txt", "content", "text/html"), field("a", "1")),
    { fields: [["a", "1"]], files: [["f", "a.txt", "text/html", "content"]] },
  ],
  [
    "of two files of one field",
    parts(file("f", "a", "1"), file("f", "b", "2")),
    {
      fields: [],
      files: [["f", "a", "text/plain", "1"], ["f", "b", "text/plain", "2"]],
    },
  ],
  ["of an empty file", parts(file("f", "a", "")), {
    fields: [],
    files: [["f", "a", "text/plain", ""]],
  }],
  ["of a file input in which nothing was chosen", parts(file("f", "", "")), {
    fields: [],
    files: [],
  }],
  ["of a file without a name", parts(file("f", "", "x")), {
    fields: [],
    files: [["f", "", "text/plain", "x"]],
  }],
  [
    "of a file without a type",
    parts('Content-Disposition: form-data; name="f"; filename="a"\n\nx'),
    { fields: [], files: [["f", "a", "application/octet-stream", "x"]] },
  ],
  [
    "with line ends of all kinds in what it holds",
    parts(field("a", "\r\n1\r\r\n2\n\n\r\n"), file("f", "a", "\r\n\r\n")),
    {
      fields: [["a", "\r\n1\r\r\n2\n\n\r\n"]],
      files: [["f", "a", "text/plain", "\r\n\r\n"]],
    },
  ],
  [
    "with what is nearly the boundary",
    parts(
      field("a", "\r\n--\r\n-b\r\n--a\r\n-\r\n--\r--b\n--b"),
      file("f", "a", "x--b\r\n-\r\n--c--b--\r\n--\r\n"),
    ),
    {
      fields: [["a", "\r\n--\r\n-b\r\n--a\r\n-\r\n--\r--b\n--b"]],
      files: [["f", "a", "text/plain", "x--b\r\n-\r\n--c--b--\r\n--\r\n"]],
    },
  ],
  [
    "with something before and behind it",
    new Uint8Array([
      ...latin1("what no\r\nclient sends\r\n"),
      ...parts(field("a", "1")),
      ...latin1("nor\r\nthis\r\n--b\r\nContent-Disposition: form-data\r\n\r\n"),
    ]),
    { fields: [["a", "1"]], files: [] },
  ],
  [
    "with header names of any case, and folded lines",
    parts(
      'CONTENT-disposition: Form-Data;\n\tName="a"; FILENAME="b"\ncontent-TYPE:\n text/html\n\nx',
    ),
    { fields: [], files: [["a", "b", "text/html", "x"]] },
  ],
  [
    "with headers that mean nothing",
    parts(
      `X-Other: 1\n${field("a", "1")}`,
      `Content-Length: 99\n${field("b", "2")}`,
    ),
    { fields: [["a", "1"], ["b", "2"]], files: [] },
  ],
  [
    "with encodings that encode nothing",
    parts(
      `Content-Transfer-Encoding: binary\n${field("a", "=41")}`,
      `Content-Transfer-Encoding: 8BIT\n${field("b", "QQ==")}`,
      `Content-Transfer-Encoding: 7bit\n${field("c", "%41")}`,
    ),
    { fields: [["a", "=41"], ["b", "QQ=="], ["c", "%41"]], files: [] },
  ],
  [
    "within it, which is the text of a field",
    parts(
      `Content-Type: multipart/mixed; boundary=c\n${
        field(
          "a",
          '--c\r\nContent-Disposition: file; filename="x"\r\n\r\n1\r\n--c--',
        )
      }`,
    ),
    {
      fields: [[
        "a",
        '--c\r\nContent-Disposition: file; filename="x"\r\n\r\n1\r\n--c--',
      ]],
      files: [],
    },
  ],
  [
    "of names that objects have",
    parts(field("__proto__", "1"), file("constructor", "__proto__", "2")),
    {
      fields: [["__proto__", "1"]],
      files: [["constructor", "__proto__", "text/plain", "2"]],
    },
  ],
];

/** Forms that cannot. */
const MALFORMED: [name: string, body: Uint8Array | string, why: string][] = [
  ["nothing at all", "", "it does not end with its boundary"],
  ["no boundary", "a=1&b=2", "it does not end with its boundary"],
  ["another boundary", "--c\r\n\r\n--c--", "it does not end with its boundary"],
  [
    "no last boundary",
    parts(field("a", "1"), file("f", "a", "x")).subarray(0, -7),
    "it does not end with its boundary",
  ],
  [
    "half of the last boundary",
    parts(field("a", "1"), file("f", "a", "x")).subarray(0, -3),
    "it does not end with its boundary",
  ],
  [
    "the end amid a header",
    parts(field("a", "1"), field("b", "2")).subarray(0, -35),
    "the header of a part does not end",
  ],
  [
    "a header that does not end",
    '--b\r\nContent-Disposition: form-data; name="a"\r\n--b--',
    "the header of a part does not end",
  ],
  [
    "a header of line feeds alone",
    '--b\nContent-Disposition: form-data; name="a"\n\n1\r\n--b--',
    "the header of a part does not end",
  ],
  [
    "a part without a header",
    "--b\r\n\r\n1\r\n--b--",
    "a part has no Content-Disposition of form-data with a name",
  ],
  [
    "a part without a name",
    parts("Content-Disposition: form-data\n\nx"),
    "a part has no Content-Disposition of form-data with a name",
  ],
  [
    "a file without the name of a field",
    parts('Content-Disposition: form-data; filename="a"\n\nx'),
    "a part has no Content-Disposition of form-data with a name",
  ],
  [
    "a part of another disposition",
    parts('Content-Disposition: attachment; name="a"\n\nx'),
    "a part has no Content-Disposition of form-data with a name",
  ],
  [
    "a name that is there twice",
    parts('Content-Disposition: form-data; name="a"; name="b"\n\nx'),
    "a part has no Content-Disposition of form-data with a name",
  ],
  [
    "a name whose quote does not end",
    parts('Content-Disposition: form-data; name="a\n\nx'),
    "a part has no Content-Disposition of form-data with a name",
  ],
  [
    "a header line that is none",
    parts('nonsense\nContent-Disposition: form-data; name="a"\n\nx'),
    "a part has no Content-Disposition of form-data with a name",
  ],
];

for (const [name, body, form] of READ) {
  Deno.test(`form() reads a multipart form ${name}`, async () => {
    const asked = await askForm(body);
    assertEquals([asked.error, asked.form], [null, form]);
    assertEquals(asked.left, []);
  });
}

for (const [name, body, why] of MALFORMED) {
  Deno.test(`form() answers 400 for a multipart form with ${name}`, async () => {
    // As it came whole, with a good part in front, which is stored.
    const good = parts(file("f", "good", "x".repeat(100_000)));
    for (const before of [new Uint8Array(0), good.subarray(0, -7)]) {
      const bytes = typeof body === "string" ? latin1(body) : body;
      const asked = await askForm(new Uint8Array([...before, ...bytes]));
      assertEquals(asked.status, 400);
      assertEquals(
        (asked.error as Error).message,
        `Cannot read the form: ${why}`,
      );
      assertEquals([asked.stored, asked.left], [[], []]);
    }
  });
}

Deno.test("form() reads the same of a multipart form, wherever it is cut", async () => {
  await using folder = new Folder();
  const all = [...READ, ...MALFORMED];
  for (const [name, body, expected] of all) {
    const bytes = typeof body === "string" ? latin1(body) : body;
    const wanted = typeof expected === "string"
      ? `Cannot read the form: ${expected}`
      : expected;
    const check = async (cuts: number[], how: string) => {
      const found = await deliverForm(bytes, cuts, folder.path);
      assertEquals(found, wanted, `${name}, ${how}`);
    };
    const everywhere = Array.from({ length: bytes.length }, (_, i) => i);
    for (const at of everywhere) await check([at], `cut at ${at}`);
    await check(everywhere, "byte by byte");
    for (let seed = 1; seed <= 3; seed++) {
      const cuts = randomCuts(seeded(seed), bytes.length);
      await check(cuts, `in random pieces ${seed}`);
    }
  }
  assertEquals(namesIn(folder.path), []);
});

Deno.test("form() reads many parts, each cut in its header", async () => {
  await using folder = new Folder();
  const content = "x".repeat(100_000);
  const all = Array.from({ length: 15 }, (_, i) => `${i}`);
  const body = parts(...all.map((name) => file("f", name, content)));
  const length = parts(file("f", "0", content)).length - 7;
  const cuts = all.map((_, i) => i * length + 20);
  const form = await deliverForm(body, cuts, folder.path);
  assert(typeof form !== "string", String(form));
  const found = form.files.map(([, name, , { length }]) => `${name} ${length}`);
  assertEquals(found, all.map((name) => `${name} 100000`));
});

Deno.test("form() finds a long boundary in what is made of pieces of it", async () => {
  await using folder = new Folder();
  const boundary = "-----------------------------42--b";
  const random = seeded(7);
  for (let i = 0; i < 40; i++) {
    let content = "";
    while (content.length < 3_000) {
      const start = whole(random, 0, 3);
      const end = whole(random, start, boundary.length + 3);
      content += `\r\n--${boundary}`.slice(start, end);
    }
    const body = latin1(
      `--${boundary}\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n` +
        `Content-Type: a/b\r\n\r\nx${content}\r\n--${boundary}--\r\n`,
    );
    const cuts = randomCuts(random, body.length);
    assertEquals(await deliverForm(body, cuts, folder.path, boundary), {
      fields: [],
      files: [["f", "a", "a/b", `x${content}`]],
    });
  }
});
