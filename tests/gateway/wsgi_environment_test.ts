import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Gateway } from "../../src/gateway/gateway.ts";
import type { WsgiEnvironment } from "../../src/gateway/wsgi_types.ts";
import { ask, rawRequest } from "../support/ask.ts";
import { Running } from "../support/running.ts";
import { GET, request } from "../support/wire.ts";
import { answering, askWsgi, seenOf } from "../support/wsgi.ts";

const OWN = [
  "wsgi.version",
  "wsgi.url_scheme",
  "wsgi.input",
  "wsgi.errors",
  "wsgi.multithread",
  "wsgi.multiprocess",
  "wsgi.run_once",
  "smisk.app",
];

Deno.test("env has every key of PEP 3333, of the right kind", async () => {
  const gateway: Gateway = new Gateway(answering((env) => {
    assertEquals(env["wsgi.version"], [1, 0]);
    assertEquals(env["wsgi.url_scheme"], "http");
    assertEquals(env["wsgi.multithread"], false);
    assertEquals(env["wsgi.multiprocess"], true);
    assertEquals(env["wsgi.run_once"], false);
    assert(env["smisk.app"] === gateway);
    assert(env["wsgi.input"] === env["wsgi.input"]);
    assert(env["wsgi.errors"] === env["wsgi.errors"]);
    return "seen";
  }));
  assertEquals((await ask(gateway)).text, "seen");
});

Deno.test("env['wsgi.multiprocess'] is what the gateway is told", async () => {
  const gateway = new Gateway(
    answering((env) => String(env["wsgi.multiprocess"])),
  );
  gateway.wsgiMultiprocess = false;
  assertEquals((await ask(gateway)).text, "false");
});

Deno.test("env has every variable of the web server", async () => {
  const params = {
    ...GET,
    REQUEST_METHOD: "PUT",
    SCRIPT_NAME: "/app",
    PATH_INFO: "/a/b",
    QUERY_STRING: "x=1&y=2",
    CONTENT_TYPE: "text/plain",
    CONTENT_LENGTH: "0",
    HTTP_X_ODD: "héllo \u{1f434}",
    "some.other": "value",
    __proto__own: "x",
  };
  const seen = await seenOf(
    (env) => Object.fromEntries(Object.keys(params).map((k) => [k, env[k]])),
    { params },
  );
  assertEquals(seen, params);
  const whole = await seenOf((env) => ({ ...env }), { params });
  assertEquals({ ...whole as object, ...params }, whole as object);
});

for (
  const [name, params, expected] of [
    ["SCRIPT_NAME", {}, ""],
    ["PATH_INFO", {}, ""],
    ["QUERY_STRING", {}, ""],
    ["SCRIPT_NAME", { SCRIPT_NAME: "/" }, ""],
    ["PATH_INFO", { SCRIPT_NAME: "/" }, "/"],
    ["PATH_INFO", { SCRIPT_NAME: "/", PATH_INFO: "/a" }, "/a"],
    ["PATH_INFO", { SCRIPT_NAME: "/", PATH_INFO: "a" }, "/a"],
    ["PATH_INFO", { SCRIPT_NAME: "/app", PATH_INFO: "" }, ""],
    ["SCRIPT_NAME", { SCRIPT_NAME: "/app/" }, "/app/"],
    ["HTTP_PROXY", { HTTP_PROXY: "http://evil.example/" }, null],
    ["HTTP_CONTENT_TYPE", { HTTP_CONTENT_TYPE: "a/b" }, null],
    ["HTTP_CONTENT_LENGTH", { HTTP_CONTENT_LENGTH: "5" }, null],
    ["HTTP_X.DOT", { "HTTP_X.DOT": "1" }, "1"],
    ["SERVER_NAME", {}, "localhost"],
    ["SERVER_NAME", { SERVER_NAME: "" }, "localhost"],
    ["SERVER_NAME", { HTTP_HOST: "example.com:8080" }, "example.com"],
    ["SERVER_NAME", { HTTP_HOST: "[::1]" }, "[::1]"],
    ["SERVER_NAME", { SERVER_NAME: "a", HTTP_HOST: "b" }, "a"],
    ["SERVER_PORT", {}, "80"],
    ["SERVER_PORT", { HTTPS: "on" }, "443"],
    ["SERVER_PORT", { SERVER_PORT: "" }, "80"],
    ["SERVER_PORT", { HTTP_HOST: "example.com:8080" }, "8080"],
    ["SERVER_PORT", { SERVER_PORT: "81", HTTP_HOST: "b:8080" }, "81"],
    ["SERVER_PROTOCOL", {}, "HTTP/1.0"],
    ["SERVER_PROTOCOL", { SERVER_PROTOCOL: "HTTP/2.0" }, "HTTP/2.0"],
    ["CONTENT_LENGTH", { CONTENT_LENGTH: "-1" }, ""],
    ["CONTENT_LENGTH", { CONTENT_LENGTH: "" }, ""],
    ["CONTENT_LENGTH", {}, null],
    ["wsgi.url_scheme", {}, "http"],
    ["wsgi.url_scheme", { HTTPS: "on" }, "https"],
    ["wsgi.url_scheme", { HTTPS: "1" }, "https"],
    ["wsgi.url_scheme", { HTTPS: "off" }, "http"],
    ["wsgi.url_scheme", { REQUEST_SCHEME: "https" }, "https"],
    ["NOT_THERE", {}, null],
  ] as [string, Record<string, string>, string | null][]
) {
  Deno.test(`env.${name} is ${JSON.stringify(expected)} of ${JSON.stringify(params)}`, async () => {
    // Looked up by itself, and in the whole.
    const seen = await seenOf((env) => {
      const alone = env[name] ?? null;
      const isAlone = name in env;
      return [alone, isAlone, { ...env }[name] ?? null, name in env];
    }, rawRequest(params));
    const isThere = expected !== null;
    assertEquals(seen, [expected, isThere, expected, isThere]);
  });
}

Deno.test("env joins headers that came more than once", async () => {
  const params: [string, string][] = [
    ["HTTP_COOKIE", "a=1"],
    ["HTTP_COOKIE", "b=2"],
    ["HTTP_X_LIST", "1"],
    ["HTTP_X_LIST", "2"],
    ["HTTP_X_LIST", "3"],
    ["OTHER", "first"],
    ["OTHER", "last"],
  ];
  const names = ["HTTP_COOKIE", "HTTP_X_LIST", "OTHER"];
  for (const order of [names, names.toReversed()]) {
    const seen = await seenOf(
      (env) => {
        for (const name of order) env[name];
        return names.map((name) => env[name]);
      },
      rawRequest(params),
    );
    assertEquals(seen, ["a=1; b=2", "1, 2, 3", "last"]);
  }
});

/** What a plain object would do; each is the first thing done to an env. */
const LIKE_AN_OBJECT: [string, (env: WsgiEnvironment) => unknown][] = [
  ["Object.keys", (env) => {
    const keys = Object.keys(env);
    assertEquals(new Set(keys).size, keys.length);
    for (const name of [...OWN, ...Object.keys(GET), "PATH_INFO"]) {
      assert(keys.includes(name), name);
    }
  }],
  ["for in", (env) => {
    const keys = [];
    for (const name in env) keys.push(name);
    assertEquals(keys, Object.keys(env));
  }],
  ["Object.entries", (env) => {
    const entries = new Map(Object.entries(env));
    assertEquals(entries.get("REMOTE_ADDR"), "192.0.2.1");
    assertEquals(entries.get("wsgi.input"), env["wsgi.input"]);
  }],
  ["spread", (env) => {
    const copy: WsgiEnvironment = { ...env, PATH_INFO: "/other" };
    assertEquals(copy.PATH_INFO, "/other");
    assertEquals(copy.REMOTE_ADDR, "192.0.2.1");
    assertEquals(copy["wsgi.errors"], env["wsgi.errors"]);
    assertEquals(env.PATH_INFO, "/");
  }],
  ["Object.assign", (env) => {
    assertEquals(Object.assign({}, env).SERVER_NAME, "test");
  }],
  ["rest", (env) => {
    const { SERVER_NAME, ...rest } = env;
    assertEquals([SERVER_NAME, "SERVER_NAME" in rest], ["test", false]);
    assertEquals(rest.SERVER_PORT, "80");
  }],
  ["JSON.stringify", (env) => {
    const { REMOTE_ADDR, "wsgi.version": version } = JSON.parse(
      JSON.stringify(env),
    );
    assertEquals([REMOTE_ADDR, version], ["192.0.2.1", [1, 0]]);
  }],
  ["in", (env) => {
    assert("REMOTE_ADDR" in env && "wsgi.input" in env && "PATH_INFO" in env);
    assert(!("REMOTE_USER" in env) && !("toString" in env));
    assert(!("constructor" in env) && !(Symbol.iterator in env));
  }],
  ["Object.hasOwn", (env) => {
    assert(Object.hasOwn(env, "REMOTE_ADDR"));
    assert(!Object.hasOwn(env, "REMOTE_USER"));
  }],
  ["assignment", (env) => {
    env["my.key"] = 1;
    env.REMOTE_ADDR = "changed";
    env["wsgi.url_scheme"] = "https";
    env.HTTP_NEW = "new";
    assertEquals([env["my.key"], env.REMOTE_ADDR], [1, "changed"]);
    assertEquals([env["wsgi.url_scheme"], env.HTTP_NEW], ["https", "new"]);
    assertEquals(env.SERVER_NAME, "test");
    assertEquals(Object.keys(env).slice(-2), ["my.key", "HTTP_NEW"]);
  }],
  ["assignment of what was read", (env) => {
    assertEquals(env.REMOTE_ADDR, "192.0.2.1");
    env.REMOTE_ADDR = "changed";
    assertEquals(env.REMOTE_ADDR, "changed");
  }],
  ["delete", (env) => {
    delete env.REMOTE_ADDR;
    assertEquals(env.REMOTE_ADDR, undefined);
    assert(!("REMOTE_ADDR" in env));
    assert(!Object.keys(env).includes("REMOTE_ADDR"));
  }],
  ["defineProperty", (env) => {
    Object.defineProperty(env, "hidden", { value: 1 });
    assertEquals(env.hidden, 1);
    assert(!Object.keys(env).includes("hidden"));
  }],
  ["getOwnPropertyDescriptor", (env) => {
    assertEquals(Object.getOwnPropertyDescriptor(env, "REMOTE_ADDR"), {
      value: "192.0.2.1",
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }],
  ["getPrototypeOf", (env) => {
    assertEquals(Object.getPrototypeOf(env), null);
    assertEquals(Object.keys(env).length > 10, true);
  }],
  ["freeze", (env) => {
    Object.freeze(env);
    assert(Object.isFrozen(env));
    assertEquals(env.REMOTE_ADDR, "192.0.2.1");
    assertThrows(() => env.REMOTE_ADDR = "changed", TypeError);
  }],
  ["Object.create of it", (env) => {
    const child = Object.create(env) as WsgiEnvironment;
    child.REMOTE_ADDR = "changed";
    assertEquals([child.REMOTE_ADDR, env.REMOTE_ADDR], [
      "changed",
      "192.0.2.1",
    ]);
    assertEquals(child.SERVER_NAME, "test");
  }],
  ["console.log", (env) => {
    const shown = Deno.inspect(env);
    assertStringIncludes(shown, 'REMOTE_ADDR: "192.0.2.1"');
    assertStringIncludes(shown, '"wsgi.version": [ 1, 0 ]');
    assertEquals(Object.getOwnPropertySymbols(env), []);
  }],
  ["symbols", (env) => {
    const key = Symbol("key");
    const keyed = env as unknown as Record<symbol, unknown>;
    assertEquals([keyed[key], keyed[Symbol.toStringTag]], [
      undefined,
      undefined,
    ]);
    keyed[key] = 1;
    assertEquals(keyed[key], 1);
  }],
];

for (const [name, check] of LIKE_AN_OBJECT) {
  Deno.test(`env is as a plain object to ${name}`, async () => {
    // Untouched, once something was read, and once it was made whole.
    for (const before of ["", "SERVER_NAME", "HTTP_HOST"]) {
      await seenOf((env) => {
        if (before !== "") env[before];
        check(env);
        return null;
      });
    }
  });
}

Deno.test("env of one request is no other's", async () => {
  let first: WsgiEnvironment | undefined;
  await using running = new Running(
    new Gateway(answering(async (env) => {
      first ??= env;
      env["my.key"] ??= env.PATH_INFO;
      await Promise.resolve();
      return [`${env["my.key"]} ${env.PATH_INFO}`];
    })),
  );
  using peer = await running.connect();
  const texts = [];
  for (const PATH_INFO of ["/1", "/2", "/3"]) {
    texts.push((await peer.ask(request({ params: { PATH_INFO } }))).text);
  }
  assertEquals(texts, ["/1 /1", "/2 /2", "/3 /3"]);
  assertEquals(first!["my.key"], "/1");
});

Deno.test("env can be read while the body comes, and after it where it was", async () => {
  const seen: unknown[] = [];
  const { text } = await askWsgi(answering(async function* (env) {
    yield "a";
    await Promise.resolve();
    yield env.REMOTE_ADDR!;
    seen.push(env.SERVER_NAME, Object.keys(env).length > 10);
  }));
  assertEquals([text, seen], ["a192.0.2.1", ["test", true]]);
});

Deno.test("env says so where it is first read after the answer", async () => {
  let kept: WsgiEnvironment | undefined;
  await askWsgi(answering((env) => {
    kept = env;
    return "x";
  }));
  assertThrows(() => kept!.REMOTE_ADDR, TypeError, "has ended");
  let read: WsgiEnvironment | undefined;
  await askWsgi(answering((env) => {
    read = env;
    return Object.keys(env);
  }));
  assertEquals(read!.REMOTE_ADDR, "192.0.2.1");
});
