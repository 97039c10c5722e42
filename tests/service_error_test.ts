import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Application, FastCgiError, HttpError } from "../mod.ts";
import { ask, askOn } from "./support/ask.ts";
import { gate, Running } from "./support/running.ts";
import type { Service } from "./support/running.ts";
import { within } from "./support/peer.ts";
import { ABORT, record, request } from "./support/wire.ts";

function throwing(error: unknown): Service {
  return () => {
    throw error;
  };
}

Deno.test("error() gets what was thrown, with request and response", async () => {
  const thrown = new Error("mine");
  for (const service of [throwing(thrown), () => Promise.reject(thrown)]) {
    let seen: unknown;
    const { status, text, stderr } = await ask(service, {}, {
      error: (error, request, response) => {
        seen = error;
        response.status = 418;
        response.write(`${request.method} failed`);
      },
    });
    assertEquals([seen, status, text, stderr], [
      thrown,
      418,
      "GET failed",
      "",
    ]);
  }
});

Deno.test("error() may be async", async () => {
  const { status, text } = await ask(throwing(new Error("mine")), {}, {
    error: async (error, _request, response) => {
      await Promise.resolve();
      response.write(String(error));
      await Promise.resolve();
    },
  });
  assertEquals([status, text], [500, "Error: mine"]);
});

Deno.test("error() that does nothing answers the status of the error", async () => {
  const options = { error: () => {} };
  assertEquals((await ask(throwing(new Error()), {}, options)).status, 500);
  assertEquals(
    (await ask(throwing(new HttpError(404)), {}, options)).status,
    404,
  );
});

Deno.test("error() that fails answers a minimal 500, logs both, and the process lives", async () => {
  for (
    const error of [
      throwing(new Error("second")) as () => void,
      () => Promise.reject(new Error("second")),
      async () => {
        await Promise.resolve();
        throw new Error("second");
      },
    ]
  ) {
    await using running = new Running(throwing(new Error("first")), { error });
    using peer = await running.connect();
    for (let i = 0; i < 2; i++) {
      const { status, text, headers } = await askOn(peer);
      assertEquals([status, text], [500, "500 Internal Server Error\n"]);
      assertStringIncludes(headers["content-type"]!, "text/plain");
    }
    const log = running.logged.join("\n");
    assertStringIncludes(log, "Error: first");
    assertStringIncludes(log, "Error: second");
  }
});

Deno.test("an error page has its own Content-Type and length, whatever was set", async () => {
  const { status, headers, text } = await ask((_, response) => {
    response.statusText = "Fine";
    response.headers.set("content-type", "application/json");
    response.headers.set("content-length", "5");
    response.headers.set("content-encoding", "gzip");
    response.headers.set("cache-control", "public, max-age=31536000");
    response.headers.set("etag", '"whole"');
    throw new Error("broken");
  });
  assertEquals(status, 500);
  assertEquals(headers.status, "500 Internal Server Error");
  assertEquals(headers["content-type"], "text/html; charset=utf-8");
  assertEquals(headers["content-length"], String(text.length));
  assertStringIncludes(text, "</html>");
  assertEquals(headers["cache-control"], "no-store");
  for (const name of ["content-encoding", "etag"]) {
    assertEquals(headers[name], undefined);
  }
});

Deno.test("an HttpError keeps the headers that belong to its status", async () => {
  const { status, headers } = await ask((_, response) => {
    response.headers.set("www-authenticate", 'Basic realm="x"');
    throw new HttpError(401);
  });
  assertEquals([status, headers["www-authenticate"]], [
    401,
    'Basic realm="x"',
  ]);
});

Deno.test("error() after output has left may still write, and the response is broken off", async () => {
  let hadBegun: boolean | undefined;
  await using running = new Running(async (_, response) => {
    response.write("begun");
    await response.flush();
    throw new Error("broken");
  }, {
    error: (_error, _request, response) => {
      hadBegun = response.hasBegun;
      response.write(" and more");
    },
  });
  using peer = await running.connect();
  await peer.send(request());
  const records = await peer.toEnd();
  assertEquals(records.filter(({ type }) => type === 3), []);
  assertEquals(hadBegun, true);
});

Deno.test("an error after an abort is not answered; the abort's own is no news", async () => {
  const [entered, ended] = [gate(), gate()];
  const errors: unknown[] = [];
  await using running = new Running(async (request) => {
    if (request.url.pathname !== "/") return;
    entered.resolve();
    try {
      await new Promise((_, reject) => {
        request.signal.onabort = () => reject(request.signal.reason);
      });
    } finally {
      ended.resolve();
    }
  }, { error: (error) => void errors.push(error) });
  using peer = await running.connect();
  await peer.send(request({ id: 7 }));
  await within(entered.promise, "the service to be called");
  await peer.send(record(ABORT, 7));
  await within(ended.promise, "the signal to fire");
  const { lines } = await peer.answer(7);
  assertEquals(lines, []);
  await askOn(peer, { params: { REQUEST_URI: "/other" } });
  assertEquals([errors, running.logged], [[], []]);
});

Deno.test("writing after an abort fails where it is awaited, and is silent where not", async () => {
  const [entered, ended] = [gate(), gate<unknown>()];
  await using running = new Running(async (request, response) => {
    if (request.url.pathname !== "/") return;
    entered.resolve();
    await new Promise((resolve) => request.signal.onabort = resolve);
    response.write("unawaited");
    response.flush();
    assertEquals(request.isActive, false);
    ended.resolve(await response.write("awaited").catch((error) => error));
  });
  using peer = await running.connect();
  await peer.send(request({ id: 7 }));
  await within(entered.promise, "the service to be called");
  await peer.send(record(ABORT, 7));
  const error = await within(ended.promise, "the write to fail");
  assertInstanceOf(error, FastCgiError);
  assertEquals(error.code, "ABORTED");
  await askOn(peer, { params: { REQUEST_URI: "/other" } });
  assertEquals(running.logged, []);
});

Deno.test("signal, first asked for after the answer, never fires", async () => {
  const kept: { signal: AbortSignal }[] = [];
  await using running = new Running((request) => void kept.push(request));
  {
    using peer = await running.connect();
    // The answer leaves before the body is complete, which never comes.
    const whole = request({ body: "12345" });
    await peer.send(whole.subarray(0, -8 - 13));
    await peer.until(({ type }) => type === 6, "the answer");
    await peer.send(record(ABORT, 1));
    await peer.until(({ type }) => type === 3, "the end");
  }
  assertEquals(kept[0]!.signal.aborted, false);
});

Deno.test("isActive tells whether it can still be answered", async () => {
  let kept: { isActive: boolean } | undefined;
  const { text } = await ask((request, response) => {
    kept = request;
    response.write(String(request.isActive));
  });
  assertEquals([text, kept!.isActive], ["true", false]);
});

Deno.test("an error in one application's start does not disturb another", async () => {
  const failing = new class extends Application {
    override applicationWillStart() {
      throw new Error("no");
    }
  }().listen({ hostname: "127.0.0.1", port: 0 });
  await assertRejects(() => failing.finished, Error, "no");
  assertEquals((await ask(() => {})).status, 200);
});
