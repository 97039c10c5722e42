// The runtime's internals: found in this Deno, and not used where anything of
// them is otherwise.

import { assert, assertStrictEquals } from "@std/assert";
import { findRequestInternals } from "../../src/gateway/runtime_request.ts";
import { findResponseReader } from "../../src/gateway/runtime_response.ts";
import { FOUND } from "../support/fetch.ts";

Deno.test("the internals of this Deno are those expected", () => {
  assert(FOUND.request !== null, "lazy Requests cannot be made");
  assert(FOUND.response !== null, "Responses cannot be read at once");
});

/** A class whose instances are changed. */
function changing<T extends object>(
  made: T,
  change: (instance: object) => object,
): T {
  return new Proxy(made, {
    construct(target, args, newTarget) {
      return change(
        Reflect.construct(target as typeof Object, args, newTarget),
      );
    },
  });
}

const slotOf = (instance: object, name: string) =>
  Object.getOwnPropertySymbols(instance).find(({ description }) =>
    description === name
  )!;

/** How an instance may be another than expected. */
const CHANGES: [what: string, change: (instance: object) => object][] = [
  [
    "has one slot more",
    (instance) => Object.assign(instance, { [Symbol("new")]: 1 }),
  ],
  ["has no slots", () => ({})],
  ["keeps something else", (instance) => {
    const record = instance as Record<symbol, unknown>;
    for (const name of ["request", "response"]) {
      const slot = slotOf(instance, name);
      if (slot !== undefined) {
        record[slot] = { ...record[slot] as object, more: 1 };
      }
    }
    return instance;
  }],
  ["cannot be looked at", (instance) =>
    new Proxy(instance, {
      ownKeys() {
        throw new Error("no");
      },
    })],
];

for (const [what, change] of CHANGES) {
  Deno.test(`findRequestInternals() finds nothing where a Request ${what}`, () => {
    const real = Request;
    globalThis.Request = changing(Request, change);
    try {
      assertStrictEquals(findRequestInternals(), null);
    } finally {
      globalThis.Request = real;
    }
    assert(findRequestInternals() !== null);
  });

  Deno.test(`findResponseReader() finds nothing where a Response ${what}`, () => {
    const real = Response;
    globalThis.Response = changing(Response, change);
    try {
      assertStrictEquals(findResponseReader(), null);
    } finally {
      globalThis.Response = real;
    }
    assert(findResponseReader() !== null);
  });
}

Deno.test("findRequestInternals() finds nothing where a Request behaves otherwise", () => {
  const { clone } = Request.prototype;
  for (
    const other of [
      () => new Request("http://localhost/other"),
      () => {
        throw new Error("no");
      },
    ]
  ) {
    Request.prototype.clone = other;
    try {
      assertStrictEquals(findRequestInternals(), null);
    } finally {
      Request.prototype.clone = clone;
    }
  }
});

Deno.test("findResponseReader() finds nothing where a Response behaves otherwise", () => {
  const { text } = Response.prototype;
  Response.prototype.text = () => Promise.resolve("");
  try {
    assertStrictEquals(findResponseReader(), null);
  } finally {
    Response.prototype.text = text;
  }
});
