// serve() and what goes wrong in its handler.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { HttpError, serve } from "../../mod.ts";
import type { ServeHandler } from "../../mod.ts";
import { texts } from "../support/fetch.ts";
import { Peer } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { END, request } from "../support/wire.ts";
import { askServer, QUIET } from "../support/serve.ts";

/** Ways to fail, each of which onError is told. */
const FAULTS: [what: string, handler: ServeHandler, message: string][] = [
  [
    "a thrown error",
    () => {
      throw new Error("deliberate");
    },
    "deliberate",
  ],
  [
    "a rejected promise",
    () => Promise.reject(new Error("deliberate")),
    "deliberate",
  ],
  [
    "something else than a Response",
    () => "text" as never,
    "Cannot answer with a string",
  ],
  [
    "a promise of something else",
    () => Promise.resolve(undefined as never),
    "Cannot answer with undefined",
  ],
  ["Response.error()", () => Response.error(), "Response.error()"],
  [
    "a stream that fails at once",
    () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.error(new Error("deliberate")),
        }),
      ),
    "",
  ],
];

for (const [what, handler, message] of FAULTS.slice(0, 5)) {
  Deno.test(`onError answers for ${what}`, async () => {
    for (const later of [false, true]) {
      const seen: unknown[] = [];
      const server = serve({
        ...QUIET,
        onError(error) {
          seen.push(error);
          const response = new Response("mended", { status: 503 });
          return later ? Promise.resolve(response) : response;
        },
      }, handler);
      const { status, text, stderr } = await askServer(server);
      assertEquals([status, text, stderr], [503, "mended", ""]);
      assertStringIncludes(String(seen), message);
      assertEquals(seen.length, 1);
    }
  });
}

for (const [what, handler] of FAULTS) {
  Deno.test(`without onError ${what} is a 500, and logged`, async () => {
    const { status, stderr } = await askServer(serve(QUIET, handler));
    assertEquals(status, 500);
    assertStringIncludes(stderr, "Error: ");
  });
}

Deno.test("onError may answer with a stream", async () => {
  const server = serve(
    { ...QUIET, onError: () => new Response(texts("men", "ded")) },
    () => {
      throw new Error("deliberate");
    },
  );
  assertEquals((await askServer(server)).text, "mended");
});

for (
  const [what, onError] of [
    ["throws", () => {
      throw new Error("second");
    }],
    ["rejects", () => Promise.reject(new Error("second"))],
    ["returns no Response", () => "text"],
  ] as [string, () => never][]
) {
  Deno.test(`an onError that ${what} is a 500, and both errors are logged`, async () => {
    const server = serve({ ...QUIET, onError }, () => {
      throw new Error("first");
    });
    const { status, stderr } = await askServer(server);
    assertEquals(status, 500);
    assertStringIncludes(stderr, "Error: first");
    assertStringIncludes(
      stderr,
      what === "returns no Response" ? "Cannot answer with" : "Error: second",
    );
  });
}

Deno.test("onError is not asked once a stream has begun", async () => {
  let asked = 0;
  const mayFail = gate();
  let isFirst = true;
  const server = serve({
    ...QUIET,
    onError() {
      asked++;
      return new Response("mended");
    },
  }, () =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          if (isFirst) controller.enqueue(new Uint8Array(1));
          else {
            await mayFail.promise;
            throw new Error("deliberate");
          }
          isFirst = false;
        },
      }),
    ));
  const { error } = console;
  console.error = () => {};
  try {
    using peer = await Peer.to(server);
    await peer.send(request());
    await peer.until(({ content }) => content.at(-1) === 0);
    mayFail.resolve();
    const records = await peer.toEnd();
    assertEquals(records.filter(({ type }) => type === END), []);
    assertEquals(asked, 0);
    await server.shutdown();
  } finally {
    console.error = error;
  }
});

Deno.test("an HttpError is its status, without onError", async () => {
  const { status, text } = await askServer(serve(QUIET, () => {
    throw new HttpError(404, "No such page");
  }));
  assertEquals(status, 404);
  assertStringIncludes(text, "No such page");
});
