// The contract of SessionStore: what every store must do, of whichever kind.

import {
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { LimitError } from "../../mod.ts";
import type { SessionStore, SessionWrite } from "../../mod.ts";
import { isSessionId, newSessionId } from "../../src/sessions/store.ts";
import type {
  SessionChange,
  SessionStoreOptions,
} from "../../src/sessions/store.ts";

/** Where stores of one kind keep their sessions. */
export interface Place extends AsyncDisposable {
  /** Opens a store that keeps them there, one more each time. */
  open(options?: SessionStoreOptions): SessionStore;
  /** Lets time go by for all of them; left out where it is the system's. */
  elapse?(seconds: number): void;
}

/** A part of the contract. */
export type Clause = [name: string, hold: (place: Place) => Promise<void>];

type Changes = Record<string, SessionChange | string | null>;

/** A write: values as JSON text, null to delete. */
function write(from: string | null, changes: Changes = {}): SessionWrite {
  return {
    from,
    changes: new Map(
      Object.entries(changes).map(([key, change]) => [
        key,
        change === null || typeof change === "string"
          ? { value: change }
          : change,
      ]),
    ),
  };
}

/** Starts a session in a store; gives its id. */
export async function start(
  store: SessionStore,
  changes: Changes = {},
): Promise<string> {
  const id = newSessionId();
  assertEquals(await store.write(id, write(null, changes)), "stored");
  return id;
}

/** What a session holds, as an object; null where there is none. */
export async function read(
  store: SessionStore,
  id: string,
): Promise<Record<string, string> | null> {
  const data = await store.read(id);
  return data === null ? null : Object.fromEntries(data);
}

/** The whole contract. */
export const CONTRACT: Clause[] = [
  ["has the options it was given, and defaults", (place) => {
    const { ttl, name, maxBytes } = place.open();
    assertEquals([ttl, name, maxBytes], [900, "SID", 32 * 1024]);
    const given = place.open({ ttl: 1.5, name: "a-b", maxBytes: 1000 });
    assertEquals([given.ttl, given.name, given.maxBytes], [1.5, "a-b", 1000]);
    return Promise.resolve();
  }],

  ["reads nothing of an id that is unknown", async (place) => {
    const store = place.open();
    assertEquals(await store.read(newSessionId()), null);
    await start(store, { a: "1" });
    assertEquals(await store.read(newSessionId()), null);
  }],

  ["reads what was written, whatever it is", async (place) => {
    const store = place.open();
    const changes: Record<string, string> = {
      a: "1",
      " ": '"\\u0000\\ud800é日\u{1f600}\u2028"',
      'é日\u{1f600}"\\\0\n': "[]",
      ["__proto__"]: '{"__proto__":{"x":1}}',
      constructor: "{}",
      "1": "1e+300",
      "0": "5e-324",
      exact: "9007199254740991",
      null: "null",
      long: JSON.stringify("x".repeat(20_000)),
    };
    const id = await start(store, changes);
    const data = await store.read(id);
    assertEquals(new Map(data), new Map(Object.entries(changes)));
  }],

  ["keeps a session that holds nothing", async (place) => {
    const store = place.open();
    const id = await start(store);
    assertEquals(await read(store, id), {});
    assertEquals(await store.write(id, write(id, { a: "1" })), "stored");
    assertEquals(await store.write(id, write(id, { a: null })), "stored");
    assertEquals(await read(store, id), {});
  }],

  ["changes the keys that are named, and leaves the others", async (place) => {
    const store = place.open();
    const id = await start(store, { a: "1", b: "2", c: "3" });
    await store.write(id, write(id, { a: "4", b: null, d: "5", e: null }));
    assertEquals(await read(store, id), { a: "4", c: "3", d: "5" });
  }],

  ["keeps sessions apart", async (place) => {
    const store = place.open();
    const one = await start(store, { a: "1" });
    const other = await start(store, { a: "2" });
    await store.write(one, write(one, { a: "3" }));
    assertEquals(await read(store, other), { a: "2" });
    await store.destroy(one);
    assertEquals(await read(store, other), { a: "2" });
  }],

  [
    "stores where the expected value is there, and nothing otherwise",
    async (place) => {
      const store = place.open();
      const id = await start(store, { a: "1" });
      const changes: [SessionChange, string][] = [
        [{ value: "2", expected: "1" }, "stored"],
        [{ value: "3", expected: "1" }, "conflict"],
        [{ value: "3", expected: null }, "conflict"],
        [{ value: null, expected: "1" }, "conflict"],
        [{ value: null, expected: "2" }, "stored"],
        [{ value: null, expected: "2" }, "conflict"],
        [{ value: "4", expected: "2" }, "conflict"],
        [{ value: "4", expected: null }, "stored"],
        [{ value: "5" }, "stored"],
      ];
      for (const [i, [a, expected]] of changes.entries()) {
        const before = await read(store, id);
        const result = await store.write(id, write(id, { [`b${i}`]: "0", a }));
        assertEquals(result, expected, JSON.stringify(a));
        if (expected === "conflict") {
          assertEquals(
            await read(store, id),
            before,
          );
        } else assertNotEquals(await read(store, id), before);
      }
      assertEquals((await read(store, id))!.a, "5");
    },
  ],

  ["writes nothing to a session that is not there", async (place) => {
    const store = place.open();
    const id = newSessionId();
    assertEquals(await store.write(id, write(id, { a: "1" })), "gone");
    assertEquals(await store.read(id), null);
  }],

  ["starts no session under an id that is taken", async (place) => {
    const store = place.open();
    const id = await start(store, { a: "1" });
    assertEquals(await store.write(id, write(null, { b: "2" })), "conflict");
    assertEquals(await read(store, id), { a: "1" });
  }],

  [
    "gives a session another id, with its changes, and ends the old one",
    async (place) => {
      const store = place.open();
      const from = await start(store, { a: "1", b: "2" });
      const id = newSessionId();
      assertEquals(await store.write(id, write(from, { b: "3" })), "stored");
      assertEquals(await read(store, id), { a: "1", b: "3" });
      assertEquals(await store.read(from), null);
      assertEquals(await store.write(from, write(from)), "gone");
      assertEquals(await store.write(newSessionId(), write(from)), "gone");
    },
  ],

  [
    "gives no other id where that is a conflict, or one that is taken",
    async (place) => {
      const store = place.open();
      const from = await start(store, { a: "1" });
      const taken = await start(store, { b: "2" });
      assertEquals(await store.write(taken, write(from)), "conflict");
      const id = newSessionId();
      const wrong = write(from, { a: { value: "2", expected: "3" } });
      assertEquals(await store.write(id, wrong), "conflict");
      assertEquals(await read(store, from), { a: "1" });
      assertEquals(await read(store, taken), { b: "2" });
      assertEquals(await store.read(id), null);
    },
  ],

  ["ends sessions, as often as it is told to", async (place) => {
    const store = place.open();
    const id = await start(store, { a: "1" });
    await store.destroy(id);
    assertEquals(await store.read(id), null);
    assertEquals(await store.write(id, write(id, { a: "1" })), "gone");
    await store.refresh(id);
    await store.destroy(id);
    await store.destroy(newSessionId());
    assertEquals(await store.read(id), null);
  }],

  ["holds maxBytes of one session, and not one more", async (place) => {
    const store = place.open({ maxBytes: 100 });
    const id = await start(store, { a: JSON.stringify("x".repeat(93)) });
    for (
      const changes of [
        { a: JSON.stringify("x".repeat(94)) },
        { b: "1" },
        { a: JSON.stringify("é".repeat(47)) },
      ]
    ) {
      const error = await assertRejects(
        () => store.write(id, write(id, changes)),
        LimitError,
        "bytes in a session: its store allows 100 (maxBytes)",
      );
      assertEquals([error.code, error.limit], ["SESSION_TOO_LARGE", 100]);
      assertGreater(error.actual, 100);
    }
    assertEquals((await read(store, id))!.a!.length, 95);
    await store.write(id, write(id, { a: "1", b: '"' + "é".repeat(43) + '"' }));
    assertEquals((await read(store, id))!.b!.length, 45);
    const other = newSessionId();
    const large = write(null, { a: `"${"x".repeat(200)}"` });
    await assertRejects(() => store.write(other, large), LimitError);
    assertEquals(await store.read(other), null);
  }],

  ["refuses what is no id", async (place) => {
    const store = place.open();
    const id = await start(store);
    for (
      const none of [
        "",
        "x",
        id + "0",
        id.slice(1),
        id.toUpperCase() + "W",
        `../${id.slice(3)}`,
        `${id.slice(1)}\n`,
        `${id}/`,
        `/${id}`,
        "\0".repeat(32),
        null,
        undefined,
        [id],
      ] as string[]
    ) {
      if (isSessionId(none)) throw new Error(`${none} is an id`);
      for (
        const use of [
          () => store.read(none),
          () => store.write(none, write(null)),
          () => store.write(none, write(id)),
          () => store.refresh(none),
          () => store.destroy(none),
          ...none === null ? [] : [() => store.write(id, write(none))],
        ]
      ) await assertRejects(use, TypeError, "that is no session id");
    }
    assertEquals(await read(store, id), {});
  }],

  ["loses nothing of what is written at the same time", async (place) => {
    const stores = [place.open(), place.open()];
    const id = await start(stores[0]!);
    const keys = Array.from({ length: 20 }, (_, i) => `key${i}`);
    const results = await Promise.all(
      keys.map((key, i) => stores[i % 2]!.write(id, write(id, { [key]: "1" }))),
    );
    assertEquals(new Set(results), new Set(["stored"]));
    const data = (await read(stores[0]!, id))!;
    assertEquals(Object.keys(data).sort(), keys.sort());
  }],

  [
    "lets one write through where several expect the same value",
    async (place) => {
      const stores = [place.open(), place.open()];
      const id = await start(stores[0]!, { n: "0" });
      for (let n = 0; n < 3; n++) {
        const results = await Promise.all(
          Array.from({ length: 8 }, (_, i) => {
            const change = { value: String(n + 1), expected: String(n) };
            return stores[i % 2]!.write(id, write(id, { n: change }));
          }),
        );
        assertEquals(
          results.sort(),
          ["stored", ...Array<string>(7).fill("conflict")].sort(),
        );
      }
      assertEquals(await read(stores[1]!, id), { n: "3" });
    },
  ],

  [
    "gives one other id alone, though several are wanted at the same time",
    async (place) => {
      const stores = [place.open(), place.open()];
      const from = await start(stores[0]!, { a: "1" });
      const ids = Array.from({ length: 6 }, newSessionId);
      const results = await Promise.all(
        ids.map((id, i) => stores[i % 2]!.write(id, write(from))),
      );
      assertEquals(results.filter((result) => result === "stored").length, 1);
      const found = await Promise.all(ids.map((id) => stores[0]!.read(id)));
      assertEquals(
        found.map((data) => data !== null),
        results.map((result) => result === "stored"),
      );
    },
  ],

  ["wakes no session that is ended at the same time", async (place) => {
    const stores = [place.open(), place.open()];
    for (let i = 0; i < 5; i++) {
      const id = await start(stores[0]!, { a: "1" });
      await Promise.all([
        stores[0]!.write(id, write(id, { b: "1" })),
        stores[1]!.refresh(id),
        stores[1]!.destroy(id),
        stores[0]!.refresh(id),
        stores[1]!.write(id, write(id, { c: "1" })),
      ]);
      assertEquals(await stores[0]!.read(id), null);
    }
  }],
];

/** What holds where time can be let go by. */
export const EXPIRY: Clause[] = [
  ["ends sessions that were not used for their ttl", async (place) => {
    const store = place.open({ ttl: 10 });
    const id = await start(store, { a: "1" });
    place.elapse!(9.9);
    assertEquals(await read(store, id), { a: "1" });
    place.elapse!(0.2);
    assertEquals(await store.read(id), null);
    assertEquals(await store.write(id, write(id, { a: "2" })), "gone");
    assertEquals(await store.write(newSessionId(), write(id)), "gone");
    await store.refresh(id);
    assertEquals(await store.read(id), null);
    // Its id is free again.
    assertEquals(await store.write(id, write(null, { b: "1" })), "stored");
    assertEquals(await read(store, id), { b: "1" });
  }],

  [
    "counts the ttl from the last write, refresh or other id, and not from a read",
    async (place) => {
      const store = place.open({ ttl: 10 });
      let id = await start(store, { a: "1" });
      for (let i = 0; i < 3; i++) {
        place.elapse!(9);
        await store.refresh(id);
        place.elapse!(9);
        assertEquals(await store.write(id, write(id, { a: "2" })), "stored");
        place.elapse!(9);
        const from = id;
        id = newSessionId();
        assertEquals(await store.write(id, write(from)), "stored");
      }
      place.elapse!(9);
      assertEquals(await read(store, id), { a: "2" });
      place.elapse!(2);
      assertEquals(await store.read(id), null);
    },
  ],

  ["lets each session have its own time", async (place) => {
    const store = place.open({ ttl: 10 });
    const first = await start(store);
    place.elapse!(4);
    const second = await start(store);
    place.elapse!(4);
    await store.refresh(first);
    place.elapse!(7);
    assertEquals([await read(store, first), await store.read(second)], [
      {},
      null,
    ]);
    place.elapse!(4);
    assertEquals(await store.read(first), null);
  }],
];
