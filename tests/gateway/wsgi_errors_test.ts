import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HttpError } from "../../src/errors.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import type {
  WsgiApplication,
  WsgiErrorStream,
} from "../../src/gateway/wsgi_types.ts";
import { within } from "../support/peer.ts";
import { gate, Running } from "../support/running.ts";
import { END, request } from "../support/wire.ts";
import { answering, askWsgi } from "../support/wsgi.ts";

/** The error stream of a request, after what is done to `wsgi.errors`. */
async function errorsOf(use: (errors: WsgiErrorStream) => void) {
  const { stderr } = await askWsgi(answering((env) => {
    use(env["wsgi.errors"]);
    return "x";
  }));
  return stderr;
}

for (
  const [name, use, expected] of [
    ["a line", (errors) => errors.write("line\n"), "line\n"],
    [
      "lines",
      (errors) => errors.write("one\ntwo\n\nthree\n"),
      "one\ntwo\n\nthree\n",
    ],
    ["a line in pieces", (errors) => {
      for (const piece of ["o", "", "ne\nt", "wo\n"]) errors.write(piece);
    }, "one\ntwo\n"],
    ["a line that does not end", (errors) => errors.write("line"), "line\n"],
    ["a line that is flushed", (errors) => {
      errors.write("one");
      errors.flush();
      errors.flush();
      errors.write("two");
    }, "one\ntwo\n"],
    ["CR LF", (errors) => errors.write("one\r\ntwo\r\n"), "one\ntwo\n"],
    [
      "control characters",
      (errors) => errors.write("a\0b\x1b[1m\n"),
      "a\\x00b\\x1b[1m\n",
    ],
    ["writelines()", (errors) => {
      errors.writelines(["one\n", "t", "wo\n"]);
      errors.writelines(new Set(["three"]));
    }, "one\ntwo\nthree\n"],
    ["nothing", (errors) => {
      errors.write("");
      errors.flush();
    }, ""],
  ] as [string, (errors: WsgiErrorStream) => void, string][]
) {
  Deno.test(`wsgi.errors takes ${name}`, async () => {
    assertEquals(await errorsOf(use), expected);
  });
}

Deno.test("wsgi.errors refuses what is no string", async () => {
  const { status, stderr } = await askWsgi(answering((env) => {
    env["wsgi.errors"].write(new Uint8Array(1) as unknown as string);
    return "x";
  }));
  assertEquals(status, 500);
  assertStringIncludes(stderr, "wsgi.errors: it takes a string");
});

Deno.test("wsgi.errors written to after the response goes to the server's log", async () => {
  const written = gate();
  await using running = new Running(
    new Gateway(answering((env) => {
      const errors = env["wsgi.errors"];
      errors.write("begun");
      setTimeout(() => {
        errors.write("late");
        errors.write("later\n");
        written.resolve();
      });
      return "x";
    })),
  );
  using peer = await running.connect();
  assertEquals((await peer.ask(request())).stderr, "begun\n");
  await within(written.promise, "the late lines");
  assertEquals(running.logged, ["smisk: late", "smisk: later"]);
});

// Errors of the application

const fails = () => {
  throw new Error("application fails");
};

/** Applications that fail before anything has left. */
const FAIL_EARLY: [string, WsgiApplication][] = [
  ["when it is called", fails],
  ["once started", answering(fails)],
  [
    "with its promise",
    answering(() => Promise.reject(new Error("application fails"))),
  ],
  ["in an async function", async () => {
    await Promise.resolve();
    return fails();
  }],
  [
    "in its first chunk",
    answering(function* () {
      yield "";
      fails();
    }),
  ],
  [
    "in its first chunk, later",
    answering(async function* () {
      await Promise.resolve();
      yield fails();
    }),
  ],
];

for (const [name, app] of FAIL_EARLY) {
  Deno.test(`an application that fails ${name} answers 500`, async () => {
    await using running = new Running(new Gateway(app));
    using peer = await running.connect();
    for (let i = 0; i < 2; i++) {
      const { status, stderr, text, appStatus, headers } = await peer.ask(
        request(),
      );
      assertEquals([status, appStatus], [500, 0]);
      assertStringIncludes(stderr, "Error: application fails\n");
      assertStringIncludes(text, "Internal Server Error");
      assert(!text.includes("application fails"));
      assertEquals(headers["content-type"], "text/html; charset=utf-8");
    }
  });
}

/** Applications that fail after their first chunk. */
const FAIL_LATE: [string, WsgiApplication][] = [
  [
    "a generator",
    answering(function* () {
      yield "begun";
      fails();
    }),
  ],
  [
    "an async generator",
    answering(async function* () {
      await Promise.resolve();
      yield "begun";
      fails();
    }),
  ],
  ["startResponse() with an error", (_, startResponse) => {
    startResponse("200 OK", []);
    return (function* () {
      yield "begun";
      startResponse("500 Oh no", [], new Error("application fails"));
    })();
  }],
  [
    "a chunk that is none",
    answering(function* () {
      yield "begun";
      yield 5 as unknown as string;
    }),
  ],
];

for (const [name, app] of FAIL_LATE) {
  Deno.test(`a response that ${name} fails is broken off`, async () => {
    await using running = new Running(new Gateway(app));
    using peer = await running.connect();
    await peer.send(request());
    const records = await peer.toEnd();
    assertEquals(records.filter(({ type }) => type === END), []);
    const text = records.map(({ content }) => new TextDecoder().decode(content))
      .join("");
    assertStringIncludes(text + running.logged.join("\n"), "Error: ");
    assertStringIncludes(text, "begun");
    assert(!text.includes("Status: 500"));
  });
}

Deno.test("an application that fails once write() was called is not passed off as whole", async () => {
  await using running = new Running(
    new Gateway(async (_, startResponse) => {
      await startResponse("200 OK", [])("begun");
      return fails();
    }),
  );
  using peer = await running.connect();
  await peer.send(request());
  const records = await peer.toEnd();
  assertEquals(records.filter(({ type }) => type === END), []);
});

Deno.test("an HttpError of an application answers its status", async () => {
  const { status, text } = await askWsgi(answering(() => {
    throw new HttpError(404, "No such page");
  }));
  assertEquals(status, 404);
  assertStringIncludes(text, "No such page");
});

Deno.test("error() of a gateway answers for its application", async () => {
  class Own extends Gateway {
    override error(error: unknown) {
      this.response.headers.set("content-type", "text/plain");
      this.response.write(`own: ${(error as Error).message}`);
    }
  }
  for (const [, app] of FAIL_EARLY) {
    await using running = new Running(new Own(app));
    using peer = await running.connect();
    const { status, text } = await peer.ask(request());
    assertEquals([status, text], [500, "own: application fails"]);
  }
});

Deno.test("what an application fails with once the client has gone is told", async () => {
  const called = gate();
  const goOn = gate();
  await using running = new Running(
    new Gateway(answering(async () => {
      called.resolve();
      await goOn.promise;
      return fails();
    })),
    { unix: true },
  );
  using peer = await running.connect();
  await peer.send(request());
  await within(called.promise, "the application");
  peer.close();
  await running.goOn(5);
  goOn.resolve();
  await running.goOn(5);
  assertStringIncludes(running.logged.join("\n"), "application fails");
});
