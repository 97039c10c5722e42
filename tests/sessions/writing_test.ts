// What a request does to its session while a write of it is under way, and
// between two.

import {
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { LimitError } from "../../mod.ts";
import { gate } from "../support/running.ts";
import { storing } from "./stores.ts";

Deno.test("what is set while a write is under way is stored by the next, and is no conflict", async () => {
  const writing = gate();
  const going = gate();
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    if (request.url.pathname === "/start") {
      session.set("a", 0);
      session.set("b", 0);
      return;
    }
    session.set("a", session.get<number>("a")! + 1);
    session.set("c", 1);
    const flushed = response.flush();
    await writing.promise;
    assertEquals([session.get("a"), session.get("c")], [1, 1]);
    session.set("a", session.get<number>("a")! + 1);
    session.set("c", 2);
    session.delete("b");
    going.resolve();
    await flushed;
    assertEquals([session.get("a"), session.get("b")], [2, undefined]);
    session.set("c", 3);
  });
  const { store, visitor } = sessions;
  await visitor.ask("/start");
  store.before.write = () => {
    writing.resolve();
    return going.promise;
  };
  assertEquals((await visitor.ask("/")).status, 200);
  const data = await store.read(visitor.cookie!);
  assertEquals([...data!], [["a", "2"], ["c", "3"]]);
});

Deno.test("what was stored amid a request counts once towards maxBytes", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    session.set("a", "x".repeat(20_000));
    await response.flush();
    session.set("a", "y".repeat(20_000));
    await response.flush();
    await session.update("b", () => "x".repeat(12_000));
    await session.update("b", () => "y".repeat(12_000));
    session.set("c", "x".repeat(740));
    assertThrows(() => session.set("d", 1234567), LimitError, "32773 bytes");
    session.delete("a");
    await response.flush();
    session.set("d", "x".repeat(20_000));
  });
  const { status, stderr } = await sessions.visitor.ask();
  assertEquals([status, stderr], [200, ""]);
  const data = await sessions.store.read(sessions.visitor.cookie!);
  assertEquals([...data!.keys()].sort(), ["b", "c", "d"]);
});

Deno.test("a value set again after it was stored is stored where nobody else has changed it", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    const { pathname } = request.url;
    if (pathname === "/start") session.set("a", 0);
    if (pathname === "/other") session.set("a", 10);
    if (pathname === "/twice") {
      session.set("a", session.get<number>("a")! + 1);
      await response.flush();
      if (request.url.search === "?other") await visitor.ask("/other");
      session.set("a", session.get<number>("a")! + 1);
    }
  });
  const { visitor, running } = sessions;
  await visitor.ask("/start");
  assertEquals((await visitor.ask("/twice")).text, "");
  assertEquals((await visitor.ask("/get")).text, "2");
  // The second comes too late for another status: it is broken off, and logged.
  await assertRejects(
    () => visitor.ask("/twice?other"),
    Error,
    "Closed before",
  );
  assertEquals((await visitor.ask("/get")).text, "10");
  assertStringIncludes(running.logged.join("\n"), "has changed the session");
});

Deno.test("several things that nobody awaits are done one after the other, before the answer", async () => {
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    if (request.url.pathname === "/start") session.set("a", 1);
    else {
      session.update<number>("a", (a) => a! + 1);
      session.regenerate();
      session.update<number>("a", (a) => a! * 10);
      session.regenerate();
      session.set("b", session.id);
      session.update<number>("a", (a) => a! + 5);
      response.write(session.id);
    }
  });
  const { store, visitor } = sessions;
  await visitor.ask("/start");
  const { status, text } = await visitor.ask("/");
  assertEquals([status, text], [200, visitor.cookie]);
  assertEquals((await visitor.ask("/get")).text, "25");
  assertEquals(store.size, 1);
});

Deno.test("set(), update() and set() of one key follow one another", async () => {
  await using sessions = storing(async (request) => {
    const session = await request.session();
    const { pathname } = request.url;
    if (pathname === "/start") session.set("a", 1);
    else {
      session.set("a", session.get<number>("a")! * 10);
      await session.update<number>("a", (a) => a! + 1);
      assertEquals(session.get("a"), 11);
      session.set("a", session.get<number>("a")! * 10);
      if (pathname === "/fail") throw new Error("on purpose");
    }
  });
  const { visitor } = sessions;
  await visitor.ask("/start");
  assertEquals((await visitor.ask("/")).status, 200);
  assertEquals((await visitor.ask("/get")).text, "110");
  // What update() has stored stays, with what it was made from.
  assertEquals((await visitor.ask("/fail")).status, 500);
  assertEquals((await visitor.ask("/get")).text, "1101");
});
