// Options: defaults and bounds as documented, and how a wrong value is refused.

import { assertEquals, assertThrows } from "@std/assert";
import { resolveLimits, resolveMount } from "../src/options.ts";
import type { LimitOptions } from "../src/options.ts";

/** Name, default, least and most. */
const LIMITS: [keyof LimitOptions, number, number, number][] = [
  ["maxConnections", Infinity, 1, Infinity],
  ["maxRequestsPerConnection", 128, 1, 65_535],
  ["maxParamsBytes", 131_072, 1024, 67_108_864],
  ["maxBodyBytes", Infinity, 0, Infinity],
  ["maxFormBytes", 10_485_760, 0, Infinity],
  ["maxUploadBytes", 2_147_483_648, 0, Infinity],
  ["maxFormParts", 1_000, 0, Infinity],
  ["paramsTimeoutMs", 30_000, 1, 2_147_483_647],
  ["bodyTimeoutMs", 60_000, 1, 2_147_483_647],
  ["writeTimeoutMs", 60_000, 1, 2_147_483_647],
  ["requestTimeoutMs", Infinity, 1, Infinity],
  ["idleTimeoutMs", Infinity, 1, Infinity],
  ["shutdownTimeoutMs", 30_000, 0, 2_147_483_647],
  ["maxRequests", Infinity, 1, Infinity],
  ["stuckTimeoutMs", 30_000, 2_000, Infinity],
  ["startTimeoutMs", 60_000, 1, Infinity],
];

Deno.test("resolveLimits() fills the defaults in", () => {
  const limits: Record<string, number> = { ...resolveLimits({}) };
  for (const [name, standard] of LIMITS) {
    assertEquals(limits[name], standard, name);
    assertEquals(
      resolveLimits({ [name]: undefined } as LimitOptions)[name],
      standard,
    );
  }
});

Deno.test("resolveLimits() takes what is within bounds, and leaves the rest", () => {
  for (const [name, standard, least, most] of LIMITS) {
    for (const value of [least, least + 1, most]) {
      assertEquals(
        { ...resolveLimits({ [name]: value }) },
        { ...resolveLimits({}), [name]: value },
      );
    }
    assertEquals(resolveLimits({ [name]: standard })[name], standard);
  }
});

Deno.test("resolveLimits() refuses what is out of bounds, with name and bounds", () => {
  for (const [name, , least, most] of LIMITS) {
    const values = [least - 1, -1, 1.5, NaN, -Infinity];
    if (most < Infinity) values.push(most + 1, Infinity);
    for (const value of values) {
      assertThrows(
        () => resolveLimits({ [name]: value }),
        RangeError,
        `Cannot set ${name} to ${value}: it takes a whole number of ${least} to ${most}`,
      );
    }
  }
});

Deno.test("resolveLimits() refuses what is no number, with its type", () => {
  for (const [name] of LIMITS) {
    for (const value of ["5", true, {}, [5], 5n, () => 5]) {
      assertThrows(
        () => resolveLimits({ [name]: value } as unknown as LimitOptions),
        TypeError,
        `Cannot set ${name} to a ${typeof value}`,
      );
    }
  }
});

Deno.test("resolveMount() takes slashes off the end", () => {
  for (
    const [mount, resolved] of [
      ["", ""],
      ["/", ""],
      ["//", ""],
      ["/app", "/app"],
      ["/app/", "/app"],
      ["/app///", "/app"],
      ["/a/b/", "/a/b"],
    ] as const
  ) {
    assertEquals(resolveMount(mount), resolved, mount);
  }
});

Deno.test("resolveMount() refuses what does not begin with a slash", () => {
  for (const mount of ["app", "app/", " /app", "http://a/app", "?", "*"]) {
    assertThrows(
      () => resolveMount(mount),
      RangeError,
      `Cannot mount at "${mount}"`,
    );
  }
});
