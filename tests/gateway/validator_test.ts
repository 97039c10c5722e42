import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { validator } from "../../mod.ts";
import type { WsgiApplication } from "../../mod.ts";
import { askWsgi } from "../support/wsgi.ts";
import {
  hello,
  MISSING,
  PLAIN,
  Server,
  starting,
} from "../support/wsgi_server.ts";

Deno.test("validator() finds nothing in what is right, and changes nothing", async () => {
  const app: WsgiApplication = async (env, startResponse) => {
    const input = env["wsgi.input"];
    const errors = env["wsgi.errors"];
    const read = [
      await input.read(3),
      await input.readline(),
      await input.readline(5),
      ...await input.readlines(),
      ...await input.readlines(5),
      ...await Array.fromAsync(input),
    ];
    errors.write("one\n");
    errors.writelines(["two\n", "three\n"]);
    errors.flush();
    startResponse("200 OK", PLAIN);
    const write = startResponse("201 Created", PLAIN, new Error("again"));
    await write("a");
    await write(new Uint8Array(1));
    return ["b", "", new Uint8Array(read.length)];
  };
  const server = new Server({ "my.own": {}, "CONTENT_LENGTH": "" });
  const { env } = server;
  assertEquals(await server.run(app), ["b", "", new Uint8Array(6)]);
  assertEquals(server.written, ["a", new Uint8Array(1)]);
  assertEquals(server.started.map((args) => args.length), [2, 3]);
  assertEquals(server.errors, ["one\n", "two\n", "three\n"]);
  assertEquals(env["my.own"], {});
});

Deno.test("validator() takes a response without content and without a type", async () => {
  for (const status of ["204 No Content", "304 Not Modified"]) {
    await new Server().run(starting(status, [["ETag", '"1"']]));
  }
});

Deno.test("validator() warns of what is doubtful", async () => {
  for (
    const [changes, warning] of [
      [{ QUERY_STRING: MISSING }, "WSGI warning: env has no QUERY_STRING\n"],
      [
        { REQUEST_METHOD: "BREW" },
        'WSGI warning: env.REQUEST_METHOD is unknown: "BREW"\n',
      ],
    ] as [Record<string, unknown>, string][]
  ) {
    const server = new Server(changes);
    await server.run(hello);
    assertEquals(server.errors, [warning]);
  }
});

Deno.test("validator() lets errors of the application pass, and closes its body once", async () => {
  let closed = 0;
  const server = new Server();
  const body = await server.call((_, startResponse) => {
    startResponse("200 OK", PLAIN);
    return {
      *[Symbol.iterator]() {
        yield "a";
        throw new Error("body fails");
      },
      close() {
        closed++;
        throw new Error("close fails");
      },
    };
  }) as Iterable<string> & { close(): void };
  assertThrows(() => [...body], Error, "body fails");
  body.close();
  assertEquals(closed, 1);
  assertStringIncludes(server.errors.join(""), "Error: close fails");
  await assertRejects(
    async () =>
      await new Server().call(() => {
        throw new RangeError("application fails");
      }),
    RangeError,
    "application fails",
  );
});

Deno.test("validator() tells of a body that was never closed", async () => {
  const script = `
    import { validator } from "./mod.ts";
    const app = validator((_, startResponse) => {
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      return ["x"];
    });
    const stream = { read() {}, readline() {}, readlines() {}, write() {},
      writelines() {}, flush() {}, [Symbol.asyncIterator]() {} };
    const told = Promise.withResolvers();
    const errors = { ...stream, write: told.resolve };
    async function call(isClosed) {
      const body = await app({
        REQUEST_METHOD: "GET", SERVER_NAME: "a", SERVER_PORT: "80",
        SERVER_PROTOCOL: "HTTP/1.1", PATH_INFO: "/", QUERY_STRING: "",
        "wsgi.version": [1, 0], "wsgi.url_scheme": "http",
        "wsgi.input": stream,
        "wsgi.errors": isClosed
          ? { ...stream, write: () => console.log("told of a closed one") }
          : errors,
        "wsgi.multithread": false, "wsgi.multiprocess": false,
        "wsgi.run_once": false,
      }, () => {});
      for (const _ of body);
      if (isClosed) body.close();
    }
    await call(true);
    await call(false);
    const collect = setInterval(() => gc(), 10);
    console.log(await told.promise);
    clearInterval(collect);
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-check",
      "--quiet",
      "--v8-flags=--expose-gc",
      "--config",
      "deno.json",
      "--ext=ts",
      "-",
    ],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(20_000),
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { stdout, stderr } = await child.output();
  assertEquals(
    new TextDecoder().decode(stdout).trim(),
    "WSGI violation: a body was garbage-collected without being closed",
    new TextDecoder().decode(stderr),
  );
});

/** Requests as web servers send them, of which some are odd. */
const REQUESTS: Record<string, Record<string, string>> = {
  "a plain one": {},
  "nginx's own settings, of /": {
    SCRIPT_NAME: "/",
    DOCUMENT_URI: "/",
    QUERY_STRING: "",
    CONTENT_TYPE: "",
    CONTENT_LENGTH: "",
    GATEWAY_INTERFACE: "CGI/1.1",
    REDIRECT_STATUS: "200",
    HTTP_HOST: "localhost",
  },
  "an unknown length": { REQUEST_METHOD: "POST", CONTENT_LENGTH: "-1" },
  "a client's Content_Length": {
    HTTP_CONTENT_LENGTH: "5",
    HTTP_CONTENT_TYPE: "a/b",
    HTTP_PROXY: "http://evil.example/",
  },
  "no name of the server": { SERVER_NAME: "", SERVER_PORT: "" },
  "HTTPS": { HTTPS: "on", REQUEST_METHOD: "HEAD" },
};

for (const [name, params] of Object.entries(REQUESTS)) {
  Deno.test(`validator() finds nothing wrong with a Gateway, given ${name}`, async () => {
    const { status, stderr } = await askWsgi(
      validator(async (env, startResponse) => {
        await env["wsgi.input"].read(5);
        startResponse("200 OK", PLAIN);
        return [env.SCRIPT_NAME + env.PATH_INFO];
      }),
      { params },
    );
    assertEquals([status, stderr], [200, ""]);
  });
}
