// Responses that cannot be sent, or not again.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ServeHandler } from "../../src/gateway/serve_types.ts";
import { bothWays, texts } from "../support/fetch.ts";
import { request } from "../support/wire.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

for (
  const [what, shared] of [
    ["a string", () => new Response("shared")],
    [
      "a string with headers",
      () => new Response("shared", { headers: { "x-one": "1" } }),
    ],
    ["bytes", () => new Response(bytes("shared"))],
    ["a stream", () => new Response(texts("shared"))],
  ] as [string, () => Response][]
) {
  bothWays(
    `a Response of ${what} answers once, its clones each`,
    async (way) => {
      const response = shared();
      const copy = response.clone();
      await using running = way.run(({ url }) =>
        url.endsWith("clone") ? copy.clone() : response
      );
      using peer = await running.connect();
      const first = await peer.ask(request());
      assertEquals([first.status, first.text], [200, "shared"]);
      assert(response.bodyUsed);
      const second = await peer.ask(request());
      assertEquals(second.status, 500);
      assertStringIncludes(second.stderr, "was read already");
      for (let i = 0; i < 2; i++) {
        const { text } = await peer.ask(request({
          params: { REQUEST_URI: "/clone" },
        }));
        assertEquals(text, "shared");
      }
    },
  );
}

bothWays(
  "a Response of nothing may answer any number of times",
  async (way) => {
    const shared = new Response(null, { status: 204 });
    await using running = way.run(() => shared);
    using peer = await running.connect();
    for (let i = 0; i < 3; i++) {
      assertEquals((await peer.ask(request())).status, 204);
    }
  },
);

const NOT_TO_BE_SENT: [what: string, make: () => unknown, message: string][] = [
  ["undefined", () => undefined, "Cannot answer with undefined"],
  ["null", () => null, "Cannot answer with null"],
  ["a string", () => "text", "Cannot answer with a string"],
  ["an object", () => ({}), "Cannot answer with an object of class Object"],
  [
    "what only looks like one",
    () => Object.create(Response.prototype),
    "Cannot answer with",
  ],
  ["Response.error()", () => Response.error(), "Response.error()"],
  [
    "status 101",
    () => new Response(null, { status: 101 }),
    "Cannot answer with status 101",
  ],
  [
    "a body that was read",
    async () => {
      const response = new Response("text");
      await response.text();
      return response;
    },
    "was read already",
  ],
  [
    "a stream that was read",
    async () => {
      const response = new Response(texts("a", "b"));
      await response.text();
      return response;
    },
    "was read already",
  ],
  [
    "a locked stream",
    () => {
      const response = new Response(texts("a"));
      response.body!.getReader();
      return response;
    },
    "locked to a reader",
  ],
  [
    "a stream that was begun",
    async () => {
      const response = new Response(texts("a", "b"));
      const reader = response.body!.getReader();
      await reader.read();
      reader.releaseLock();
      return response;
    },
    "was read already",
  ],
];

for (const [what, make, message] of NOT_TO_BE_SENT) {
  bothWays(
    `${what} in place of a Response is a 500 that says so`,
    async (way) => {
      for (const handler of [make, async () => await make()]) {
        const { status, stderr } = await way.ask(handler as ServeHandler);
        assertEquals(status, 500);
        assertStringIncludes(stderr, `TypeError: Cannot`);
        assertStringIncludes(stderr, message);
      }
    },
  );
}
