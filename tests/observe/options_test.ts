// The options of what is to be seen: defaults, bounds, refusals.

import { assertEquals, assertThrows } from "@std/assert";
import { resolveObserving } from "../../src/observe/observer.ts";

Deno.test("resolveObserving() gives null where all is off, and defaults beside what is on", () => {
  assertEquals(resolveObserving({}), null);
  assertEquals(resolveObserving({ pingPath: "", slowLogMs: Infinity }), null);
  assertEquals(resolveObserving({ accessLog: "a.log" }), {
    accessLog: "a.log",
    accessFormat: "combined",
    slowLogMs: Infinity,
    pingPath: "",
    statusPath: "",
  });
});

const UNOBSERVABLE: [options: Record<string, unknown>, why: string][] = [
  [{ pingPath: "ping" }, 'Cannot set pingPath to "ping": it takes a path'],
  [{ statusPath: "/a b" }, 'Cannot set statusPath to "/a b": it takes a path'],
  [{ statusPath: "/a?b" }, "it takes a path as it stands in a URL"],
  [{ statusPath: "/a#b" }, "it takes a path as it stands in a URL"],
  [{ pingPath: "/\u00e9" }, "it takes a path as it stands in a URL"],
  [{ pingPath: "/a", statusPath: "/a" }, "that is the pingPath"],
  [{ accessFormat: "json" }, "there is no accessLog"],
  [{ accessLog: "a\0b" }, "it has a NUL in it"],
  [{ slowLogMs: 0 }, "Cannot set slowLogMs to 0"],
];

for (const [options, why] of UNOBSERVABLE) {
  Deno.test(`resolveObserving() refuses ${JSON.stringify(options)}`, () => {
    assertThrows(() => resolveObserving(options), RangeError, why);
  });
}

Deno.test("resolveObserving() refuses what is of another type", () => {
  for (
    const name of ["accessLog", "accessFormat", "pingPath", "statusPath"]
  ) {
    assertThrows(
      () => resolveObserving({ [name]: 1 }),
      TypeError,
      `Cannot set ${name} to a number: it takes a string`,
    );
  }
});
