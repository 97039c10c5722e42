import { assertEquals, assertMatch } from "@std/assert";
import { mediaTypeOf } from "../../src/files/media_types.ts";

Deno.test("mediaTypeOf() knows what is put on the web", () => {
  for (
    const [name, type] of [
      ["index.html", "text/html; charset=utf-8"],
      ["a/b.c/INDEX.HTM", "text/html; charset=utf-8"],
      ["style.css", "text/css; charset=utf-8"],
      ["app.js", "text/javascript; charset=utf-8"],
      ["app.min.mjs", "text/javascript; charset=utf-8"],
      ["a.txt", "text/plain; charset=utf-8"],
      ["data.json", "application/json"],
      ["photo.JPG", "image/jpeg"],
      ["drawing.svg", "image/svg+xml"],
      ["module.wasm", "application/wasm"],
      ["paper.pdf", "application/pdf"],
      ["film.mp4", "video/mp4"],
      [".html", "text/html; charset=utf-8"],
    ] as const
  ) assertEquals(mediaTypeOf(name), type);
});

Deno.test("mediaTypeOf() says of all else that it is bytes", () => {
  for (
    const name of ["", "a", "a.", "a.unheard", "html", "a.html/", "a.html.x"]
  ) assertEquals(mediaTypeOf(name), "application/octet-stream");
});

Deno.test("mediaTypeOf() gives what can stand in a header, each end once", async () => {
  const source = await Deno.readTextFile(
    new URL("../../src/files/media_types.ts", import.meta.url),
  );
  const table = /const TABLE = `\n(.*?)`;/s.exec(source)![1]!.trim();
  const ends = table.split("\n").flatMap((line) => line.split(" ").slice(1));
  assertEquals(new Set(ends).size, ends.length);
  assertEquals(ends.length > 80, true);
  for (const end of ends) {
    assertMatch(
      mediaTypeOf(`x.${end}`),
      /^(?:application|audio|font|image|model|text|video)\/[\w.+-]+(?:; charset=utf-8)?$/,
    );
  }
});
