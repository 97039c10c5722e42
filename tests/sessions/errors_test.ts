// What becomes of a session and its request where the one or the other fails.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { FastCgiError, HttpError } from "../../mod.ts";
import { gate } from "../support/running.ts";
import { END, request, STDOUT } from "../support/wire.ts";
import type { Method } from "./stores.ts";
import { storing } from "./stores.ts";

/** What a store throws is of no class of this package. */
function fail(): never {
  throw new Error("the disk at /secret is full");
}

Deno.test("a store that fails answers 500 without a cookie, and the log says why", async () => {
  for (const method of ["read", "write", "refresh", "destroy"] as Method[]) {
    await using sessions = storing(async (request, response) => {
      const session = await request.session();
      const { pathname } = request.url;
      if (pathname !== "/refresh") session.set("a", crypto.randomUUID());
      if (pathname === "/destroy") await session.destroy();
      response.write("went well");
    });
    const { store, visitor } = sessions;
    await visitor.ask("/write");
    store.before[method] = fail;
    const visit = await visitor.ask(`/${method}`);
    assertEquals([visit.status, visit.setCookies], [500, []], method);
    assert(!visit.text.includes("secret"), visit.text);
    assert(
      visit.stderr.includes(
        `FastCgiError: Cannot ${method} a session: the disk at /secret is full`,
      ),
      visit.stderr,
    );
    assertEquals(sessions.running.logged, []);
    // The next goes well.
    store.before[method] = undefined!;
    assertEquals((await visitor.ask("/write")).status, 200);
  }
});

Deno.test("a store that fails is an error with a code and a cause", async () => {
  await using sessions = storing(async (request, response) => {
    const error = await assertRejects(
      () => request.session(),
      FastCgiError,
      "Cannot read a session: the disk",
    );
    assertEquals([error.code, error.status], ["SESSION_STORE", 500]);
    assertEquals((error.cause as Error).message, "the disk at /secret is full");
    response.write("went on");
  });
  sessions.store.before.read = fail;
  sessions.visitor.cookie = "0".repeat(32);
  const { status, text } = await sessions.visitor.ask();
  assertEquals([status, text], [200, "went on"]);
});

Deno.test("a store that fails when the session is written is told to error()", async () => {
  await using sessions = storing(async (request, response) => {
    (await request.session()).set("a", 1);
    response.headers.set("x-a", "1");
    response.write("went well");
  }, {
    error: (error, _request, response) => {
      response.write(`sorry: ${(error as FastCgiError).code}`);
    },
  });
  sessions.store.before.write = fail;
  const { status, text, headers } = await sessions.visitor.ask();
  assertEquals([status, text], [500, "sorry: SESSION_STORE"]);
  assertEquals([headers["x-a"], headers["set-cookie"]], [undefined, undefined]);
});

Deno.test("a store that fails before a flush ends the response with 500, and the service is told", async () => {
  const told = gate<unknown[]>();
  await using sessions = storing(async (request, response) => {
    (await request.session()).set("a", 1);
    response.write("streaming");
    const flushed = response.flush();
    const error = await assertRejects(() => flushed, FastCgiError);
    told.resolve([error.code, request.signal.reason === error]);
    await response.write("more");
  });
  sessions.store.before.write = fail;
  const visit = await sessions.visitor.ask();
  assertEquals([visit.status, visit.setCookies], [500, []]);
  assertEquals(visit.text, "500 Internal Server Error\n");
  assert(visit.stderr.includes("Cannot write a session"), visit.stderr);
  assertEquals(await told.promise, ["SESSION_STORE", true]);
  await sessions.running.goOn();
  assertEquals(sessions.running.logged, []);
});

Deno.test("a store that fails before an un-awaited flush ends the request all the same", async () => {
  const ended = gate();
  await using sessions = storing(async (request, response) => {
    (await request.session()).set("a", 1);
    response.headers.set("content-type", "text/event-stream");
    response.write("data: 1\n\n");
    // As a stream of events does, which ends with its signal alone.
    await new Promise<void>((resolve) => {
      request.signal.addEventListener("abort", () => resolve());
    });
    ended.resolve();
  });
  sessions.store.before.write = fail;
  assertEquals((await sessions.visitor.ask()).status, 500);
  await ended.promise;
});

Deno.test("a store that fails after the response has left breaks it off, and says so", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    if (request.url.pathname === "/start") session.set("a", 1);
    else {
      await response.write("begun");
      await response.flush();
      session.set("a", 2);
    }
  });
  const { running, store, visitor } = sessions;
  await visitor.ask("/start");
  store.before.write = fail;
  using peer = await running.connect();
  await peer.send(request({ params: visitor.params() }));
  const records = await peer.toEnd();
  assert(records.some(({ type }) => type === STDOUT));
  assert(!records.some(({ type }) => type === END), "it looks whole");
  const log = running.logged.join("\n");
  assert(log.includes("Cannot write a session: the disk"), log);
});

Deno.test("what fails without being awaited fails the request, and not the process", async () => {
  for (const method of ["destroy", "update", "regenerate"] as const) {
    await using sessions = storing(async (request, response) => {
      const session = await request.session();
      const { pathname } = request.url;
      if (pathname === "/start") session.set("a", 1);
      else if (method === "update") session.update("a", () => 2);
      else session[method]();
      response.write("went well");
    });
    const { store, visitor } = sessions;
    await visitor.ask("/start");
    store.before.write = store.before.destroy = fail;
    const { status, stderr } = await visitor.ask("/");
    assertEquals(status, 500, method);
    assert(stderr.includes("the disk at /secret is full"), stderr);
    store.before.write = store.before.destroy = undefined!;
    assertEquals((await visitor.ask("/get")).text, "1");
  }
});

Deno.test("what fails, is awaited and caught is the application's to answer for", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    if (request.url.pathname === "/start") session.set("a", 1);
    else {
      await assertRejects(() => session.destroy(), FastCgiError);
      response.write("still there");
    }
  });
  const { store, visitor } = sessions;
  await visitor.ask("/start");
  store.before.destroy = fail;
  const { status, text } = await visitor.ask("/");
  assertEquals([status, text], [200, "still there"]);
});

Deno.test("session() that nobody awaits and that fails hurts nobody", async () => {
  await using sessions = storing((request, response) => {
    request.session();
    response.write("went well");
  });
  sessions.store.before.read = fail;
  sessions.visitor.cookie = "0".repeat(32);
  for (let i = 0; i < 3; i++) {
    assertEquals((await sessions.visitor.ask()).text, "went well");
  }
  await sessions.running.goOn();
});

Deno.test("session() of a request that is over is an error that says so", async () => {
  const refused = gate<Error>();
  await using sessions = storing((request, response) => {
    response.write("over");
    setTimeout(async () => {
      refused.resolve(await assertRejects(() => request.session(), TypeError));
    });
  });
  await sessions.visitor.ask();
  const { message } = await refused.promise;
  assert(message.startsWith("Cannot open a session of a request that is over"));
});

Deno.test("an error that leaves service() drops what was set, an HttpError below 500 does not", async () => {
  await using sessions = storing(async (request) => {
    const session = await request.session();
    const { pathname } = request.url;
    session.set("a", pathname);
    if (pathname === "/403") throw new HttpError(403, "No");
    if (pathname === "/503") throw new HttpError(503);
    if (pathname === "/error") throw new Error("on purpose");
    if (pathname === "/begun") {
      await request.session();
      throw new TypeError("on purpose");
    }
  });
  const { store, visitor } = sessions;
  for (const [path, status] of [["/503", 503], ["/error", 500]] as const) {
    const visit = await visitor.ask(path);
    assertEquals([visit.status, visit.setCookies], [status, []]);
    assertEquals(store.size, 0);
  }
  const visit = await visitor.ask("/403");
  assertEquals([visit.status, visit.setCookies.length], [403, 1]);
  assertEquals((await visitor.ask("/get")).text, "/403");
  await visitor.ask("/error");
  assertEquals((await visitor.ask("/get")).text, "/403");
});

Deno.test("an error after regenerate() still sends the new id, for the old one is dead", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    session.set("a", request.url.pathname);
    if (request.url.pathname === "/start") return;
    await session.regenerate();
    response.write("begun");
    throw new Error("on purpose");
  });
  const { visitor } = sessions;
  await visitor.ask("/start");
  const visit = await visitor.ask("/fail");
  assertEquals([visit.status, visit.setCookies.length], [500, 1]);
  assertEquals((await visitor.ask("/get")).text, "/start");
});

Deno.test("error() may use the session, and what it sets is stored", async () => {
  await using sessions = storing(() => {
    throw new Error("on purpose");
  }, {
    error: async (_error, request, response) => {
      (await request.session()).set("a", "seen an error");
      response.write("sorry");
    },
  });
  const { store, visitor } = sessions;
  const visit = await visitor.ask();
  assertEquals([visit.status, visit.text], [500, "sorry"]);
  assertEquals((await visitor.ask("/get")).text, "seen an error");
  store.before.write = fail;
  // It is stored no sooner than error() has ended.
  store.before.read = () => store.destroy(visitor.cookie!);
  const failed = await visitor.ask();
  assertEquals([failed.status, failed.text], [
    500,
    "500 Internal Server Error\n",
  ]);
});
