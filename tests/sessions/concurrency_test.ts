// Requests of one session at the same time: none that was answered for is lost.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { FastCgiError } from "../../mod.ts";
import type { Session } from "../../mod.ts";
import { gate } from "../support/running.ts";
import { storing } from "./stores.ts";
import type { Storing } from "./stores.ts";
import { Visitor } from "./visitor.ts";

/**
 * A service of which every request has read its session before any of them
 * goes on.
 */
function together(
  count: number,
  use: (session: Session, path: string) => unknown,
): Storing {
  const met = gate();
  let come = 0;
  return storing(async (request, response) => {
    const session = await request.session();
    const { pathname } = request.url;
    if (pathname === "/start") session.set("a", 0);
    else {
      const said = use(session, pathname);
      if (++come === count) met.resolve();
      await met.promise;
      response.write(String(await said));
    }
  });
}

/** Starts a session, and asks for paths of it at the same time. */
async function askTogether(
  { visitor, running }: Storing,
  paths: string[],
): Promise<{ statuses: number[]; texts: string[] }> {
  await visitor.ask("/start");
  const { cookie } = visitor;
  const visits = await Promise.all(
    paths.map((path) => new Visitor(running.server, { cookie }).ask(path)),
  );
  return {
    statuses: visits.map(({ status }) => status),
    texts: visits.map(({ text }) => text),
  };
}

Deno.test("requests at the same time that set different keys lose none", async () => {
  const count = 20;
  await using sessions = together(count, (session, path) => {
    session.set(path, path);
  });
  const paths = Array.from({ length: count }, (_, i) => `/${i}`);
  const { statuses } = await askTogether(sessions, paths);
  assertEquals(statuses, paths.map(() => 200));
  const data = await sessions.store.read(sessions.visitor.cookie!);
  assertEquals([...data!.keys()].sort(), ["a", ...paths].sort());
});

Deno.test("requests at the same time that set one key without having got it: the last counts", async () => {
  await using sessions = together(2, (session, path) => {
    session.set("a", path);
  });
  const { statuses } = await askTogether(sessions, ["/1", "/2"]);
  assertEquals(statuses, [200, 200]);
  const { text } = await sessions.visitor.ask("/get");
  assert(["/1", "/2"].includes(text), text);
});

Deno.test("requests at the same time that get and set one key: one comes through, the others answer 409", async () => {
  const count = 5;
  await using sessions = together(count, (session) => {
    session.set("a", session.get<number>("a")! + 1);
  });
  const paths = Array<string>(count).fill("/");
  const { statuses, texts } = await askTogether(sessions, paths);
  assertEquals(statuses.sort(), [200, 409, 409, 409, 409]);
  assert(texts.some((text) => text.includes("at the same time: try again")));
  assertEquals((await sessions.visitor.ask("/get")).text, "1");
});

Deno.test("a request that answers 409 has stored nothing", async () => {
  await using sessions = together(2, (session, path) => {
    session.set("a", session.get<number>("a")! + 1);
    session.set(path, 1);
  });
  const paths = ["/1", "/2"];
  const { statuses } = await askTogether(sessions, paths);
  const data = await sessions.store.read(sessions.visitor.cookie!);
  assertEquals(data!.size, 2);
  assert(data!.has(paths[statuses.indexOf(200)]!));
});

Deno.test("of requests that get and delete a key one alone comes through", async () => {
  await using sessions = together(3, (session) => {
    const token = session.get("a");
    session.delete("a");
    return token;
  });
  const { statuses } = await askTogether(sessions, ["/", "/", "/"]);
  assertEquals(statuses.sort(), [200, 409, 409]);
});

Deno.test("update() of requests at the same time counts each of them", async () => {
  const count = 20;
  await using sessions = together(
    count,
    (session) => session.update<number>("a", (a) => a! + 1),
  );
  const paths = Array<string>(count).fill("/");
  const { statuses, texts } = await askTogether(sessions, paths);
  assertEquals(statuses, paths.map(() => 200));
  // Each was told a number of its own.
  assertEquals(new Set(texts).size, count);
  assertEquals((await sessions.visitor.ask("/get")).text, String(count));
});

Deno.test("a value that others change while one is read stays as it was read", async () => {
  const read = gate();
  const changed = gate();
  await using sessions = storing(async (request, response) => {
    const session = await request.session();
    const { pathname } = request.url;
    if (pathname === "/start") session.set("a", 1);
    if (pathname === "/change") session.set("a", 2);
    if (pathname === "/slow") {
      read.resolve();
      await changed.promise;
      response.write(`${session.get("a")}`);
    }
  });
  const { visitor, running } = sessions;
  await visitor.ask("/start");
  const { cookie } = visitor;
  const slow = new Visitor(running.server, { cookie }).ask("/slow");
  await read.promise;
  await visitor.ask("/change");
  changed.resolve();
  assertEquals((await slow).text, "1");
  assertEquals((await visitor.ask("/get")).text, "2");
});

/** Lets one request of a session wait while another does something to it. */
async function meanwhile(
  does: (session: Session) => Promise<void>,
  then: (session: Session) => unknown,
): Promise<{ slow: number; cookie: string | null; sessions: Storing }> {
  const read = gate();
  const done = gate();
  const sessions = storing(async (request, response) => {
    const session = await request.session();
    const { pathname } = request.url;
    if (pathname === "/start") session.set("a", 1);
    if (pathname === "/do") await does(session);
    if (pathname === "/slow") {
      read.resolve();
      await done.promise;
      await then(session);
      response.write("went well");
    }
  });
  const { visitor, running } = sessions;
  await visitor.ask("/start");
  const { cookie } = visitor;
  const slow = new Visitor(running.server, { cookie }).ask("/slow");
  await read.promise;
  await visitor.ask("/do");
  done.resolve();
  return { slow: (await slow).status, cookie, sessions };
}

Deno.test("what a request sets in a session that another has ended answers 409, and wakes it not", async () => {
  for (const method of ["destroy", "regenerate"] as const) {
    const { slow, cookie, sessions } = await meanwhile(
      (session) => session[method](),
      (session) => session.set("a", 2),
    );
    await using _ = sessions;
    assertEquals(slow, 409);
    const thief = new Visitor(sessions.running.server, { cookie });
    assertEquals((await thief.ask("/get")).text, "undefined");
    const { text } = await sessions.visitor.ask("/get");
    assertEquals(text, method === "destroy" ? "undefined" : "1");
  }
});

Deno.test("a request that merely uses a session that another has ended goes on", async () => {
  const { slow, cookie, sessions } = await meanwhile(
    (session) => session.destroy(),
    (session) => assertEquals(session.get("a"), 1),
  );
  await using _ = sessions;
  assertEquals(slow, 200);
  const thief = new Visitor(sessions.running.server, { cookie });
  assertEquals((await thief.ask("/get")).text, "undefined");
});

Deno.test("update() and regenerate() of a session that another has ended say so", async () => {
  for (const method of ["update", "regenerate"] as const) {
    const { slow, sessions } = await meanwhile(
      (session) => session.destroy(),
      async (session) => {
        const error = await assertRejects(
          () =>
            method === "update"
              ? session.update("a", () => 2)
              : session.regenerate(),
          FastCgiError,
        );
        assertEquals([error.code, error.status], ["SESSION_CONFLICT", 409]);
      },
    );
    await using _ = sessions;
    assertEquals(slow, 200);
    assertEquals(sessions.store.size, 0);
  }
});

Deno.test("destroy() of a session that another has ended is none the worse", async () => {
  const { slow, sessions } = await meanwhile(
    (session) => session.destroy(),
    (session) => session.destroy(),
  );
  await using _ = sessions;
  assertEquals([slow, sessions.store.size], [200, 0]);
});
