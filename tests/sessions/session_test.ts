// Sessions as an application uses them, on the wire, with the default store.

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Application } from "../../mod.ts";
import type { Session } from "../../mod.ts";
import { MemorySessionStore } from "../../src/sessions/memory.ts";
import { ask } from "../support/ask.ts";
import { Running } from "../support/running.ts";
import { Visitor } from "./visitor.ts";

/** A service whose paths do something to the session. */
function paths(does: Record<string, (session: Session) => unknown>) {
  return new Running(async (request, response) => {
    const { pathname } = request.url;
    const said = await does[pathname]!(await request.session());
    response.write(JSON.stringify(said) ?? "undefined");
  });
}

Deno.test("session() keeps what is set, for the client that has the cookie", async () => {
  await using running = paths({
    "/set": (session) => session.set("name", "Ada"),
    "/get": (session) => session.get("name"),
  });
  const [one, other] = [
    new Visitor(running.server),
    new Visitor(running.server),
  ];
  await one.ask("/set");
  assertEquals((await one.ask("/get")).text, '"Ada"');
  assertEquals((await one.ask("/get")).text, '"Ada"');
  assertEquals((await other.ask("/get")).text, "undefined");
});

Deno.test("session() of Application keeps them without any option", async () => {
  const app = new class extends Application {
    override async service() {
      const session = await this.request.session();
      const n = session.get<number>("n") ?? 0;
      session.set("n", n + 1);
      this.response.write(String(n));
    }
  }();
  await using server = app.listen({ hostname: "127.0.0.1", port: 0 });
  const visitor = new Visitor(server);
  for (const n of ["0", "1", "2"]) {
    assertEquals((await visitor.ask()).text, n);
  }
});

Deno.test("session() sends no cookie and stores nothing where nothing is set", async () => {
  const store = new MemorySessionStore();
  await using running = new Running(async (request, response) => {
    const session = await request.session();
    session.get("name");
    session.delete("name");
    session.set("x", 1);
    session.delete("x");
    response.write("nothing");
  }, { sessions: store });
  const visit = await new Visitor(running.server).ask();
  assertEquals([visit.status, visit.setCookies], [200, []]);
  assertEquals(store.size, 0);
});

Deno.test("session() gives the same session each time, in one request", async () => {
  await ask(async (request) => {
    const [one, other] = await Promise.all([
      request.session(),
      request.session(),
    ]);
    assertStrictEquals(one, other);
    assertStrictEquals(await request.session(), one);
  });
});

Deno.test("session.id is 160 bits of text, the value of the cookie, and another each time", async () => {
  await using running = paths({
    "/": (session) => (session.set("a", 1), session.id),
    "/same": (session) => session.id,
  });
  const ids = new Set<string>();
  for (let i = 0; i < 50; i++) {
    const visitor = new Visitor(running.server);
    const { text } = await visitor.ask();
    assertEquals(JSON.parse(text), visitor.cookie);
    assertMatch(visitor.cookie!, /^[0-9a-v]{32}$/);
    assertEquals((await visitor.ask("/same")).text, text);
    ids.add(text);
  }
  assertEquals(ids.size, 50);
  // Every character takes every value, but for chances of one in 10^18.
  for (const at of [0, 15, 31]) {
    const seen = new Set([...ids].map((id) => id[at + 1]));
    assert(seen.size > 10, `character ${at} is one of ${[...seen]}`);
  }
});

Deno.test("session.get() gives copies: what is done to them changes nothing", async () => {
  await using running = paths({
    "/": (session) => {
      const value = { list: [1] };
      session.set("value", value);
      value.list.push(2);
      session.get<typeof value>("value")!.list.push(3);
      return session.get("value");
    },
    "/get": (session) => {
      session.get<{ list: number[] }>("value")!.list.push(4);
      return session.get("value");
    },
  });
  const visitor = new Visitor(running.server);
  assertEquals((await visitor.ask("/")).text, '{"list":[1]}');
  assertEquals((await visitor.ask("/get")).text, '{"list":[1]}');
  assertEquals((await visitor.ask("/get")).text, '{"list":[1]}');
});

Deno.test("session.delete() removes a value, and leaves the others", async () => {
  await using running = paths({
    "/set": (session) => {
      session.set("a", 1);
      session.set("b", 2);
    },
    "/delete": (session) => {
      session.delete("a");
      return session.get("a") === undefined;
    },
    "/get": (session) => [session.get("a") ?? null, session.get("b")],
  });
  const visitor = new Visitor(running.server);
  await visitor.ask("/set");
  assertEquals((await visitor.ask("/delete")).text, "true");
  assertEquals((await visitor.ask("/get")).text, "[null,2]");
});

Deno.test("session.update() makes a value from the one there is", async () => {
  const seen: unknown[] = [];
  await using running = paths({
    "/": (session) =>
      session.update<number>("n", (n) => {
        seen.push(n);
        return (n ?? 10) + 1;
      }),
    "/set": (session) => {
      session.set("n", 5);
      return session.update<number>("n", (n) => n! * 2);
    },
    "/delete": async (session) => [
      await session.update("n", () => undefined) ?? null,
      session.get("n") ?? null,
    ],
  });
  const visitor = new Visitor(running.server);
  assertEquals((await visitor.ask()).text, "11");
  assertEquals((await visitor.ask()).text, "12");
  assertEquals(seen, [undefined, 11]);
  assertEquals((await visitor.ask("/set")).text, "10");
  assertEquals((await visitor.ask()).text, "11");
  assertEquals((await visitor.ask("/delete")).text, "[null,null]");
  assertEquals((await visitor.ask()).text, "11");
});

for (const ends of ["with it", "after a flush"]) {
  Deno.test(`session.update() that nobody waits for starts a session, where the response leaves ${ends}`, async () => {
    const store = new MemorySessionStore();
    await using running = new Running(async (request, response) => {
      const session = await request.session();
      session.update<number>("n", (n = 0) => n + 1);
      response.write("before");
      if (ends === "after a flush") await response.flush();
      response.write(`, ${session.get("n")}`);
    }, { sessions: store });
    const visitor = new Visitor(running.server);
    await visitor.ask();
    const id = visitor.cookie;
    assertEquals((await store.read(id!))?.get("n"), "1");
    await visitor.ask();
    assertEquals(visitor.cookie, id);
    assertEquals((await store.read(id!))?.get("n"), "2");
    assertEquals(store.size, 1);
  });
}

Deno.test("session.update() lets what its function throws pass", async () => {
  const visit = await ask(async (request, response) => {
    const session = await request.session();
    const error = new Error("on purpose");
    await assertRejects(
      () =>
        session.update("n", () => {
          throw error;
        }),
      Error,
      "on purpose",
    );
    await assertRejects(
      () => session.update("n", () => Promise.resolve(1)),
      TypeError,
      "Cannot keep n in a session: a Promise is no JSON value",
    );
    response.write("caught");
  });
  assertEquals([visit.status, visit.text], [200, "caught"]);
});

Deno.test("session.destroy() ends the session and takes the cookie away", async () => {
  await using running = paths({
    "/set": (session) => session.set("a", 1),
    "/destroy": (session) => session.destroy(),
    "/get": (session) => session.get("a"),
  });
  const visitor = new Visitor(running.server);
  await visitor.ask("/set");
  const old = visitor.cookie;
  const { setCookies } = await visitor.ask("/destroy");
  assertEquals(setCookies, [
    "; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax",
  ]);
  assertEquals(visitor.cookie, null);
  visitor.cookie = old;
  assertEquals((await visitor.ask("/get")).text, "undefined");
});

Deno.test("session.destroy() of a new session sends no cookie", async () => {
  await using running = paths({
    "/": async (session) => {
      session.set("a", 1);
      await session.destroy();
      await session.destroy();
    },
  });
  assertEquals((await new Visitor(running.server).ask()).setCookies, []);
});

Deno.test("a destroyed session refuses, and session() gives a new one", async () => {
  await using running = new Running(async (request, response) => {
    const session = await request.session();
    if (request.url.pathname === "/set") session.set("a", 1);
    else {
      await session.destroy();
      for (
        const use of [
          () => session.get("a"),
          () => session.set("a", 1),
          () => session.delete("a"),
        ]
      ) assertThrows(use, TypeError, "a session that was destroyed");
      for (
        const use of [
          () => session.update("a", () => 1),
          () => session.regenerate(),
        ]
      ) await assertRejects(use, TypeError, "a session that was destroyed");
      const next = await request.session();
      assertStrictEquals(await request.session(), next);
      assertEquals(next.get("a"), undefined);
      next.set("said", "bye");
      response.write(next.id);
    }
  });
  const visitor = new Visitor(running.server);
  await visitor.ask("/set");
  const old = visitor.cookie;
  const { setCookies, text } = await visitor.ask("/destroy");
  assertEquals(setCookies.length, 1);
  assertEquals(visitor.cookie, text);
  assertNotEquals(visitor.cookie, old);
});

Deno.test("session.regenerate() gives another id, and the old one is dead at once", async () => {
  await using running = paths({
    "/set": (session) => session.set("a", 1),
    "/login": async (session) => {
      const old = session.id;
      session.set("user", "Ada");
      await session.regenerate();
      // While the request goes on, and before it has stored anything.
      const thief = new Visitor(running.server, { cookie: old });
      const { text } = await thief.ask("/get");
      return [text, session.id === old];
    },
    "/get": (
      session,
    ) => [session.get("a") ?? null, session.get("user") ?? null],
  });
  const visitor = new Visitor(running.server);
  await visitor.ask("/set");
  const old = visitor.cookie;
  assertEquals((await visitor.ask("/login")).text, '["[null,null]",false]');
  assertNotEquals(visitor.cookie, old);
  assertEquals((await visitor.ask("/get")).text, '[1,"Ada"]');
  visitor.cookie = old;
  assertEquals((await visitor.ask("/get")).text, "[null,null]");
});

Deno.test("session.regenerate() of a new session gives it another id as well", async () => {
  await using running = paths({
    "/": async (session) => {
      const old = session.id;
      session.set("a", 1);
      await session.regenerate();
      await session.regenerate();
      return session.id === old;
    },
    "/get": (session) => session.get("a"),
  });
  const visitor = new Visitor(running.server);
  const { text, setCookies } = await visitor.ask();
  assertEquals([text, setCookies.length], ["false", 1]);
  assertEquals((await visitor.ask("/get")).text, "1");
});

Deno.test("sessions of applications are apart, and one store may be shared", async () => {
  const store = new MemorySessionStore();
  const service = (set: boolean) =>
    new class extends Application {
      override async service() {
        const session = await this.request.session();
        if (set) session.set("a", 1);
        this.response.write(String(session.get("a")));
      }
    }({ sessions: store });
  const [writes, reads] = [service(true), service(false)];
  const apart = new Application();
  assertNotEquals(apart.sessions, store);
  assertStrictEquals(apart.sessions, apart.sessions);
  assertStrictEquals(reads.sessions, store);
  await using one = writes.listen({ hostname: "127.0.0.1", port: 0 });
  await using other = reads.listen({ hostname: "127.0.0.1", port: 0 });
  const visitor = new Visitor(one);
  await visitor.ask();
  const cookie = visitor.cookie;
  assertEquals((await new Visitor(other, { cookie }).ask()).text, "1");
  reads.sessions = new MemorySessionStore();
  assertEquals((await new Visitor(other, { cookie }).ask()).text, "undefined");
});

Deno.test("Application.sessions refuses what is no store", () => {
  for (const none of [null, {}, new Map(), { read() {} }]) {
    assertThrows(
      () => new Application({ sessions: none as never }),
      TypeError,
      "it takes a SessionStore",
    );
  }
});

Deno.test("Application.sessions of an application that has none set is a store at once", async () => {
  const { sessions } = new Application();
  assertEquals([sessions.ttl, sessions.name], [900, "SID"]);
  const id = "0".repeat(32);
  assertEquals(await sessions.read(id), null);
  const changes = new Map([["a", { value: "1" }]]);
  assertEquals(await sessions.write(id, { from: null, changes }), "stored");
  assertEquals(await sessions.read(id), new Map([["a", "1"]]));
  await sessions.refresh(id);
  await sessions.destroy(id);
  assertEquals(await sessions.read(id), null);
});
