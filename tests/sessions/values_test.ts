// What a session takes: JSON and no more, up to its store's bound.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { LimitError } from "../../mod.ts";
import type { Session } from "../../mod.ts";
import { MemorySessionStore } from "../../src/sessions/memory.ts";
import { ask } from "../support/ask.ts";
import { Running } from "../support/running.ts";
import { Visitor } from "./visitor.ts";

/** Lends a session to a function, and asserts that it went well. */
async function withSession(
  use: (session: Session) => void | Promise<void>,
  store = new MemorySessionStore(),
): Promise<void> {
  const { status, text, logged, stderr } = await ask(
    async (request, response) => {
      await use(await request.session());
      response.write("went well");
    },
    {},
    { sessions: store },
  );
  assertEquals([status, text, logged], [200, "went well", []], stderr);
}

const VALUES: [string, unknown][] = [
  ["null", null],
  ["booleans", [true, false]],
  ["numbers", [0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER, 5e-324]],
  ["texts", ["", "é日\u{1f600}", '"\\\n\0\u2028', "\ud800", "a".repeat(5000)]],
  ["arrays", [[], [[]], [1, [2, [3]]]]],
  ["objects", { a: {}, b: { c: [{ d: null }] }, "": 0, "2": 1, "1": 2 }],
  ["an own __proto__", JSON.parse('{"__proto__": {"polluted": true}}')],
  ["an object without prototype", Object.assign(Object.create(null), { a: 1 })],
  ["the same twice", ((same) => [same, { same }])({ a: 1 })],
];

Deno.test("session.set() keeps every value that JSON has, as it was", async () => {
  await using running = new Running(async (request, response) => {
    const session = await request.session();
    if (request.url.pathname === "/set") {
      for (const [name, value] of VALUES) session.set(name, value);
    }
    const read = VALUES.map(([name]) => [name, session.get(name)]);
    response.write(JSON.stringify(read));
  });
  const visitor = new Visitor(running.server);
  const expected = JSON.stringify(VALUES);
  assertEquals((await visitor.ask("/set")).text, expected);
  assertEquals((await visitor.ask("/get")).text, expected);
  assert(!("polluted" in {}));
});

Deno.test("session.set() leaves out properties that are undefined, as JSON does", async () => {
  await withSession((session) => {
    session.set("a", { b: undefined, c: 1 });
    assertEquals(session.get("a"), { c: 1 });
  });
});

class Point {
  x = 1;
}

function circle(): unknown {
  const around: { list: unknown[] } = { list: [] };
  around.list.push({ around });
  return around;
}

function deep(): unknown {
  let value: unknown = 1;
  for (let i = 0; i < 101; i++) value = [value];
  return value;
}

Deno.test("session.set() refuses at once what JSON has not, and says where it is", async () => {
  const wrong: [unknown, string][] = [
    [undefined, 'Cannot set "a" to undefined: delete() removes it'],
    [NaN, "Cannot keep a in a session: NaN is no JSON value"],
    [-Infinity, "Cannot keep a in a session: -Infinity is no JSON value"],
    [1n, "Cannot keep a in a session: a value of type bigint"],
    [() => {}, "Cannot keep a in a session: a value of type function"],
    [Symbol(), "Cannot keep a in a session: a value of type symbol"],
    [new Date(), "Cannot keep a in a session: a Date is no JSON value"],
    [new Map(), "Cannot keep a in a session: a Map is"],
    [new Uint8Array(1), "Cannot keep a in a session: a Uint8Array is"],
    [new Point(), "Cannot keep a in a session: a Point is"],
    [new URL("http://a"), "Cannot keep a in a session: a URL is"],
    [Promise.resolve(1), "Cannot keep a in a session: a Promise is"],
    [{ b: [1, { c: NaN }] }, "Cannot keep a.b[1].c in a session: NaN is"],
    [{ toJSON: () => 1 }, "Cannot keep a.toJSON in a session: a value of"],
    [[1, undefined], "Cannot keep a[1] in a session: a value of type undefin"],
    // deno-lint-ignore no-sparse-arrays
    [[1, , 2], "Cannot keep a[1] in a session: a value of type undefined"],
    [circle(), "Cannot keep a.list[0].around in a session: an object that hol"],
    [deep(), "in a session: more than 100 levels of objects"],
  ];
  await withSession((session) => {
    for (const [value, message] of wrong) {
      assertThrows(() => session.set("a", value), TypeError, message);
      assertEquals(session.get("a"), undefined);
    }
  });
});

Deno.test("session.set() takes any text for a key that can be stored, and no other", async () => {
  await using running = new Running(async (request, response) => {
    const session = await request.session();
    const keys = ["a", " ", "__proto__", "é日", '"\\', "\0", "constructor"];
    if (request.url.pathname === "/set") {
      for (const key of keys) session.set(key, key);
      for (const key of ["", "\ud800", 1, null, undefined, Symbol()]) {
        const wrong = key as string;
        assertThrows(() => session.set(wrong, 1), TypeError, "a key is");
        assertThrows(() => session.delete(wrong), TypeError, "a key is");
      }
    }
    response.write(JSON.stringify(keys.map((key) => session.get(key) === key)));
  });
  const visitor = new Visitor(running.server);
  const expected = JSON.stringify(Array(7).fill(true));
  assertEquals((await visitor.ask("/set")).text, expected);
  assertEquals((await visitor.ask("/get")).text, expected);
});

Deno.test("session.set() refuses what is more than the store's maxBytes, and keeps what there was", async () => {
  const store = new MemorySessionStore({ maxBytes: 100 });
  await withSession((session) => {
    session.set("a", "x".repeat(93)); // 1 + 95 + 4
    const error = assertThrows(
      () => session.set("a", "x".repeat(94)),
      LimitError,
      "Cannot keep 101 bytes in a session: its store allows 100 (maxBytes)",
    );
    assertEquals([error.code, error.limit, error.actual], [
      "SESSION_TOO_LARGE",
      100,
      101,
    ]);
    assertThrows(() => session.set("b", 1), LimitError, "106 bytes");
    assertEquals(session.get<string>("a")!.length, 93);
    // Bytes count, not characters.
    session.set("a", "é".repeat(46));
    assertThrows(() => session.set("a", "é".repeat(47)), LimitError);
    session.delete("a");
    session.set("b", "x".repeat(93));
  }, store);
});

Deno.test("session.set() beyond maxBytes answers 500, and the log says why", async () => {
  const { status, stderr } = await ask(async (request) => {
    (await request.session()).set("a", "x".repeat(32 * 1024));
  });
  assertEquals(status, 500);
  assert(stderr.includes("its store allows 32768 (maxBytes)"), stderr);
});
