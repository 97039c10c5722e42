import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type {
  StartResponse,
  WsgiHeaders,
  WsgiWrite,
} from "../../src/gateway/wsgi_types.ts";
import { askWsgi } from "../support/wsgi.ts";

const PLAIN: WsgiHeaders = [["Content-Type", "text/plain"]];

Deno.test("startResponse() called twice is an error, and the first stands", async () => {
  const { status, headers, text } = await askWsgi((_, startResponse) => {
    startResponse("201 Created", [["X-Call", "1"]]);
    for (const none of [undefined, null]) {
      assertThrows(
        () => startResponse("202 Accepted", [["X-Call", "2"]], none),
        TypeError,
        "started already",
      );
    }
    return "body";
  });
  assertEquals([status, headers["x-call"], text], [201, "1", "body"]);
});

Deno.test("startResponse() called twice, where that is not caught, answers 500", async () => {
  const { status, stderr } = await askWsgi((_, startResponse) => {
    startResponse("200 OK", PLAIN);
    startResponse("200 OK", PLAIN);
    return "body";
  });
  assertEquals(status, 500);
  assertStringIncludes(stderr, "started already");
});

for (const error of [new Error("late"), "a string", 0, false, ""]) {
  Deno.test(`startResponse() with ${JSON.stringify(error) ?? error} for an error replaces what was set`, async () => {
    const { lines, text } = await askWsgi((_, startResponse) => {
      startResponse("200 OK", [["X-Call", "1"], ["X-First", "1"]]);
      startResponse("500 Oh no", [["X-Call", "2"]], error);
      return "failed";
    });
    assertEquals(lines, [
      "X-Call: 2",
      "Content-Length: 6",
      "Status: 500 Oh no",
    ]);
    assertEquals(text, "failed");
  });
}

Deno.test("startResponse() may be called with an error at first", async () => {
  const { status } = await askWsgi((_, startResponse) => {
    startResponse("500 Oh no", PLAIN, new Error("early"));
    return "";
  });
  assertEquals(status, 500);
});

Deno.test("startResponse() with an error replaces until a chunk is not empty", async () => {
  const { status, text } = await askWsgi(function (_, startResponse) {
    startResponse("200 OK", PLAIN);
    return (function* () {
      yield "";
      yield new Uint8Array(0);
      startResponse("503 Later", PLAIN, new Error("late"));
      yield "failed";
    })();
  });
  assertEquals([status, text], [503, "failed"]);
});

Deno.test("startResponse() with an error throws it once headers have left", async () => {
  const late = new Error("late");
  const thrown: unknown[] = [];
  const { status, headers, text, appStatus } = await askWsgi(
    function (_, startResponse) {
      startResponse("200 OK", [["X-Call", "1"]]);
      return (function* () {
        yield "begun";
        try {
          startResponse("500 Oh no", [["X-Call", "2"]], late);
        } catch (error) {
          thrown.push(error);
        }
        yield ", and ended";
      })();
    },
  );
  assert(thrown.length === 1 && thrown[0] === late);
  assertEquals([status, headers["x-call"]], [200, "1"]);
  assertEquals([text, appStatus], ["begun, and ended", 0]);
});

Deno.test("startResponse() throws what it is given, after write() too", async () => {
  const thrown: unknown[] = [];
  await askWsgi((_, startResponse) => {
    startResponse("200 OK", PLAIN)("begun");
    for (const error of [0, "text", null]) {
      try {
        startResponse("500 Oh no", PLAIN, error);
      } catch (error) {
        thrown.push(error);
      }
    }
    return "";
  });
  assertEquals(thrown.slice(0, 2), [0, "text"]);
  assert(thrown[2] instanceof TypeError);
});

Deno.test("startResponse() may be called while the first chunk is made", async () => {
  for (const isAsync of [false, true]) {
    const { status, text } = await askWsgi((_, startResponse) => {
      function* body() {
        startResponse("202 Accepted", PLAIN);
        yield "late";
      }
      async function* bodyLater() {
        await Promise.resolve();
        yield* body();
      }
      return isAsync ? bodyLater() : body();
    });
    assertEquals([status, text], [202, "late"]);
  }
});

for (
  const [name, app] of [
    ["an array", () => ["x"]],
    ["an empty array", () => []],
    ["a string", () => "x"],
    ["a generator", () =>
      (function* () {
        yield "x";
      })()],
    ["an empty generator", () => (function* () {})()],
    ["a generator of nothing", () =>
      (function* () {
        yield "";
      })()],
    ["an async generator", () =>
      (async function* () {
        await Promise.resolve();
        yield "x";
      })()],
    ["a promise", () => Promise.resolve(["x"])],
  ] as [string, () => string][]
) {
  Deno.test(`an application that returns ${name} and never starts answers 500`, async () => {
    const { status, stderr, headers } = await askWsgi(app);
    assertEquals(status, 500);
    assertStringIncludes(stderr, "call startResponse before the first chunk");
    assertStringIncludes(headers["content-type"]!, "text/html");
  });
}

Deno.test("an application that yields even nothing before it starts answers 500", async () => {
  const { status } = await askWsgi(function (_, startResponse) {
    return (function* () {
      yield "";
      startResponse("200 OK", PLAIN);
      yield "late";
    })();
  });
  assertEquals(status, 500);
});

Deno.test("startResponse() and write() are errors once the response is over", async () => {
  let start: StartResponse;
  let write: WsgiWrite;
  await askWsgi((_, startResponse) => {
    start = startResponse;
    write = startResponse("200 OK", PLAIN);
    return "x";
  });
  assertThrows(() => start("200 OK", PLAIN), TypeError);
  assertThrows(() => write("x"), TypeError, "over");
  const error = new Error("late");
  assertThrows(() => start("200 OK", PLAIN, error), Error, "late");
  await askWsgi((_, startResponse) => {
    start = startResponse;
    throw new Error("fails");
  });
  assertThrows(() => start("200 OK", PLAIN), TypeError, "over");
});
