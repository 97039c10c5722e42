// Sessions of applications of other kinds, by the Gateway that they are behind.

import { assertEquals } from "@std/assert";
import { Gateway } from "../../mod.ts";
import type { StartResponse, WsgiEnvironment } from "../../mod.ts";
import { Visitor } from "./visitor.ts";

const ANY = { hostname: "127.0.0.1", port: 0 };

/** Asks a gateway twice as one client. */
async function askTwice(gateway: Gateway): Promise<void> {
  await using server = gateway.listen(ANY);
  const visitor = new Visitor(server);
  const first = await visitor.ask();
  assertEquals([first.text, first.setCookies.length], ["1", 1]);
  assertEquals(first.headers["cache-control"], "private");
  assertEquals(first.headers["x-a"], "b");
  const second = await visitor.ask();
  assertEquals([second.text, second.setCookies], ["2", []]);
}

Deno.test("a WSGI-style application has sessions by smisk.app", async () => {
  await askTwice(
    new Gateway(
      async (env: WsgiEnvironment, startResponse: StartResponse) => {
        const session = await env["smisk.app"].request.session();
        const n = await session.update<number>("n", (n = 0) => n + 1);
        startResponse("200 OK", [["X-A", "b"]]);
        return [String(n)];
      },
    ),
  );
});

Deno.test("a web-standard application has sessions by its gateway", async () => {
  const gateway: Gateway = new Gateway({
    async fetch() {
      const session = await gateway.request.session();
      const n = await session.update<number>("n", (n = 0) => n + 1);
      return new Response(String(n), { headers: { "x-a": "b" } });
    },
  });
  await askTwice(gateway);
});

Deno.test("a web-standard application that streams has its session stored before", async () => {
  const gateway: Gateway = new Gateway({
    async fetch() {
      const session = await gateway.request.session();
      session.set("n", (session.get<number>("n") ?? 0) + 1);
      const text = String(session.get("n"));
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(text));
          controller.close();
        },
      });
      return new Response(body, { headers: { "x-a": "b" } });
    },
  });
  await askTwice(gateway);
});
