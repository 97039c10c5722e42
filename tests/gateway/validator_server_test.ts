import { assertRejects } from "@std/assert";
import { validator } from "../../mod.ts";
import { hello, MISSING, Server, using } from "../support/wsgi_server.ts";
import type { Any } from "../support/wsgi_server.ts";

const fakeInput = (changes: object) => ({
  "wsgi.input": { ...(new Server().env["wsgi.input"] as object), ...changes },
});

/** What of an environment is wrong, and the sentence that says so. */
const OF_SERVERS: [string, Record<string, unknown>][] = [
  ...[
    "REQUEST_METHOD",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "wsgi.version",
    "wsgi.url_scheme",
    "wsgi.input",
    "wsgi.errors",
    "wsgi.multithread",
    "wsgi.multiprocess",
    "wsgi.run_once",
  ].map((name): [string, Record<string, unknown>] => [
    `env has no ${name}`,
    { [name]: MISSING },
  ]),
  ["env has HTTP_CONTENT_TYPE", { HTTP_CONTENT_TYPE: "a/b" }],
  ["env has HTTP_CONTENT_LENGTH", { HTTP_CONTENT_LENGTH: "1" }],
  ["env.REMOTE_PORT is 5, where it is a string", { REMOTE_PORT: 5 }],
  ["env.HTTP_HOST is undefined", { HTTP_HOST: undefined }],
  ["env.mine is an object", { mine: {} }],
  ['env["wsgi.version"] is "1.0"', { "wsgi.version": "1.0" }],
  ['env["wsgi.version"] is an array', { "wsgi.version": [1] }],
  ['env["wsgi.url_scheme"] is "ftp"', { "wsgi.url_scheme": "ftp" }],
  ['env["wsgi.multithread"] is 0', { "wsgi.multithread": 0 }],
  ['env["wsgi.multiprocess"] is null', { "wsgi.multiprocess": null }],
  ['env["wsgi.run_once"] is ""', { "wsgi.run_once": "" }],
  ['env["wsgi.input"] has no method read', { "wsgi.input": null }],
  ...["read", "readline", "readlines"].map((
    method,
  ): [string, Record<string, unknown>] => [
    `env["wsgi.input"] has no method ${method}`,
    fakeInput({ [method]: undefined }),
  ]),
  [
    'env["wsgi.input"] has no method [Symbol.asyncIterator]',
    fakeInput({ [Symbol.asyncIterator]: undefined }),
  ],
  ['env["wsgi.errors"] has no method write', { "wsgi.errors": {} }],
  ['env["wsgi.errors"] has no method writelines', {
    "wsgi.errors": { write() {}, flush() {} },
  }],
  ['env["wsgi.errors"] has no method flush', {
    "wsgi.errors": { write() {}, writelines() {} },
  }],
  ['env.SCRIPT_NAME is "app", where it begins', { SCRIPT_NAME: "app" }],
  ['env.PATH_INFO is "a", where it begins', { PATH_INFO: "a" }],
  ["env has neither SCRIPT_NAME nor PATH_INFO", {
    SCRIPT_NAME: MISSING,
    PATH_INFO: MISSING,
  }],
  ['env.SCRIPT_NAME is "/"', { SCRIPT_NAME: "/" }],
  ['env.CONTENT_LENGTH is "-1"', { CONTENT_LENGTH: "-1" }],
  ['env.CONTENT_LENGTH is "x"', { CONTENT_LENGTH: "x" }],
  ["env.SERVER_NAME is empty", { SERVER_NAME: "" }],
  ["env.SERVER_PORT is empty", { SERVER_PORT: "" }],
];

for (const [says, changes] of OF_SERVERS) {
  Deno.test(`validator() finds that ${says}`, async () => {
    await assertRejects(
      async () => await new Server(changes).call(hello),
      TypeError,
      `WSGI violation: ${says}`,
    );
  });
}

/** How else a server can be wrong. */
const OF_CALLS: [string, (server: Server) => unknown][] = [
  ["called with 0 arguments", () => (validator(hello) as Any)()],
  ["called with 1 arguments", ({ env }) => (validator(hello) as Any)(env)],
  [
    "called with 3 arguments",
    (server) => (validator(hello) as Any)(server.env, server.startResponse, 1),
  ],
  [
    "env is null",
    (server) => (validator(hello) as Any)(null, server.startResponse),
  ],
  [
    "env is an array",
    (server) => (validator(hello) as Any)([], server.startResponse),
  ],
  [
    "env is a function",
    (server) => (validator(hello) as Any)(hello, server.startResponse),
  ],
  [
    "startResponse is undefined",
    ({ env }) => (validator(hello) as Any)(env, undefined),
  ],
  [
    "Cannot validate a value of type object",
    () => validator({ fetch() {} } as Any),
  ],
  ["the body was iterated twice", async (server) => {
    const body = await server.call(hello) as Iterable<string>;
    return [...body, ...body];
  }],
  ["the body was read after it was closed", async (server) => {
    const body = await server.call(hello) as Any;
    const iterator = body[Symbol.iterator]();
    iterator.next();
    body.close();
    iterator.next();
  }],
  ["the body was closed twice", async (server) => {
    const body = await server.call(hello) as Any;
    body.close();
    body.close();
  }],
  [
    'wsgi.input.read gave "x"',
    () =>
      new Server(fakeInput({ read: () => "x" })).run(
        using((env) => env["wsgi.input"].read(1)),
      ),
  ],
  [
    "wsgi.input.readline gave null",
    () =>
      new Server(fakeInput({ readline: () => null })).run(
        using((env) => env["wsgi.input"].readline()),
      ),
  ],
  [
    'wsgi.input.readlines gave "x"',
    () =>
      new Server(fakeInput({ readlines: () => "x" })).run(
        using((env) => env["wsgi.input"].readlines()),
      ),
  ],
  [
    "wsgi.input.readlines gave 5",
    () =>
      new Server(fakeInput({ readlines: () => [5] })).run(
        using((env) => env["wsgi.input"].readlines()),
      ),
  ],
  ["wsgi.input.iteration gave 5", () =>
    new Server(fakeInput({
      async *[Symbol.asyncIterator]() {
        yield await Promise.resolve(5);
      },
    })).run(using((env) => Array.fromAsync(env["wsgi.input"])))],
];

for (const [says, call] of OF_CALLS) {
  Deno.test(`validator() finds that ${says}`, async () => {
    await assertRejects(
      async () => await call(new Server()),
      TypeError,
      says,
    );
  });
}
