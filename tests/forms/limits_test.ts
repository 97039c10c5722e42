// What is refused of a form, with which status, and that nothing of it stays on
// disk.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FastCgiError, LimitError } from "../../mod.ts";
import type { FormOptions } from "../../mod.ts";
import { ask, askOn } from "../support/ask.ts";
import { Running } from "../support/running.ts";
import { within } from "../support/peer.ts";
import { request } from "../support/wire.ts";
import {
  askForm,
  field,
  file,
  MULTIPART,
  parts,
  URLENCODED,
} from "./asking.ts";
import type { AskedForm, FormQuestion } from "./asking.ts";

/** Checks that a form was refused for a limit. */
function assertLimited(
  asked: AskedForm,
  code: string,
  limit: number,
  actual: number,
): void {
  const { error, status, text, stored, left } = asked;
  assert(error instanceof LimitError, String(error));
  assertEquals([error.code, error.limit, error.actual, error.status], [
    code,
    limit,
    actual,
    413,
  ]);
  assertEquals([status, stored, left], [413, [], []]);
  assertMatch(text, new RegExp(`${limit}\\b`));
}

/** With the length announced, and without. */
const LENGTHS: FormQuestion[] = [{}, {
  params: { CONTENT_LENGTH: "", REQUEST_METHOD: "POST" },
}];

Deno.test("maxFormBytes refuses an urlencoded form that is larger", async () => {
  const type = URLENCODED;
  for (const announced of LENGTHS) {
    const question = { ...announced, type, maxFormBytes: 10 };
    const { form } = await askForm("a=12345678", question);
    assertEquals(form?.fields, [["a", "12345678"]]);
    assertLimited(
      await askForm("a=123456789", question),
      "FORM_TOO_LARGE",
      10,
      11,
    );
  }
});

Deno.test("maxFormBytes refuses a multipart form whose names and text are more", async () => {
  const body = parts(field("ab", "1234"), file("f", "a", "x".repeat(99), "t"));
  const { form } = await askForm(body, { maxFormBytes: 9 });
  assertEquals(form?.fields, [["ab", "1234"]]);
  assertLimited(
    await askForm(body, { maxFormBytes: 8 }),
    "FORM_TOO_LARGE",
    8,
    9,
  );
  const large = parts(
    file("f", "a", "x".repeat(99)),
    field("a", "x".repeat(99)),
  );
  const { error, stored } = await askForm(large, { maxFormBytes: 50 });
  assert(error instanceof LimitError);
  assertEquals([error.code, stored], ["FORM_TOO_LARGE", []]);
});

Deno.test("maxUploadBytes refuses a multipart form that is larger", async () => {
  const body = parts(file("f", "a", "x".repeat(100_000)));
  const { length } = body;
  for (const announced of LENGTHS) {
    const { form } = await askForm(body, {
      ...announced,
      maxUploadBytes: length,
    });
    assertEquals(form?.files[0]?.[3].length, 100_000);
    assertLimited(
      await askForm(body, { ...announced, maxUploadBytes: length - 1 }),
      "UPLOAD_TOO_LARGE",
      length - 1,
      length,
    );
  }
});

Deno.test("maxUploadBytes refuses what is announced before it comes", async () => {
  await using running = new Running(async (request) => {
    await request.form();
  }, { maxUploadBytes: 1000 });
  using peer = await running.connect();
  const bytes = request({
    body: "x".repeat(1001),
    params: { CONTENT_TYPE: MULTIPART },
  });
  await peer.send(bytes.subarray(0, -1009));
  // FCGI_STDOUT, while nothing of the body has come.
  await peer.until(({ type }) => type === 6, "the answer");
  await peer.send(bytes.subarray(-1009));
  assertEquals((await peer.answer()).status, 413);
});

Deno.test("maxFormParts refuses a form of more fields and files", async () => {
  const three = [field("a", "1"), file("f", "a", "x"), file("g", "", "")];
  const { form } = await askForm(parts(...three), { maxFormParts: 3 });
  assertEquals([form?.fields.length, form?.files.length], [1, 1]);
  assertLimited(
    await askForm(parts(...three), { maxFormParts: 2 }),
    "TOO_MANY_PARTS",
    2,
    3,
  );
  const type = URLENCODED;
  const pairs = await askForm("a&b&&c&", { type, maxFormParts: 3 });
  assertEquals(pairs.form?.fields.length, 3);
  assertLimited(
    await askForm("a&b&&c&", { type, maxFormParts: 2 }),
    "TOO_MANY_PARTS",
    2,
    3,
  );
});

Deno.test("the limits of forms are 10 MiB, 2 GiB and 1,000", async () => {
  const fields = (count: number) => "a&".repeat(count);
  const type = URLENCODED;
  assertEquals((await askForm(fields(1000), { type })).status, 200);
  assertLimited(
    await askForm(fields(1001), { type }),
    "TOO_MANY_PARTS",
    1000,
    1001,
  );
  const most = 10 * 1024 * 1024;
  const text = new Uint8Array(most + 1).fill(97);
  assertEquals((await askForm(text.subarray(1), { type })).status, 200);
  assertLimited(
    await askForm(text, { type }),
    "FORM_TOO_LARGE",
    most,
    most + 1,
  );
  const upload = 2 * 1024 ** 3;
  assertLimited(
    await askForm(parts(), { params: { CONTENT_LENGTH: String(upload + 1) } }),
    "UPLOAD_TOO_LARGE",
    upload,
    upload + 1,
  );
});

Deno.test("form() takes limits for one form, and refuses what is none", async () => {
  const body = parts(field("a", "1"), field("b", "2"));
  const strict = { maxFormBytes: 0, maxUploadBytes: 0, maxFormParts: 0 };
  const form = { maxFormBytes: 4, maxUploadBytes: 999, maxFormParts: 2 };
  const { error } = await askForm(body, { ...strict, form });
  assertEquals(error, null);
  const stricter: FormOptions[] = [
    { maxFormBytes: 3 },
    { maxUploadBytes: 99 },
    { maxFormParts: 1 },
  ];
  for (const form of stricter) {
    assertEquals((await askForm(body, { form })).status, 413);
  }
  for (const maxFormParts of [-1, 1.5, NaN]) {
    const { error, status } = await askForm(body, { form: { maxFormParts } });
    assert(error instanceof RangeError);
    assertEquals(status, 500);
  }
});

Deno.test("form() refuses a header of a part that is too long, wherever its length is", async () => {
  const long = "x".repeat(16 * 1024);
  const heads = [
    `Content-Disposition: form-data; name="${long}"\n\n1`,
    `${field("a", "1").slice(0, -3)}; filename="${long}"\n\n1`,
    `X: ${long}\n${field("a", "1")}`,
    `${"X: y\n".repeat(2000)}X: ${long}\n${field("a", "1")}`,
    `X: ${long.repeat(100)}\n${field("a", "1")}`,
  ];
  for (const head of heads) {
    const { status, error, stored } = await askForm(
      parts(file("f", "a", "x"), head),
    );
    assertEquals([status, stored], [400, []]);
    assertMatch(
      String(error),
      /the header of a part is longer than 16384 bytes|no Content-Disposition/,
    );
  }
  const longest = "x".repeat(16 * 1024 - 52);
  const { form } = await askForm(
    parts(`Content-Disposition: form-data; name="${longest}"\n\n1`),
  );
  assertEquals(form?.fields[0]?.[0].length, longest.length);
});

Deno.test("form() gives up on the header of a part before the body ends", async () => {
  const head = '--b\r\nContent-Disposition: form-data; name="a"\r\nX: ';
  const { status, error } = await askForm(head + "x".repeat(3_000_000));
  assertEquals(status, 400);
  assertMatch(String(error), /longer than 16384 bytes/);
});

Deno.test("form() answers 415 for any other media type", async () => {
  const types = [
    "text/plain",
    "application/json; charset=utf-8",
    "multipart/mixed; boundary=b",
    "multipart/form-data-x; boundary=b",
    "application/x-www-form-urlencodedx",
    "text/html; x",
    "<script>",
    null,
  ];
  for (const type of types) {
    const { status, error, text } = await askForm("a=1", { type });
    assert(error instanceof FastCgiError);
    assertEquals([status, error.code], [415, "UNSUPPORTED_FORM"], String(type));
    assertMatch(text, /Cannot read the form: it/);
    assert(!text.includes("<script>"), text);
  }
});

Deno.test("form() answers 415 for a part that is encoded", async () => {
  for (const encoding of ["base64", "Quoted-Printable", "x-own"]) {
    const { status, text, stored } = await askForm(
      parts(
        file("f", "a", "x"),
        `Content-Transfer-Encoding: ${encoding}\n${file("f", "a", "eA==")}`,
      ),
    );
    assertEquals([status, stored], [415, []]);
    assertMatch(text, new RegExp(encoding));
  }
});

Deno.test("form() of a request with neither body nor Content-Type is empty", async () => {
  for (const params of [{}, { CONTENT_TYPE: "" }, { CONTENT_LENGTH: "0" }]) {
    const { error, form } = await askForm("", { type: null, params });
    assertEquals([error, form], [null, { fields: [], files: [] }]);
  }
});

Deno.test("form() fails where the body is shorter than announced", async () => {
  const body = parts(file("f", "a", "x".repeat(1000)));
  for (const type of [MULTIPART, URLENCODED]) {
    const { status, error, stored, left } = await askForm(body, {
      type,
      params: { CONTENT_LENGTH: "9999" },
    });
    assertEquals([status, stored, left], [400, [], []]);
    assertEquals((error as FastCgiError).code, "BODY_TRUNCATED");
  }
});

Deno.test("form() reads the body once, and is the same form each time", async () => {
  const body = parts(field("a", "1"), file("f", "a", "x"));
  const params = { CONTENT_TYPE: MULTIPART };
  const { status } = await ask(async (request) => {
    const form = await request.form();
    assert(await request.form() === form);
    assert(await request.form({ maxFormBytes: 0 }) === form);
    await assertRejects(() => request.bytes(), TypeError, "read already");
    await assertRejects(() => request.formData(), TypeError, "read already");
    await form.files.get("f")!.stream().cancel();
  }, { body, params });
  assertEquals(status, 200);
});

Deno.test("form() fails where the body was read before, and again each time", async () => {
  const body = parts(field("a", "1"));
  const params = { CONTENT_TYPE: MULTIPART };
  const { status } = await ask(async (request) => {
    await request.bytes();
    await assertRejects(() => request.form(), TypeError, "read already");
    await assertRejects(() => request.form(), TypeError, "read already");
  }, { body, params });
  assertEquals(status, 200);
  const { status: second } = await ask(async (request) => {
    await request.body.getReader().read();
    await request.form();
  }, { body, params });
  assertEquals(second, 500);
});

Deno.test("form() that nobody awaits crashes nothing", async () => {
  await using running = new Running((request, response) => {
    request.form();
    response.write("answered");
  });
  using peer = await running.connect();
  for (const type of [MULTIPART, URLENCODED, "text/plain"]) {
    const { text } = await askOn(peer, {
      body: "a".repeat(100_000),
      params: { CONTENT_TYPE: type },
    });
    assertEquals(text, "answered");
  }
});

Deno.test("form() that fails leaves the connection to other requests", async () => {
  await using running = new Running(async (request, response) => {
    if (request.url.pathname === "/form") {
      await assertRejects(() => request.form(), FastCgiError);
      // Its body is not in the way of what comes behind it.
      await within(overtaken.promise, "the other request");
    } else {
      response.write("overtaken");
      overtaken.resolve();
    }
  });
  const overtaken = Promise.withResolvers<void>();
  using peer = await running.connect();
  await peer.send(
    request({
      id: 1,
      body: new Uint8Array(3_000_000),
      params: { CONTENT_TYPE: "text/plain", REQUEST_URI: "/form" },
    }),
    request({ id: 2 }),
  );
  assertEquals((await peer.answer(2)).text, "overtaken");
  assertEquals((await peer.answer(1)).status, 200);
});

Deno.test("formData() is bounded by the limits of forms", async () => {
  const read = (body: string | Uint8Array, question: FormQuestion) => {
    const { type = MULTIPART, params, ...options } = question;
    let error: unknown = null;
    return ask(
      async (request) => {
        try {
          await request.formData();
        } catch (thrown) {
          error = thrown;
          throw thrown;
        }
      },
      { body, params: { CONTENT_TYPE: type!, ...params } },
      options,
    ).then(({ status }) => [status, (error as LimitError | null)?.code]);
  };
  const upload = parts(file("f", "a", "x".repeat(1000)));
  const { length } = upload;
  const type = URLENCODED;
  for (const announced of LENGTHS) {
    assertEquals(
      await read(upload, {
        ...announced,
        maxFormBytes: 0,
        maxUploadBytes: length,
      }),
      [200, undefined],
    );
    assertEquals(
      await read(upload, { ...announced, maxUploadBytes: length - 1 }),
      [413, "UPLOAD_TOO_LARGE"],
    );
    assertEquals(
      await read("a=1", { ...announced, type, maxFormBytes: 3 }),
      [200, undefined],
    );
    assertEquals(
      await read("a=12", { ...announced, type, maxFormBytes: 3 }),
      [413, "FORM_TOO_LARGE"],
    );
  }
});
