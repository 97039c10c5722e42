import { assertEquals } from "@std/assert";
import { FastCgiError } from "../mod.ts";
import { askOn } from "./support/ask.ts";
import { Running } from "./support/running.ts";

/** Thrown values that cannot be described, and errors of no status. */
const HOSTILE: [name: string, value: unknown][] = [
  ["an object without prototype", Object.create(null)],
  ["an object that cannot be a string", {
    toString() {
      throw new Error("no");
    },
  }],
  [
    "an error whose stack cannot be read",
    Object.defineProperty(new Error("x"), "stack", {
      get() {
        throw new Error("no");
      },
    }),
  ],
  [
    "an error whose stack is no string",
    Object.defineProperty(new Error("x"), "stack", { value: 42 }),
  ],
  ["an error of status 99", new FastCgiError("X", "x", { status: 99 })],
  ["an error of status 200", new FastCgiError("X", "x", { status: 200 })],
];

for (const [name, value] of HOSTILE) {
  for (
    const [how, service] of [
      [
        "thrown",
        () => {
          throw value;
        },
      ],
      ["rejected", () => Promise.reject(value)],
    ] as const
  ) {
    Deno.test(`${name}, ${how}, is answered with 500, and the process lives`, async () => {
      await using running = new Running(service);
      using peer = await running.connect();
      assertEquals((await askOn(peer)).status, 500);
      assertEquals((await askOn(peer)).status, 500);
    });
  }
}
