import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { ServiceRequest } from "../src/request.ts";
import { ask, latin1, rawRequest } from "./support/ask.ts";
import type { Question } from "./support/ask.ts";
import { Running } from "./support/running.ts";
import type { RunningOptions } from "./support/running.ts";
import { concatLarge, request } from "./support/wire.ts";
import type { Params } from "./support/wire.ts";

/** What a function makes of the request that a question is. */
async function read<T>(
  of: (request: ServiceRequest) => T,
  question: Question,
  options?: RunningOptions,
): Promise<T> {
  let result: { value: T } | { error: unknown } | undefined;
  await ask(
    (request) => {
      try {
        result = { value: of(request) };
      } catch (error) {
        result = { error };
      }
    },
    question,
    options,
  );
  if (result === undefined) throw new Error("The service was not called");
  if ("error" in result) throw result.error;
  return result.value;
}

/** Reads of a request with just these parameters and REQUEST_METHOD. */
function readRaw<T>(of: (request: ServiceRequest) => T, params: Params) {
  return read(of, rawRequest(params));
}

const headersOf = (request: ServiceRequest) =>
  Object.fromEntries(request.headers);

Deno.test("env has every parameter, and nothing of Object", async () => {
  const env = await readRaw((request) => request.env, {
    A: "1",
    EMPTY: "",
    "proxy-fcgi-pathinfo": "x",
    __proto__x: "p",
  });
  assertStrictEquals(Object.getPrototypeOf(env), null);
  assertEquals({ ...env }, {
    REQUEST_METHOD: "GET",
    A: "1",
    EMPTY: "",
    "proxy-fcgi-pathinfo": "x",
    __proto__x: "p",
  });
  assertEquals("constructor" in env, false);
});

Deno.test("env keeps a parameter named __proto__ as any other", async () => {
  const env = await readRaw((request) => request.env, [["__proto__", "x"]]);
  assertEquals(Object.keys(env), ["REQUEST_METHOD", "__proto__"]);
  assertEquals(env["__proto__"], "x");
});

Deno.test("env and param() take the last of a repeated name", async () => {
  const params = [["A", "1"], ["B", "x"], ["A", "2"], ["A", "3"]] as const;
  assertEquals(await readRaw((request) => request.env.A, params), "3");
  assertEquals(await readRaw((request) => request.param("A"), params), "3");
});

Deno.test("env and param() decode UTF-8, and make U+FFFD of what is none", async () => {
  const params = [
    ["GOOD", "žluťoučký \u{1f434}"],
    ["BAD", latin1("a\xffb\xc3")],
    ["BOM", "\uFEFFx"],
  ] as const;
  for (const name of ["GOOD", "BAD", "BOM"]) {
    const expected = {
      GOOD: "žluťoučký \u{1f434}",
      BAD: "a\uFFFDb\uFFFD",
      BOM: "\uFEFFx",
    }[name];
    assertEquals(
      await readRaw((request) => request.env[name], params),
      expected,
    );
    assertEquals(
      await readRaw((request) => request.param(name), params),
      expected,
    );
  }
});

Deno.test("env is the same object each time", async () => {
  assertEquals(
    await readRaw((request) => request.env === request.env, {}),
    true,
  );
});

Deno.test("param() gives undefined where there is none", async () => {
  const params = { A: "", AB: "x" };
  assertEquals(
    await readRaw(
      (request) => ["A", "AB", "B", "", "ABC"].map((one) => request.param(one)),
      params,
    ),
    ["", "x", undefined, undefined, undefined],
  );
  assertEquals(
    await readRaw((request) => request.env && request.param("B"), params),
    undefined,
  );
});

Deno.test("what was read before the end stays readable, the rest is an error", async () => {
  let kept: ServiceRequest | undefined;
  await ask((request) => {
    kept = request;
    request.url;
    request.cookies;
  }, rawRequest({ REQUEST_URI: "/x", HTTP_COOKIE: "a=1" }));
  assertEquals(kept!.url.pathname, "/x");
  assertEquals(kept!.cookies.a, "1");
  assertThrows(() => kept!.env, TypeError, "a request that has ended");
  assertThrows(() => kept!.param("A"), TypeError, "before service() returns");
});

Deno.test("what was read before the end includes all parameters once env was", async () => {
  let kept: ServiceRequest | undefined;
  await ask((request) => {
    kept = request;
    request.env;
  }, rawRequest({ REQUEST_URI: "/x", SERVER_NAME: "test" }));
  assertEquals(kept!.param("REQUEST_URI"), "/x");
  assertEquals(kept!.method, "GET");
  assertEquals(kept!.url.href, "http://test/x");
});

Deno.test("parameters stay those of their request when others follow in the same read", async () => {
  await using running = new Running(async (request, response) => {
    await Promise.resolve();
    response.write(`${request.param("A")} ${request.env.A}`);
  });
  using peer = await running.connect();
  const names = ["a", "b", "c"].map((letter) => letter.repeat(100));
  await peer.send(
    concatLarge(names.map((A, i) => request({ id: i + 1, params: { A } }))),
  );
  for (const [i, name] of names.entries()) {
    assertEquals((await peer.answer(i + 1)).text, `${name} ${name}`);
  }
});

Deno.test("method is that of the request, as sent", async () => {
  for (const method of ["GET", "POST", "PROPFIND", "get"]) {
    assertEquals(
      await readRaw((request) => request.method, [["REQUEST_METHOD", method]]),
      method,
    );
  }
});

Deno.test("url and query are rebuilt, and are the same objects each time", async () => {
  const [href, q, isSame] = await readRaw(
    (request) => [
      request.url.href,
      request.query.getAll("q"),
      request.url === request.url && request.query === request.query,
    ],
    {
      HTTPS: "on",
      HTTP_HOST: "example.org:8443",
      REQUEST_URI: "/p%20a?q=1&q=%C3%A9+x",
    },
  );
  assertEquals(href, "https://example.org:8443/p%20a?q=1&q=%C3%A9+x");
  assertEquals(q, ["1", "é x"]);
  assertEquals(isSame, true);
});

Deno.test("url is the same whether env was read before or not", async () => {
  const params = [
    ["HTTP_HOST", "test"],
    ["REQUEST_URI", latin1("/\xc3\xa9\xff?q=\xe9")],
  ] as const;
  const before = await readRaw((request) => request.url.href, params);
  const after = await readRaw(
    (request) => request.env && request.url.href,
    params,
  );
  assertEquals(before, "http://test/%C3%A9%FF?q=%E9");
  assertEquals(after, before);
});

Deno.test("headers are those of the HTTP_ variables, in lower case", async () => {
  assertEquals(
    await readRaw(headersOf, {
      HTTP_ACCEPT: "*/*",
      HTTP_X_SOME_THING: " padded ",
      HTTP_X_EMPTY: "",
      "HTTP_X.DOT~": "odd",
      CONTENT_TYPE: "text/plain",
      SERVER_NAME: "no header",
      HTTPS: "on",
    }),
    {
      accept: "*/*",
      "x-some-thing": "padded",
      "x-empty": "",
      "x.dot~": "odd",
      "content-type": "text/plain",
    },
  );
});

Deno.test("headers leave out the client's Proxy, names and values that are none", async () => {
  assertEquals(
    await readRaw(headersOf, [
      ["HTTP_PROXY", "http://evil.example/"],
      ["HTTP_BAD NAME", "x"],
      ["HTTP_", "x"],
      ["HTTP_É", "x"],
      ["HTTP_X_LINE", "a\r\nSet-Cookie: b"],
      ["HTTP_X_NUL", "a\0b"],
      ["HTTP_OK", "yes"],
    ]),
    { ok: "yes" },
  );
});

Deno.test("headers join repeated ones with a comma, cookies with a semicolon", async () => {
  assertEquals(
    await readRaw(headersOf, [
      ["HTTP_X", "1"],
      ["HTTP_COOKIE", "a=1"],
      ["HTTP_X", "2"],
      ["HTTP_COOKIE", "b=2; c=3"],
      ["HTTP_X", "3"],
    ]),
    { x: "1, 2, 3", cookie: "a=1; b=2; c=3" },
  );
});

Deno.test("headers have a character for each byte of a value", async () => {
  const value = Array.from(
    { length: 256 },
    (_, code) => String.fromCharCode(code),
  ).filter((character) => !"\0\r\n".includes(character)).join("");
  const headers = await readRaw(headersOf, [
    ["HTTP_X", latin1(`|${value}|`)],
    ["HTTP_UTF8", "é"],
  ]);
  assertEquals(headers, { x: `|${value}|`, utf8: "\xc3\xa9" });
});

Deno.test("headers take Content-Length and Content-Type from their own variables alone", async () => {
  const params = {
    HTTP_CONTENT_LENGTH: "99",
    HTTP_CONTENT_TYPE: "text/evil",
  };
  assertEquals(await readRaw(headersOf, params), {});
  assertEquals(
    await read(headersOf, {
      body: "12345",
      params: { ...params, CONTENT_TYPE: "text/good" },
    }),
    { "content-length": "5", "content-type": "text/good" },
  );
  for (const CONTENT_LENGTH of ["", "-1", "1e3", "5 "]) {
    assertEquals(
      await readRaw(headersOf, { CONTENT_LENGTH, CONTENT_TYPE: "" }),
      {},
    );
  }
});

Deno.test("headers take the last of several Content-Types", async () => {
  assertEquals(
    await readRaw(headersOf, [["CONTENT_TYPE", "a/a"], [
      "CONTENT_TYPE",
      "b/b",
    ]]),
    { "content-type": "b/b" },
  );
});

Deno.test("cookies are decoded, the first of a name counts, and nothing is of Object", async () => {
  const cookies = await readRaw((request) => request.cookies, [
    ["HTTP_COOKIE", 'a=1; b=%C3%A9%20x; q="quoted"; a=2; bad=%zz; =n'],
    ["HTTP_COOKIE", "__proto__=p; empty=; c=x=y; nothing"],
  ]);
  assertStrictEquals(Object.getPrototypeOf(cookies), null);
  assertEquals(Object.entries(cookies), [
    ["a", "1"],
    ["b", "é x"],
    ["q", "quoted"],
    ["bad", "%zz"],
    ["", "n"],
    ["__proto__", "p"],
    ["empty", ""],
    ["c", "x=y"],
  ]);
  assertThrows(() => Object.assign(cookies, { a: "3" }), TypeError);
  assertEquals({ ...await readRaw((request) => request.cookies, {}) }, {});
});

Deno.test("referrer is a URL, or null", async () => {
  const referrer = async (params: Params) =>
    (await readRaw((request) => request.referrer, params))?.href ?? null;
  assertEquals(
    await referrer({ HTTP_REFERER: "https://example.org/a?b" }),
    "https://example.org/a?b",
  );
  for (const HTTP_REFERER of ["", "/relative", "no url", "http://"]) {
    assertEquals(await referrer({ HTTP_REFERER }), null);
  }
  assertEquals(await referrer({}), null);
});

Deno.test("remoteAddr is REMOTE_ADDR, or empty", async () => {
  const remoteAddr = (request: ServiceRequest) => request.remoteAddr;
  assertEquals(await readRaw(remoteAddr, { REMOTE_ADDR: "::1" }), "::1");
  assertEquals(await readRaw(remoteAddr, {}), "");
});

Deno.test("role is that of the request", async () => {
  const role = (request: ServiceRequest) => request.role;
  assertEquals(await read(role, { role: 1 }), "responder");
  assertEquals(await read(role, { role: 2 }), "authorizer");
  assertEquals(await read(role, { role: 3, data: "" }), "filter");
});

Deno.test("log() writes a line on the error stream, with the output", async () => {
  const { stderr, text, logged } = await ask((request, response) => {
    request.log("first é");
    response.write("body");
    request.log("second");
  });
  assertEquals([stderr, text, logged], ["first é\nsecond\n", "body", []]);
});

Deno.test("log() escapes what would break its line or steer a terminal", async () => {
  const { stderr } = await ask((request) => {
    request.log("a\nb\r\nc\0d\x1b[31m\x7f\x9b1m\u2028e\tf");
    request.log("");
  });
  assertEquals(
    stderr,
    "a\\x0ab\\x0d\\x0ac\\x00d\\x1b[31m\\x7f\\x9b1m\\u2028e\tf\n\n",
  );
});

Deno.test("log() after the answer writes to the server's own log", async () => {
  let kept: ServiceRequest | undefined;
  const { stderr, logged } = await ask(async (request) => {
    kept = request;
    await Promise.resolve();
  });
  assertEquals([stderr, logged], ["", []]);
  const lines: unknown[] = [];
  const { error } = console;
  console.error = (line) => lines.push(line);
  try {
    kept!.log("late\nline");
  } finally {
    console.error = error;
  }
  assertEquals(lines, ["smisk: late\\x0aline"]);
});
