// What a handler is called with: a Request and its info, unless it cannot see
// them. Without the runtime's internals a Request cannot be made of TRACE, which
// shows that none is made.

import { assertEquals } from "@std/assert";
import { serveFetch } from "../../src/gateway/fetch.ts";
import type { FetchApplication } from "../../src/gateway/fetch.ts";
import { ask } from "../support/ask.ts";
import { bothWays, WAYS } from "../support/fetch.ts";

const URI = { params: { REQUEST_URI: "/seen", HTTP_HOST: "a.test" } };
const TRACE = { params: { REQUEST_METHOD: "TRACE" } };
const [, PUBLIC] = WAYS;

/** What says how it was called. */
const SEEING: Record<string, FetchApplication["fetch"]> = {
  "a parameter": (request) => new Response(request.url),
  "a default value": (request = new Request("http://none.test/")) =>
    new Response(request.url),
  "rest parameters": (...[request]) => new Response(request.url),
  "a parameter taken apart": ({ url }) => new Response(url),
  "arguments": function () {
    return new Response(arguments[0].url);
  },
  "arguments of a method": {
    fetch() {
      return new Response(arguments[0].url);
    },
  }.fetch,
  "arguments of an async function": async function () {
    return await Promise.resolve(new Response(arguments[0].url));
  },
  "what it is bound to": ((request: Request) => new Response(request.url))
    .bind(null),
  "a proxy": new Proxy(() => new Response(), {
    apply: (_target, _self, [request]) => new Response(request.url),
  }),
  "an arrow function in it": function () {
    return (() => new Response(arguments[0].url))();
  },
};

for (const [what, handler] of Object.entries(SEEING)) {
  bothWays(`a handler sees its Request by ${what}`, async (way) => {
    const { status, text } = await way.ask(handler, URI);
    assertEquals([status, text], [200, "http://a.test/seen"]);
  });
}

const BLIND: Record<string, FetchApplication["fetch"]> = {
  "an arrow function": () => new Response("made"),
  "one with a body": () => {
    return new Response("made");
  },
  "an async one": async () => await Promise.resolve(new Response("made")),
  "one that calls another": () =>
    ((text: string) => new Response(text))("made"),
};

for (const [what, handler] of Object.entries(BLIND)) {
  bothWays(`${what} without parameters is served`, async (way) => {
    const { status, text } = await way.ask(handler, URI);
    assertEquals([status, text], [200, "made"]);
  });

  Deno.test(`no Request is made for ${what} without parameters`, async () => {
    assertEquals((await PUBLIC!.ask(handler, TRACE)).status, 200);
    const { status } = await PUBLIC!.ask((_request) => new Response(), TRACE);
    assertEquals(status, 501, "it would be seen");
  });
}

bothWays("a handler may be replaced by one that sees more", async (way) => {
  const internals = way.isLazy ? undefined : { request: null, response: null };
  const app: FetchApplication = { fetch: () => new Response("made") };
  const serve = serveFetch(app, { internals });
  assertEquals((await ask(serve, URI)).text, "made");
  app.fetch = (request) => new Response(request.url);
  assertEquals((await ask(serve, URI)).text, "http://a.test/seen");
  app.fetch = () => new Response("again");
  assertEquals((await ask(serve, URI)).text, "again");
});

bothWays("what fails without a Request is told all the same", async (way) => {
  const thrown = await way.ask(() => {
    throw new Error("deliberate");
  });
  assertEquals(thrown.status, 500);
  const broken = await way.ask(() =>
    new Response(ReadableStream.from((function* () {
      yield new Uint8Array([1]);
      throw new Error("deliberate");
    })()))
  );
  assertEquals(broken.stderr.includes("deliberate"), true, broken.stderr);
});
