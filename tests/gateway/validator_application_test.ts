import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { validator } from "../../mod.ts";
import type { WsgiApplication } from "../../mod.ts";
import { askWsgi } from "../support/wsgi.ts";
import { PLAIN, Server, starting, using } from "../support/wsgi_server.ts";
import type { Any } from "../support/wsgi_server.ts";

/** What of an application is wrong, and the sentence that says so. */
const OF_APPLICATIONS: [string, WsgiApplication][] = [
  // What it returns
  ["the application returned a string or bytes", (_, start) => {
    start("200 OK", PLAIN);
    return "Hello";
  }],
  ["the application returned a string or bytes", (_, start) => {
    start("200 OK", PLAIN);
    return new Uint8Array(1);
  }],
  ["returned undefined, where it is an iterable", (() => {}) as Any],
  ["returned null, where it is an iterable", (() => null) as Any],
  ["returned a boolean, where it is an iterable", (() => false) as Any],
  ["returned an object, where it is an iterable", (() => ({})) as Any],
  ["returned undefined, where it is", (() => Promise.resolve()) as Any],
  ["the body gave 5, where a chunk is", (_, start) => {
    start("200 OK", PLAIN);
    return [5] as Any;
  }],
  ["the body gave null, where a chunk is", async function (_, start) {
    await start("200 OK", PLAIN);
    return (async function* () {
      yield await Promise.resolve(null);
    })() as Any;
  }],
  ["begun before startResponse was called", () => ["x"]],
  ["begun before startResponse was called", () => []],
  ["begun before startResponse was called", (_, start) =>
    (function* () {
      yield "";
      start("200 OK", PLAIN);
    })()],
  // startResponse
  ["startResponse was called with 0 arguments", starting()],
  ["startResponse was called with 1 arguments", starting("200 OK")],
  [
    "startResponse was called with 4 arguments",
    starting("200 OK", PLAIN, undefined, 1),
  ],
  ["called again without an error", (_, start) => {
    start("200 OK", PLAIN);
    start("200 OK", PLAIN);
    return [];
  }],
  ["the third argument of startResponse is 5", starting("200 OK", PLAIN, 5)],
  [
    "the third argument of startResponse is an array",
    starting("200 OK", PLAIN, []),
  ],
  // Status
  ["the status is 200, where it is a string", starting(200, PLAIN)],
  ["the status is undefined", starting(undefined, PLAIN)],
  ['the status "20 OK" does not begin with three', starting("20 OK", PLAIN)],
  ['the status "2000 OK" does not begin', starting("2000 OK", PLAIN)],
  ['the status "OK" does not begin', starting("OK", PLAIN)],
  ['the status "" does not begin', starting("", PLAIN)],
  ['the status "099 Low" is below 100', starting("099 Low", PLAIN)],
  ['"200" has not three digits, a single space', starting("200", PLAIN)],
  ['"200 " has not three digits, a single space', starting("200 ", PLAIN)],
  ['"200  OK" has not three digits, a single', starting("200  OK", PLAIN)],
  ["holds control characters or ends in space", starting("200 O\nK", PLAIN)],
  ["holds control characters or ends in space", starting("200 OK ", PLAIN)],
  // Headers
  ["the headers are undefined", starting("200 OK", undefined)],
  ["the headers are an object", starting("200 OK", { a: "b" })],
  ["the headers are an object", starting("200 OK", new Headers())],
  ['header 0 is "a"', starting("200 OK", ["a"])],
  ["header 1 is an object", starting("200 OK", [...PLAIN, {}])],
  ["header 0 has 1 parts", starting("200 OK", [["a"]])],
  ["header 0 has 3 parts", starting("200 OK", [["a", "b", "c"]])],
  ["a header's name is 5", starting("200 OK", [[5, "b"]])],
  ["the header a is 5, where it is a string", starting("200 OK", [["a", 5]])],
  ["the header a is undefined", starting("200 OK", [["a", undefined]])],
  ["there is a header Status", starting("200 OK", [["status", "200"]])],
  ["holds a colon or a line feed", starting("200 OK", [["a:", "b"]])],
  ["holds a colon or a line feed", starting("200 OK", [["a\nb", "b"]])],
  ["is not of letters, digits", starting("200 OK", [["a b", "c"]])],
  ["is not of letters, digits", starting("200 OK", [["1a", "c"]])],
  ["is not of letters, digits", starting("200 OK", [["", "c"]])],
  ['"a-" ends in - or _', starting("200 OK", [["a-", "b"]])],
  ['"a_" ends in - or _', starting("200 OK", [["a_", "b"]])],
  [
    "the header Connection is hop-by-hop",
    starting("200 OK", [["Connection", "close"]]),
  ],
  [
    "the header a holds control characters",
    starting("200 OK", [["a", "b\nc"]]),
  ],
  [
    "the header a holds control characters",
    starting("200 OK", [["a", "b\tc"]]),
  ],
  [
    "the header a holds characters beyond",
    starting("200 OK", [["a", "\u20ac"]]),
  ],
  // Content-Type
  ["there is no Content-Type to a 200", starting("200 OK", [])],
  [
    "there is no Content-Type to a 404",
    starting("404 Not Found", [["A", "b"]]),
  ],
  ["a Content-Type to a 204", starting("204 No Content", PLAIN)],
  ["a Content-Type to a 205", starting("205 Reset Content", PLAIN)],
  [
    "a Content-Type to a 304",
    starting("304 Not Modified", [["content-type", "a/b"]]),
  ],
  // write()
  ["write was called with 5", (_, start) => {
    start("200 OK", PLAIN)(5 as Any);
    return [];
  }],
  ["write was called with 0 arguments", (_, start) => {
    (start("200 OK", PLAIN) as Any)();
    return [];
  }],
  ["write was called with 2 arguments", (_, start) => {
    (start("200 OK", PLAIN) as Any)("a", "b");
    return [];
  }],
  // wsgi.input
  [
    "wsgi.input.read was called with 0 arguments",
    using((env) => env["wsgi.input"].read()),
  ],
  [
    "wsgi.input.read was called with 2 arguments",
    using((env) => (env["wsgi.input"] as Any).read(1, 2)),
  ],
  [
    'wsgi.input.read was called with "1" for a size',
    using((env) => env["wsgi.input"].read("1" as Any)),
  ],
  [
    "wsgi.input.readline was called with 2",
    using((env) => (env["wsgi.input"] as Any).readline(1, 2)),
  ],
  [
    "wsgi.input.readline was called with null for",
    using((env) => env["wsgi.input"].readline(null as Any)),
  ],
  [
    "wsgi.input.readlines was called with 2",
    using((env) => (env["wsgi.input"] as Any).readlines(1, 2)),
  ],
  [
    "wsgi.input.readlines was called with 1.5",
    using((env) => env["wsgi.input"].readlines(1.5)),
  ],
  [
    "wsgi.input.close was called",
    using((env) => (env["wsgi.input"] as Any).close()),
  ],
  // wsgi.errors
  [
    "wsgi.errors.write was given 5",
    using((env) => env["wsgi.errors"].write(5 as Any)),
  ],
  [
    "wsgi.errors.write was called with 2",
    using((env) => (env["wsgi.errors"] as Any).write("a", "b")),
  ],
  [
    "wsgi.errors.write was given an object",
    using((env) => env["wsgi.errors"].write(new Uint8Array(1) as Any)),
  ],
  [
    'wsgi.errors.writelines was given "a"',
    using((env) => env["wsgi.errors"].writelines("a")),
  ],
  [
    "wsgi.errors.writelines was given 5, and",
    using((env) => env["wsgi.errors"].writelines([5 as Any])),
  ],
  [
    "wsgi.errors.writelines was called with 0",
    using((env) => (env["wsgi.errors"] as Any).writelines()),
  ],
  [
    "wsgi.errors.flush was called with 1",
    using((env) => (env["wsgi.errors"] as Any).flush(1)),
  ],
  [
    "wsgi.errors.close was called",
    using((env) => (env["wsgi.errors"] as Any).close()),
  ],
];

for (const [i, [says, app]] of OF_APPLICATIONS.entries()) {
  Deno.test(`validator() finds in application ${i} that ${says}`, async () => {
    const error = await assertRejects(
      () => new Server().run(app),
      TypeError,
      says,
    );
    assert(error.message.startsWith("WSGI violation: "));
    // And behind a Gateway, where it is an error as any other.
    const { status, stderr } = await askWsgi(validator(app));
    assertEquals(status, 500);
    assertStringIncludes(stderr, says);
  });
}
