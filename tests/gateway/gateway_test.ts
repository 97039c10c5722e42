import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Application, Gateway } from "../../mod.ts";
import type { StartResponse, WsgiEnvironment } from "../../mod.ts";
import { ask } from "../support/ask.ts";
import { Running } from "../support/running.ts";
import { request } from "../support/wire.ts";
import { answering } from "../support/wsgi.ts";

function helloApp(_env: WsgiEnvironment, startResponse: StartResponse) {
  startResponse("200 OK", [["Content-type", "text/plain"]]);
  return ["Hello, World!"];
}

Deno.test("new Gateway() serves the hello of WSGI", async () => {
  const { lines, text, stderr } = await ask(new Gateway(helloApp));
  assertEquals(lines, [
    "Content-Type: text/plain",
    "Content-Length: 13",
    "Status: 200 OK",
  ]);
  assertEquals([text, stderr], ["Hello, World!", ""]);
});

Deno.test("new Gateway() takes a function for WSGI-style, an object with fetch for web-standard", async () => {
  const both = Object.assign(helloApp.bind(null), {
    fetch: () => new Response("fetched"),
  });
  assertEquals((await ask(new Gateway(both))).text, "Hello, World!");
  class App {
    #text = "fetched";
    fetch() {
      return new Response(this.#text);
    }
  }
  for (const app of [new App(), { fetch: () => new Response("fetched") }]) {
    assertEquals((await ask(new Gateway(app))).text, "fetched");
  }
});

for (
  const bad of [
    undefined,
    null,
    "app",
    5,
    {},
    { fetch: "x" },
    [],
    { default: helloApp },
    new Application(),
  ]
) {
  Deno.test(`new Gateway() refuses ${bad === undefined ? bad : Deno.inspect(bad)}`, () => {
    assertThrows(
      () => new Gateway(bad as never),
      TypeError,
      "Cannot put ",
    );
  });
}

Deno.test("new Gateway() takes the options of Application", async () => {
  assertThrows(
    () => new Gateway(helloApp, { maxBodyBytes: -1 }),
    RangeError,
    "maxBodyBytes",
  );
  const fails = () => {
    throw new Error("shown");
  };
  const { text } = await ask(new Gateway(fails, { showTraceback: true }));
  assert(text.includes("Error: shown"));
});

Deno.test("a Gateway is an Application, and the one created last", () => {
  const gateway = new Gateway(helloApp);
  assert(gateway instanceof Application);
  assertStrictEquals(Application.current, gateway);
});

Deno.test("request and response of a Gateway are those of the call", async () => {
  const gateway: Gateway = new Gateway(answering(async (env) => {
    const before = gateway.request.param("PATH_INFO");
    await Promise.resolve();
    return `${before} ${gateway.request.param("PATH_INFO")} ${env.PATH_INFO}`;
  }));
  await using running = new Running(gateway);
  using peer = await running.connect();
  await peer.send(
    request({ id: 1, params: { PATH_INFO: "/1" } }),
    request({ id: 2, params: { PATH_INFO: "/2" } }),
    request({ id: 3, params: { PATH_INFO: "/3" } }),
  );
  for (const id of [1, 2, 3]) {
    assertEquals((await peer.answer(id)).text, `/${id} /${id} /${id}`);
  }
});

Deno.test("applicationWillStart() and applicationDidStop() of a Gateway are called", async () => {
  const called: string[] = [];
  class Own extends Gateway {
    override applicationWillStart() {
      called.push("start");
    }
    override applicationDidStop() {
      called.push("stop");
    }
  }
  await ask(new Own(helloApp));
  assertEquals(called, ["start", "stop"]);
});

Deno.test("an Authorizer of WSGI-style allows and denies by its status", async () => {
  const gateway = new Gateway((env, startResponse) => {
    const isKnown = env.HTTP_AUTHORIZATION === "secret";
    startResponse(
      isKnown ? "200 OK" : "401 Unauthorized",
      isKnown ? [["Variable-USER", "alice"]] : [],
    );
    return isKnown ? [] : ["denied"];
  });
  const allowed = await ask(gateway, {
    role: 2,
    params: { HTTP_AUTHORIZATION: "secret" },
  });
  assertEquals(allowed.lines, [
    "Status: 200 OK",
    "Variable-USER: alice",
    "Content-Length: 0",
  ]);
  const denied = await ask(gateway, { role: 2 });
  assertEquals([denied.status, denied.text], [401, "denied"]);
});
