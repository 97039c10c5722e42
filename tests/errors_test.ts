// The error tree: which class is which, and what each carries.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import {
  AbortedError,
  ClosedError,
  ConnectError,
  FastCgiError,
  HttpError,
  LimitError,
  ProtocolError,
  RefusedError,
  StartError,
} from "../src/errors.ts";

const CAUSE = new Error("the cause");

const ROWS: [
  error: FastCgiError,
  type: new (...args: never[]) => FastCgiError,
  name: string,
  code: string,
  status: number,
][] = [
  [
    new FastCgiError("X", "m", { cause: CAUSE }),
    FastCgiError,
    "FastCgiError",
    "X",
    500,
  ],
  [
    new FastCgiError("X", "m", { cause: CAUSE, status: 400 }),
    FastCgiError,
    "FastCgiError",
    "X",
    400,
  ],
  [
    new LimitError("X", "m", 10, 11, { cause: CAUSE }),
    LimitError,
    "LimitError",
    "X",
    500,
  ],
  [
    new LimitError("X", "m", 10, 11, { cause: CAUSE, status: 413 }),
    LimitError,
    "LimitError",
    "X",
    413,
  ],
  [
    new AbortedError("m", { cause: CAUSE }),
    AbortedError,
    "AbortedError",
    "ABORTED",
    500,
  ],
  [
    new ClosedError("m", { cause: CAUSE }),
    ClosedError,
    "ClosedError",
    "CLOSED",
    500,
  ],
  [
    new ClosedError("m", { cause: CAUSE, status: 502 }),
    ClosedError,
    "ClosedError",
    "CLOSED",
    502,
  ],
  [
    new ConnectError("m", { cause: CAUSE }),
    ConnectError,
    "ConnectError",
    "CONNECT_FAILED",
    502,
  ],
  [
    new RefusedError("X", "m", 1, 2, { cause: CAUSE, status: 503 }),
    RefusedError,
    "RefusedError",
    "X",
    503,
  ],
  [
    new HttpError(404, "m", { cause: CAUSE }),
    HttpError,
    "HttpError",
    "HTTP",
    404,
  ],
  [
    new StartError("X", "m", { cause: CAUSE }),
    StartError,
    "StartError",
    "X",
    500,
  ],
];

Deno.test("FastCgiError and its kinds carry name, code, status and cause", () => {
  for (const [error, type, name, code, status] of ROWS) {
    assertInstanceOf(error, Error);
    assertInstanceOf(error, FastCgiError);
    assertInstanceOf(error, type);
    assertEquals(
      [error.name, error.code, error.status, error.message],
      [name, code, status, "m"],
    );
    assertEquals(error.cause, CAUSE);
    assertEquals(String(error), `${name}: m`);
    assert(error.stack?.includes("errors_test"), "a stack that begins here");
  }
});

Deno.test("FastCgiError kinds are no kinds of each other", () => {
  const types = ROWS.slice(2).map(([, type]) => type);
  for (const [error, own] of ROWS) {
    for (const type of new Set(types)) {
      assertEquals(error instanceof type, type === own, error.name);
    }
  }
});

Deno.test("ProtocolError carries request id and offset, and is a 400", () => {
  const error = new ProtocolError("BODY_TRUNCATED", "m", 7, 42);
  assertInstanceOf(error, FastCgiError);
  assertEquals(
    [error.name, error.code, error.requestId, error.offset, error.status],
    ["ProtocolError", "BODY_TRUNCATED", 7, 42, 400],
  );
  const other = new ProtocolError("X", "m", 0, 0, {
    cause: CAUSE,
    status: 502,
  });
  assertEquals([other.status, other.cause], [502, CAUSE]);
});

Deno.test("RefusedError carries both statuses of FCGI_END_REQUEST", () => {
  const error = new RefusedError("OVERLOADED", "m", 4294967295, 2);
  assertEquals(
    [error.appStatus, error.protocolStatus, error.status],
    [4294967295, 2, 500],
  );
});

Deno.test("LimitError carries the limit and what went past it", () => {
  const error = new LimitError("BODY_TOO_LARGE", "m", 10, 11);
  assertEquals([error.limit, error.actual], [10, 11]);
});

Deno.test("HttpError takes a status of 400 to 599 alone", () => {
  for (const status of [400, 404, 499, 500, 599]) {
    assertEquals(new HttpError(status).status, status);
    assertEquals(new HttpError(status).message, "");
  }
  for (const status of [0, 200, 302, 399, 600, 404.5, NaN, "404"]) {
    assertThrows(
      () => new HttpError(status as number),
      RangeError,
      `current value is ${status}`,
    );
  }
});
