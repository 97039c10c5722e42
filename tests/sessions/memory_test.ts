// MemorySessionStore: the contract, and its bound.

import { assertEquals, assertThrows } from "@std/assert";
import { MemorySessionStore } from "../../src/sessions/memory.ts";
import type { SessionStoreOptions } from "../../src/sessions/store.ts";
import { CONTRACT, EXPIRY, read, start } from "./contract.ts";
import type { Place } from "./contract.ts";

/** One store, for there is no other that sees its sessions. */
function place(): Place {
  let now = 0;
  let store: MemorySessionStore | null = null;
  return {
    open(options?: SessionStoreOptions) {
      if (options === undefined && store !== null) return store;
      return store = new MemorySessionStore({ ...options, now: () => now });
    },
    elapse: (seconds) => void (now += seconds * 1000),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

for (const [name, hold] of [...CONTRACT, ...EXPIRY]) {
  Deno.test(`MemorySessionStore ${name}`, async () => {
    await using here = place();
    await hold(here);
  });
}

Deno.test("MemorySessionStore gives up the sessions longest unused beyond maxTotalBytes", async () => {
  // Three sessions of 512 bytes and a few.
  const store = new MemorySessionStore({ maxTotalBytes: 3 * 530 });
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push(await start(store, { n: String(i) }));
  assertEquals(store.size, 3);
  await store.refresh(ids[0]!);
  ids.push(await start(store, { n: "3" }));
  assertEquals(store.size, 3);
  assertEquals(await Promise.all(ids.map((id) => read(store, id))), [
    { n: "0" },
    null,
    { n: "2" },
    { n: "3" },
  ]);
  // One that grows pushes others out, and never itself.
  const value = `"${"x".repeat(2000)}"`;
  const changes = new Map([["n", { value }]]);
  await store.write(ids[0]!, { from: ids[0]!, changes });
  assertEquals([store.size, await read(store, ids[0]!)], [1, { n: value }]);
  // What ends gives its place back.
  await store.destroy(ids[0]!);
  for (let i = 0; i < 3; i++) await start(store, { n: "1" });
  assertEquals(store.size, 3);
});

Deno.test("MemorySessionStore holds a flood of sessions within its bound, and without a timer", async () => {
  let now = 0;
  const store = new MemorySessionStore({
    maxTotalBytes: 600 * 1024,
    now: () => now,
  });
  for (let i = 0; i < 5000; i++) await start(store, { n: String(i) });
  const { size } = store;
  assertEquals(size, Math.floor(600 * 1024 / (512 + 1 + 4 + 4)));
  // That no timer is left, the sanitizers of the tests tell.
  now += 900_000;
  assertEquals(store.size, 0);
});

Deno.test("MemorySessionStore refuses options out of their bounds, by name", () => {
  const wrong: [Record<string, unknown>, ErrorConstructor, string][] = [
    [{ ttl: 0 }, RangeError, "Cannot set ttl to 0: it takes seconds"],
    [{ ttl: -1 }, RangeError, "Cannot set ttl to -1"],
    [{ ttl: NaN }, RangeError, "Cannot set ttl to NaN"],
    [{ ttl: Infinity }, RangeError, "Cannot set ttl to Infinity"],
    [{ ttl: "900" }, TypeError, "Cannot set ttl to a string"],
    [{ name: "" }, TypeError, 'Cannot name the session cookie ""'],
    [{ name: "a b" }, TypeError, 'Cannot name the session cookie "a b"'],
    [{ name: "a;b" }, TypeError, 'Cannot name the session cookie "a;b"'],
    [{ name: 5 }, TypeError, "Cannot name the session cookie 5"],
    [{ maxBytes: 63 }, RangeError, "Cannot set maxBytes to 63"],
    [{ maxBytes: 1e9 }, RangeError, "Cannot set maxBytes to 1000000000"],
    [{ maxBytes: 100.5 }, RangeError, "Cannot set maxBytes to 100.5"],
    [{ maxTotalBytes: -1 }, RangeError, "Cannot set maxTotalBytes to -1"],
    [{ maxTotalBytes: "1" }, TypeError, "Cannot set maxTotalBytes to a string"],
  ];
  for (const [options, type, message] of wrong) {
    assertThrows(() => new MemorySessionStore(options), type, message);
  }
});
