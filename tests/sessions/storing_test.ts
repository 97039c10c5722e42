// When a session is stored: before anything of the response leaves, and before
// it ends.

import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Session } from "../../mod.ts";
import type { Peer } from "../support/peer.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import {
  ABORT,
  END,
  GET_VALUES,
  GET_VALUES_RESULT,
  record,
  request,
  STDOUT,
} from "../support/wire.ts";
import { storing } from "./stores.ts";
import { Visitor } from "./visitor.ts";

Deno.test("the store is asked for what is needed, each once", async () => {
  await using sessions = storing(async (request) => {
    const session = await request.session();
    const { pathname } = request.url;
    if (pathname === "/set") {
      session.set("a", 1);
      session.set("b", 2);
    }
    if (pathname === "/same") session.set("a", 1);
    if (pathname === "/back") {
      session.set("a", 2);
      session.set("a", 1);
    }
    if (pathname === "/change") session.set("a", 3);
    if (pathname === "/destroy") await session.destroy();
  });
  const { store, visitor } = sessions;
  for (
    const [path, asked] of [
      ["/new", []],
      ["/set", ["write"]],
      ["/use", ["read", "refresh"]],
      ["/same", ["read", "refresh"]],
      ["/back", ["read", "refresh"]],
      ["/change", ["read", "write"]],
      ["/destroy", ["read", "destroy"]],
    ] as const
  ) {
    store.asked.splice(0);
    assertEquals((await visitor.ask(path)).status, 200);
    assertEquals(store.asked, [...asked], path);
  }
});

/** Records of the response that have come, once all that was sent before has. */
async function sentSoFar(peer: Peer): Promise<number> {
  await peer.send(record(GET_VALUES, 0));
  await peer.until(({ type }) => type === GET_VALUES_RESULT);
  return peer.take().filter(({ type }) => type === STDOUT).length;
}

Deno.test("nothing of a response leaves before its session is stored", async () => {
  for (const kind of ["short", "long", "flushed"]) {
    const writing = gate();
    const going = gate();
    await using sessions = storing(async (request, response) => {
      (await request.session()).set("a", "kept");
      if (kind === "long") await response.write("x".repeat(200_000));
      else response.write("x");
      if (kind === "flushed") await response.flush();
      response.write("y");
    });
    const { running, store, visitor } = sessions;
    store.before.write = () => {
      writing.resolve();
      return going.promise;
    };
    using peer = await running.connect();
    await peer.send(request());
    await writing.promise;
    await running.goOn();
    assertEquals(await sentSoFar(peer), 0, kind);
    going.resolve();
    const visit = visitor.took(await peer.answer());
    assertEquals([visit.status, visit.text.at(-1)], [200, "y"]);
    assertEquals((await visitor.ask("/get")).text, "kept");
    assertEquals(store.asked.filter((method) => method === "write").length, 1);
  }
});

Deno.test("a long response that is written at once keeps its Content-Length", async () => {
  await using sessions = storing(async (request, response) => {
    (await request.session()).set("a", "kept");
    response.write("x".repeat(200_000));
  });
  const { headers } = await sessions.visitor.ask();
  assertEquals(headers["content-length"], "200000");
});

Deno.test("flush() stores what was set before it: who sees it leave finds it", async () => {
  const going = gate();
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    session.set("a", 1);
    await response.flush();
    session.set("a", 2);
    response.write("second");
    await response.flush();
    await going.promise;
    session.set("a", 3);
  });
  const { running, visitor } = sessions;
  using peer = await running.connect();
  await peer.send(request());
  const head = await peer.until(({ type }) => type === STDOUT);
  visitor.cookie = /SID=(\w{32})/.exec(
    new TextDecoder().decode(head.content),
  )![1]!;
  assert(["1", "2"].includes((await visitor.ask("/get")).text));
  await peer.until(({ content }) =>
    new TextDecoder().decode(content).includes("second")
  );
  assertEquals((await visitor.ask("/get")).text, "2");
  going.resolve();
  await peer.answer();
  assertEquals((await visitor.ask("/get")).text, "3");
});

Deno.test("set() after the begin is stored at the end, of a session there is", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    const { pathname } = request.url;
    if (pathname === "/start") session.set("a", "start");
    await response.write("begun");
    await response.flush();
    session.set("a", pathname);
    await session.update("b", () => 1);
  });
  const { visitor } = sessions;
  assertEquals((await visitor.ask("/start")).status, 200);
  await visitor.ask("/one");
  assertEquals((await visitor.ask("/get")).text, "/one");
  await visitor.ask("/two");
  assertEquals((await visitor.ask("/get")).text, "/two");
});

Deno.test("set() of a new session after the begin is an error that says so", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    response.begin();
    for (
      const start of [
        () => session.set("a", 1),
        () => session.delete("a"),
      ]
    ) {
      assertThrows(
        start,
        TypeError,
        "Cannot start a session after the response has begun",
      );
    }
    response.write("refused");
  });
  const { text, setCookies } = await sessions.visitor.ask();
  assertEquals([text, setCookies], ["refused", []]);
  assertEquals(sessions.store.size, 0);
});

Deno.test("set() of a new session goes on after the begin where it was set before", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    session.set("b", 1);
    response.begin();
    session.delete("b");
    session.set("a", "late");
    response.write("?");
  });
  await sessions.visitor.ask();
  assertEquals((await sessions.visitor.ask("/get")).text, "late");
});

Deno.test("a session whose cookie was sent is stored, though nothing is left in it", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    session.set("b", 1);
    response.begin();
    session.delete("b");
  });
  await sessions.visitor.ask();
  assertEquals(sessions.store.size, 1);
});

Deno.test("set() once the request was answered is an error, and no loss", async () => {
  const sessionOf = gate<Session>();
  await using sessions = storing(async (request) => {
    const session = await request.session();
    session.set("a", 1);
    sessionOf.resolve(session);
  });
  await sessions.visitor.ask();
  const session = await sessionOf.promise;
  assertThrows(
    () => session.set("a", 2),
    TypeError,
    "Cannot change a session whose request is over",
  );
  assertEquals(session.get("a"), 1);
});

Deno.test("what is done without being awaited is done before the answer", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    const { pathname } = request.url;
    if (pathname === "/set") session.set("a", 1);
    if (pathname === "/update") session.update("a", () => "updated");
    if (pathname === "/regenerate") session.regenerate();
    if (pathname === "/destroy") session.destroy();
    response.write("?");
  });
  const { visitor } = sessions;
  await visitor.ask("/set");
  await visitor.ask("/update");
  assertEquals((await visitor.ask("/get")).text, "updated");
  const old = visitor.cookie;
  await visitor.ask("/regenerate");
  assertEquals((await visitor.ask("/get")).text, "updated");
  const thief = new Visitor(sessions.running.server, { cookie: old });
  assertEquals((await thief.ask("/get")).text, "undefined");
  thief.cookie = visitor.cookie;
  await visitor.ask("/destroy");
  assertEquals(visitor.cookie, null);
  assertEquals((await thief.ask("/get")).text, "undefined");
});

Deno.test("an aborted request whose service ends well is stored as any other", async () => {
  const opened = gate();
  const aborted = gate();
  const written = gate();
  await using sessions = storing(async (request) => {
    const session = await request.session();
    if (request.url.pathname === "/start") session.set("a", "started");
    else {
      session.set("a", "done");
      const { signal } = request;
      signal.addEventListener("abort", () => aborted.resolve());
      opened.resolve();
      await aborted.promise;
    }
  });
  const { running, store, visitor } = sessions;
  await visitor.ask("/start");
  store.before.write = () => written.resolve();
  using peer = await running.connect();
  await peer.send(request({ params: visitor.params() }));
  await opened.promise;
  await peer.send(record(ABORT, 1));
  await peer.until(({ type }) => type === END);
  await within(written.promise, "the session to be stored");
  assertEquals((await visitor.ask("/get")).text, "done");
});

Deno.test("a time-out answers for a store that does not", async () => {
  const going = gate();
  await using sessions = storing(async (request) => {
    (await request.session()).set("a", 1);
  }, { requestTimeoutMs: 50 });
  sessions.store.before.write = () => going.promise;
  const { status, setCookies } = await sessions.visitor.ask();
  assertEquals([status, setCookies], [504, []]);
  going.resolve();
});

Deno.test("a graceful stop waits until sessions are stored", async () => {
  const writing = gate();
  const going = gate();
  await using sessions = storing(async (request) => {
    (await request.session()).set("a", 1);
  });
  const { running, store } = sessions;
  store.before.write = () => {
    writing.resolve();
    return going.promise;
  };
  using peer = await running.connect();
  await peer.send(request());
  await writing.promise;
  const stopped = running.server.shutdown();
  going.resolve();
  assertEquals((await peer.answer()).status, 200);
  peer.close();
  await within(stopped, "the server to stop");
});
