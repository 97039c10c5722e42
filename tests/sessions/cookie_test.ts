// The cookie of a session on the wire: when it is sent, with what attributes,
// and what is made of one that comes.

import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import type { CookieOptions } from "../../mod.ts";
import { MemorySessionStore } from "../../src/sessions/memory.ts";
import type { RunningOptions } from "../support/running.ts";
import { Running } from "../support/running.ts";
import { Visitor } from "./visitor.ts";

const HTTPS = { HTTPS: "on" };

/** A service that sets what its path says, and says what it has. */
function setting(
  options: RunningOptions = {},
  attributes: CookieOptions = {},
): Running {
  return new Running(async (request, response) => {
    const session = await request.session(attributes);
    const { pathname, search } = request.url;
    if (pathname === "/set") session.set("a", search);
    if (pathname === "/destroy") await session.destroy();
    if (pathname === "/regenerate") await session.regenerate();
    else response.write(String(pathname === "/get" && session.get("a")));
  }, options);
}

/** The attributes that a first visit is given. */
async function attributesOf(
  options: RunningOptions,
  attributes: CookieOptions = {},
  params: Record<string, string> = {},
): Promise<string> {
  await using running = setting(options, attributes);
  const name = options.sessions?.name ?? "SID";
  const visitor = new Visitor(running.server, { name });
  const { setCookies } = await visitor.ask({ path: "/set", params });
  assertEquals(setCookies.length, 1);
  return setCookies[0]!.slice(32);
}

Deno.test("the cookie is HttpOnly, SameSite=Lax, of all paths, and Secure on https alone", async () => {
  assertEquals(await attributesOf({}), "; Path=/; HttpOnly; SameSite=Lax");
  const secure = "; Path=/; HttpOnly; Secure; SameSite=Lax";
  for (
    const params of [
      { HTTPS: "on" },
      { HTTPS: "1" },
      { REQUEST_SCHEME: "https" },
    ]
  ) {
    assertEquals(await attributesOf({}, {}, params as never), secure);
  }
  assertEquals(
    await attributesOf({}, {}, { HTTPS: "off" }),
    "; Path=/; HttpOnly; SameSite=Lax",
  );
});

Deno.test("the cookie of a __Host- name is Secure always, as browsers want it", async () => {
  const sessions = new MemorySessionStore({ name: "__Host-SID" });
  assertEquals(
    await attributesOf({ sessions }),
    "; Path=/; HttpOnly; Secure; SameSite=Lax",
  );
});

Deno.test("sessionCookie changes the attributes of all, session(options) those of one", async () => {
  const sessionCookie: CookieOptions = {
    domain: "example.org",
    path: "/app",
    sameSite: "strict",
    secure: true,
  };
  assertEquals(
    await attributesOf({ sessionCookie }),
    "; Domain=example.org; Path=/app; HttpOnly; Secure; SameSite=Strict",
  );
  assertEquals(
    await attributesOf({ sessionCookie }, {
      httpOnly: false,
      path: "/x",
      sameSite: "none",
      partitioned: true,
    }),
    "; Domain=example.org; Path=/x; Secure; Partitioned; SameSite=None",
  );
  assertEquals(
    await attributesOf({ sessionCookie: { secure: false } }, {}, HTTPS),
    "; Path=/; HttpOnly; SameSite=Lax",
  );
});

Deno.test("destroy() deletes the cookie where it was set: of the same domain and path", async () => {
  await using running = setting({
    sessionCookie: { domain: "example.org", path: "/app", maxAge: 60 },
  });
  const visitor = new Visitor(running.server);
  await visitor.ask("/set");
  assertEquals((await visitor.ask("/destroy")).setCookies, [
    "; Max-Age=0; Domain=example.org; Path=/app; " +
    "Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax",
  ]);
});

Deno.test("the cookie is sent with a new id alone, or each time where it has an end of its own", async () => {
  for (
    const [attributes, expected] of [
      [{}, [1, 0, 0, 1]],
      [{ maxAge: 60 }, [1, 1, 1, 1]],
      [{ expires: new Date(Date.UTC(2099, 0)) }, [1, 1, 1, 1]],
    ] as const
  ) {
    await using running = setting({ sessionCookie: attributes });
    const visitor = new Visitor(running.server);
    const sent: number[] = [];
    for (const path of ["/set", "/set?2", "/get", "/regenerate"]) {
      sent.push((await visitor.ask(path)).setCookies.length);
    }
    assertEquals(sent, [...expected]);
  }
});

Deno.test("session(options) of a session there is sends the cookie anew, with the same id", async () => {
  let attributes: CookieOptions = {};
  await using running = new Running(async (request, response) => {
    const session = await request.session();
    if (request.url.pathname === "/set") session.set("a", 1);
    await request.session(attributes);
    response.write("?");
  });
  const visitor = new Visitor(running.server);
  await visitor.ask("/set");
  const id = visitor.cookie;
  attributes = { maxAge: 3600 };
  assertEquals((await visitor.ask()).setCookies, [
    `${id}; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax`,
  ]);
});

Deno.test("session() refuses attributes that cannot be, and those after the begin", async () => {
  await using running = new Running(async (request, response) => {
    const wrong: [CookieOptions, ErrorConstructor, string][] = [
      [{ path: "/; Secure" }, TypeError, "the path"],
      [{ domain: "a\r\nX: y" }, TypeError, "the domain"],
      [{ sameSite: "Lax; Secure" as "lax" }, TypeError, "sameSite"],
      [{ maxAge: 0.5 }, RangeError, "maxAge"],
    ];
    for (const [attributes, type, message] of wrong) {
      await assertRejects(() => request.session(attributes), type, message);
    }
    const session = await request.session();
    session.set("a", 1);
    response.begin();
    await request.session();
    await assertRejects(
      () => request.session({ maxAge: 1 }),
      TypeError,
      "after the response has begun",
    );
    response.write("refused");
  });
  const { text, setCookies } = await new Visitor(running.server).ask();
  assertEquals([text, setCookies.length], ["refused", 1]);
  assertEquals(running.logged, []);
});

Deno.test("an id that is unknown is never taken on", async () => {
  await using running = setting();
  const planted = "0123456789abcdefghijklmnopqrstuv";
  const visitor = new Visitor(running.server, { cookie: planted });
  const { setCookies } = await visitor.ask("/get");
  assertEquals(setCookies, []);
  await visitor.ask("/set?mine");
  assertNotEquals(visitor.cookie, planted);
  assertEquals((await visitor.ask("/get")).text, "?mine");
  const thief = new Visitor(running.server, { cookie: planted });
  assertEquals((await thief.ask("/get")).text, "undefined");
});

Deno.test("an id whose session is over is not taken on again", async () => {
  let now = 0;
  const sessions = new MemorySessionStore({ ttl: 60, now: () => now });
  await using running = setting({ sessions });
  const visitor = new Visitor(running.server);
  await visitor.ask("/set?mine");
  const old = visitor.cookie;
  for (let i = 0; i < 3; i++) {
    // Merely to be asked for keeps it.
    now += 59_000;
    assertEquals((await visitor.ask("/get")).text, "?mine");
  }
  now += 61_000;
  const { text, setCookies } = await visitor.ask("/get");
  assertEquals([text, setCookies], ["undefined", []]);
  await visitor.ask("/set?again");
  assertNotEquals(visitor.cookie, old);
  assertEquals((await visitor.ask("/get")).text, "?again");
  visitor.cookie = old;
  assertEquals((await visitor.ask("/get")).text, "undefined");
});

Deno.test("an id that is malformed is as none, and no store sees it", async () => {
  const asked: string[] = [];
  const sessions = new class extends MemorySessionStore {
    override read(id: string) {
      asked.push(id);
      return super.read(id);
    }
  }();
  await using running = setting({ sessions });
  for (
    const cookie of [
      "",
      "x",
      "0".repeat(31),
      "0".repeat(33),
      "W".repeat(32),
      "0".repeat(31) + "-",
      "../../../../../../../../etc/pass",
      "..%2f..%2f..%2f..%2fetc%2fpasswd",
      "%00".repeat(32),
      "%0a".repeat(32),
      "__proto__",
      "%ff",
      `"${"0".repeat(31)}"`,
      "é".repeat(32),
      "0".repeat(31) + "%0a",
    ]
  ) {
    const visitor = new Visitor(running.server, { cookie });
    const { status, text, setCookies } = await visitor.ask("/get");
    assertEquals([status, text, setCookies], [200, "undefined", []], cookie);
    await visitor.ask("/set?mine");
    assertNotEquals(visitor.cookie, cookie);
    assertEquals((await visitor.ask("/get")).text, "?mine");
  }
  assertEquals(asked.filter((id) => !/^[0-9a-v]{32}$/.test(id)), []);
});

Deno.test("of several cookies of the name the first counts", async () => {
  await using running = setting();
  const visitor = new Visitor(running.server);
  await visitor.ask("/set?mine");
  const id = visitor.cookie!;
  const other = "0".repeat(32);
  visitor.cookie = `${id}; SID=${other}`;
  assertEquals((await visitor.ask("/get")).text, "?mine");
  visitor.cookie = `${other}; SID=${id}`;
  assertEquals((await visitor.ask("/get")).text, "undefined");
});

Deno.test("the cookie comes with HEAD, 304, 204 and a redirect, and what was set is stored", async () => {
  await using running = new Running(async (request, response) => {
    const session = await request.session();
    const { pathname } = request.url;
    if (pathname === "/get") response.write(String(session.get("a")));
    else {
      session.set("a", pathname);
      if (pathname === "/302") response.redirect("/get");
      else response.status = Number(pathname.slice(1));
      if (pathname === "/200") response.write("body");
    }
  });
  for (const path of ["/200", "/204", "/304", "/302"]) {
    for (const REQUEST_METHOD of ["HEAD", "GET"]) {
      const visitor = new Visitor(running.server);
      const visit = await visitor.ask({ path, params: { REQUEST_METHOD } });
      assertEquals(visit.setCookies.length, 1);
      assertEquals(visit.status, Number(path.slice(1)));
      const hasBody = path === "/200" && REQUEST_METHOD === "GET";
      assertEquals(visit.text, hasBody ? "body" : "");
      assertEquals((await visitor.ask("/get")).text, path);
    }
  }
});

Deno.test("a response with the cookie is private, unless it says how it may be cached", async () => {
  await using running = new Running(async (request, response) => {
    const session = await request.session();
    session.set("a", 1);
    const { search } = request.url;
    if (search !== "") {
      response.headers.set("cache-control", search.slice(1));
    }
    response.headers.set("content-length", "4");
    response.write("body");
  });
  const visitor = new Visitor(running.server);
  const first = await visitor.ask("/");
  assertEquals(first.headers["cache-control"], "private");
  assertEquals(first.headers["content-length"], "4");
  assertEquals(first.lines.at(-1), "Status: 200 OK");
  const second = await visitor.ask("/");
  assertEquals(second.headers["cache-control"], undefined);
  const own = await new Visitor(running.server).ask("/?no-store");
  assertEquals(own.headers["cache-control"], "no-store");
});

Deno.test("the cookie stands beside those that the application sets", async () => {
  await using running = new Running(async (request, response) => {
    response.setCookie("theme", "dark");
    (await request.session()).set("a", 1);
    response.write("?");
  });
  const { headers } = await new Visitor(running.server).ask();
  const lines = headers["set-cookie"]!.split("\n");
  assertEquals(lines.map((line) => line.split("=")[0]), ["theme", "SID"]);
});

Deno.test("a store's name is the cookie's, and must be able to be", async () => {
  const sessions = new MemorySessionStore({ name: "visit" });
  await using running = setting({ sessions });
  const visitor = new Visitor(running.server, { name: "visit" });
  await visitor.ask("/set?mine");
  assertEquals((await visitor.ask("/get")).text, "?mine");
});
