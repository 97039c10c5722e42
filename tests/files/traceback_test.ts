import { assertEquals } from "@std/assert";
import { tracebackOf } from "../../src/files/traceback.ts";

const HERE = import.meta.url;

/** A stack of one frame. */
function at(place: string): string[] {
  return [`Error: x\n    at call (${place})`];
}

/** Runs with a file that holds some text. */
async function withFile(
  text: string,
  test: (url: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: " é.ts" });
  try {
    await Deno.writeTextFile(path, text);
    await test(`file://${path.split("/").map(encodeURIComponent).join("/")}`);
  } finally {
    await Deno.remove(path);
  }
}

const TEN = Array.from({ length: 10 }, (_, i) => `line ${i + 1}`).join("\n");

Deno.test("tracebackOf() gives what happened, and the lines around each place", async () => {
  await withFile(TEN, async (url) => {
    const [trace] = await tracebackOf([
      `Error: two\nlines\n    at call (${url}:6:3)\n    at ${url}:1:1`,
    ]);
    assertEquals(trace!.headline, "Error: two\nlines");
    const [first, second] = trace!.frames;
    assertEquals(first!.text, `call (${url}:6:3)`);
    assertEquals([first!.line, first!.first], [6, 2]);
    assertEquals(first!.lines, TEN.split("\n").slice(1, 10));
    assertEquals([second!.line, second!.first], [1, 1]);
    assertEquals(second!.lines, TEN.split("\n").slice(0, 5));
  });
});

Deno.test("tracebackOf() gives a trace of each stack, also of one without places", async () => {
  const traces = await tracebackOf(["Error: a", "b\nc"]);
  assertEquals(traces, [
    { headline: "Error: a", frames: [] },
    { headline: "b\nc", frames: [] },
  ]);
});

Deno.test("tracebackOf() leaves out lines that there are none of", async () => {
  const own = new URL("../../src/serving.ts", HERE).href;
  for (
    const place of [
      "file:///nowhere/at/all.ts:1:1",
      "file:///etc:1:1",
      "file:///dev/zero:1:1",
      "file:///%00:1:1",
      `${HERE}:100000:1`,
      `${own}:1:1`,
      "https://127.0.0.1:1/app.ts:1:1",
      "ext:core/01_core.js:1:1",
      "node:fs:1:1",
      "<anonymous>",
    ]
  ) {
    const [trace] = await tracebackOf(at(place));
    assertEquals(trace!.frames, [
      { text: `call (${place})`, line: 0, first: 0, lines: [] },
    ]);
  }
});

Deno.test("tracebackOf() cuts long lines, and reads no large file", async () => {
  await withFile("x".repeat(1000), async (url) => {
    const [trace] = await tracebackOf(at(`${url}:1:1`));
    assertEquals(trace!.frames[0]!.lines, ["x".repeat(400)]);
  });
  await withFile("x\n".repeat(1024 * 1024), async (url) => {
    const [trace] = await tracebackOf(at(`${url}:1:1`));
    assertEquals(trace!.frames[0]!.lines, []);
  });
});

Deno.test("tracebackOf() reads so many files and no more", async () => {
  await withFile(TEN, async (url) => {
    const places = Array.from(
      { length: 32 },
      (_, i) => `    at file:///nowhere/${i}.ts:1:1`,
    );
    const [trace] = await tracebackOf([
      `Error: x\n    at ${url}:1:1\n${places.join("\n")}\n    at ${url}:2:1`,
    ]);
    assertEquals(trace!.frames.at(-1)!.line, 2);
    const [late] = await tracebackOf([
      `Error: x\n${places.join("\n")}\n    at ${url}:1:1`,
    ]);
    assertEquals(late!.frames.at(-1)!.lines, []);
  });
});

Deno.test({
  name: "tracebackOf() asks for no permission, and reads nothing without",
  permissions: { read: false },
  fn: async () => {
    const [trace] = await tracebackOf(at(`${HERE}:1:1`));
    assertEquals(trace!.frames[0]!.lines, []);
  },
});
