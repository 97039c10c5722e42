import { assertEquals } from "@std/assert";
import { describeCauses, describeError } from "../src/describe_error.ts";

Deno.test("describeError() gives the stack, and those of the causes", () => {
  const error = new Error("outer", {
    cause: new TypeError("middle", { cause: "inner" }),
  });
  const lines = describeError(error).split("\n")
    .filter((line) => !line.startsWith("    at "));
  assertEquals(lines, [
    "Error: outer",
    "Caused by: TypeError: middle",
    "Caused by: inner",
  ]);
});

Deno.test("describeError() ends with causes in a circle", () => {
  const error = new Error("round");
  error.cause = error;
  assertEquals(describeError(error).split("Caused by:").length, 9);
});

Deno.test("describeError() describes whatever was thrown", () => {
  const silent = new Error("silent");
  silent.stack = "";
  const trap = Object.defineProperty(new Error("x"), "cause", {
    get() {
      throw new Error("no");
    },
  });
  trap.stack = "the stack";
  for (
    const [thrown, expected] of [
      [undefined, "undefined"],
      [Symbol("s"), "Symbol(s)"],
      [Object.create(null), "A thrown object that cannot be shown"],
      [silent, "Error: silent"],
      [trap, "the stack"],
    ] as const
  ) assertEquals(describeError(thrown), expected);
});

Deno.test("describeCauses() gives each error by itself", () => {
  const error = new Error("outer", { cause: "inner" });
  error.stack = "Error: outer";
  assertEquals(describeCauses(error), ["Error: outer", "inner"]);
});
