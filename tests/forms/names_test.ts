// The names that a client gives to fields and files are data, and its own.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ask, latin1 } from "../support/ask.ts";
import { askForm, Folder, MULTIPART, namesIn, parts } from "./asking.ts";

/** UTF-8, a character per byte. */
function utf8(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** What follows `form-data; ` in the header, and the names of field and file. */
const NAMES: [params: string, field: string, file: string][] = [
  ['name="f"; filename="a.txt"', "f", "a.txt"],
  ["name=f; filename=a.txt", "f", "a.txt"],
  ["name=f;filename=my file.txt;", "f", "my file.txt"],
  ['filename="a";;  ;name="f" ;', "f", "a"],
  // Names that are paths somewhere.
  ['name="f"; filename="../../etc/passwd"', "f", "../../etc/passwd"],
  ['name="f"; filename="/etc/passwd"', "f", "/etc/passwd"],
  ['name="f"; filename=".."', "f", ".."],
  ['name="f"; filename="C:\\dir\\a.txt"', "f", "C:\\dir\\a.txt"],
  ['name="f"; filename="\\\\host\\share"', "f", "\\host\\share"],
  ['name="f"; filename="a\0b"', "f", "a\0b"],
  ['name="f"; filename="a\x1b[2J"', "f", "a\x1b[2J"],
  ['name="../f"; filename="a"', "../f", "a"],
  // What web browsers escape, and what they do not.
  ['name="a%22b"; filename="%22%0D%0a%22"', 'a"b', '"\r\n"'],
  ['name="f"; filename="%00%2e%2E%2f%25"', "f", "%00%2e%2E%2f%25"],
  ['name="f"; filename="a;b=c; d"', "f", "a;b=c; d"],
  ['name="f"; filename="a\\"', "f", "a\\"],
  ['filename="a\\"; name="f"', "f", "a\\"],
  // What other clients escape.
  ['name="f"; filename="a \\"b\\" \\\\ c"', "f", 'a "b" \\ c'],
  // Other ways to write what is not ASCII.
  [`name="${utf8("é")}"; filename="${utf8("日本 €.txt")}"`, "é", "日本 €.txt"],
  ['name="f"; filename="caf\xe9"', "f", "café"],
  [
    'name="f"; filename="=?UTF-8?Q?caf=C3=A9?="',
    "f",
    "=?UTF-8?Q?caf=C3=A9?=",
  ],
  ['name="f"; filename="=C3=A9"', "f", "=C3=A9"],
  ["name=\"f\"; filename*=UTF-8''caf%C3%A9%22", "f", 'café"'],
  ["name=f; filename=\"x\"; filename*=utf-8'en'caf%C3%A9", "f", "café"],
  ["name=f; filename*=iso-8859-1''caf%E9; filename=x", "f", "café"],
  ["name=f; filename=x; filename*=UTF-8''%E9", "f", "x"],
  ["name=f; filename=x; filename*=none''y", "f", "x"],
  ["name=f; filename=x; filename*=y", "f", "x"],
  ["name=f; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "f", "../../etc/passwd"],
];

for (const [params, field, name] of NAMES) {
  Deno.test(`form() reads the names of ${JSON.stringify(params)}`, async () => {
    const { form, error, left } = await askForm(
      parts(`Content-Disposition: form-data; ${params}\n\nx`),
    );
    assertEquals(error, null);
    assertEquals(form?.files, [[field, name, "application/octet-stream", "x"]]);
    assertEquals(left, []);
  });
}

Deno.test("form() refuses a file whose only name is not readable", async () => {
  for (const name of ["UTF-8''%E9", "none''x", "x", "UTF-8''%4"]) {
    const { status, error, stored } = await askForm(
      parts(`Content-Disposition: form-data; name=f; filename*=${name}\n\nx`),
    );
    assertEquals([status, stored], [400, []], name);
    assertMatch(String(error), /a file has the name /);
  }
});

Deno.test("form() stores files under names that no client chose, for nobody else to read", async () => {
  await using folder = new Folder();
  const names = ["../../a", "/a", "a", "a", ".\\a", "a\0"];
  const body = parts(
    ...names.map((name) =>
      `Content-Disposition: form-data; name=f; filename="${name}"\n\nx`
    ),
  );
  const paths: string[] = [];
  await ask(async (request) => {
    const { files } = await request.form({ directory: folder.path });
    for (const [, { path }] of files) {
      paths.push(path);
      assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    }
    assertEquals(namesIn(folder.path).length, names.length);
  }, { body, params: { CONTENT_TYPE: MULTIPART } });
  assertEquals(new Set(paths).size, names.length);
  const random = /\/smisk-upload-([0-9a-f]{10,})$/;
  for (const path of paths) {
    assert(path.startsWith(`${folder.path}/`), path);
    assertMatch(path, random);
  }
});

Deno.test("files of a form are found by the name of their field", async () => {
  const found: unknown[] = [];
  await ask(async (request) => {
    const { files } = await request.form();
    found.push(
      files.size,
      files.get("f")?.name,
      files.getAll("f").map(({ name }) => name),
      files.get("__proto__")?.name,
      files.get("toString"),
      files.getAll("none"),
      [...files].map(([field, { name }]) => `${field}=${name}`),
    );
  }, {
    body: parts(
      ...["f", "g", "f", "__proto__"].map((field, i) =>
        `Content-Disposition: form-data; name="${field}"; filename="${i}"\n\nx`
      ),
    ),
    params: { CONTENT_TYPE: MULTIPART },
  });
  assertEquals(found, [
    4,
    "0",
    ["0", "2"],
    "3",
    null,
    [],
    ["f=0", "g=1", "f=2", "__proto__=3"],
  ]);
});

Deno.test("form() reads a boundary that is quoted, or has odd characters", async () => {
  for (
    const [written, boundary] of [
      ['"b c"', "b c"],
      ["'()+_,-./:=?", "'()+_,-./:=?"],
      ['"a\\"b"', 'a"b'],
      ["b".repeat(70), "b".repeat(70)],
      ["b; charset=utf-8", "b"],
    ]
  ) {
    const { form, error } = await askForm(
      latin1(
        `--${boundary}\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--${boundary}--`,
      ),
      { type: `Multipart/Form-Data; Boundary=${written}` },
    );
    assertEquals([error, form?.fields], [null, [["a", "1"]]], written);
  }
});

Deno.test("form() answers 400 where there is no boundary, or none that can be", async () => {
  for (
    const params of [
      "",
      ";",
      "; boundary",
      "; boundary=",
      '; boundary=""',
      '; boundary="b',
      '; boundary="b "',
      "; boundary=b; boundary=c",
      "; boundary=é",
      `; boundary=${"b".repeat(71)}`,
      `; boundary="${"\\".repeat(5000)}`,
    ]
  ) {
    const { status, text } = await askForm(parts(), {
      type: `multipart/form-data${params}`,
    });
    assertEquals(status, 400, params);
    assertMatch(text, /Cannot read the form: its Content-Type /, params);
  }
});
