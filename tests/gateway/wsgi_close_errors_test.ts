import { assertEquals, assertStringIncludes } from "@std/assert";
import { Gateway } from "../../src/gateway/gateway.ts";
import type { WsgiApplication } from "../../src/gateway/wsgi_types.ts";
import { Running } from "../support/running.ts";
import { request } from "../support/wire.ts";
import { answering, askWsgi } from "../support/wsgi.ts";

Deno.test("a body's close() may fail: that is logged, and the response is whole", async () => {
  const fails: WsgiApplication[] = [
    answering(() =>
      Object.assign(["a"], {
        close() {
          throw new Error("close fails");
        },
      })
    ),
    answering(() =>
      Object.assign(["a"], {
        close: () => Promise.reject(new Error("close fails")),
      })
    ),
    answering(() => ({
      *[Symbol.iterator]() {
        yield "a";
      },
      close() {
        throw new Error("close fails");
      },
    })),
  ];
  for (const app of fails) {
    await using running = new Running(new Gateway(app));
    using peer = await running.connect();
    const { text, status, appStatus, stderr } = await peer.ask(request());
    assertEquals([text, status, appStatus], ["a", 200, 0]);
    await running.goOn(1);
    const log = stderr + running.logged.join("\n");
    assertStringIncludes(log, "Closing a body failed: Error: close fails");
  }
});

Deno.test("where body and close() fail, both are told", async () => {
  const { status, stderr } = await askWsgi(answering(() => ({
    // deno-lint-ignore require-yield
    *[Symbol.iterator]() {
      throw new Error("body fails");
    },
    close() {
      throw new Error("close fails");
    },
  })));
  assertEquals(status, 500);
  assertStringIncludes(stderr, "Error: body fails");
  assertStringIncludes(stderr, "Closing a body failed: Error: close fails");
});

Deno.test("an error that body and close() share is told once", async () => {
  const error = new Error("the source fails");
  const fail = () => {
    throw error;
  };
  for (const isAsync of [false, true]) {
    const { status, stderr } = await askWsgi(answering(() => ({
      [Symbol.iterator]: () => ({ next: fail }),
      close: isAsync ? () => Promise.reject(error) : fail,
    })));
    assertEquals(status, 500);
    assertEquals(stderr.split("Error: the source fails").length, 2, stderr);
  }
});

Deno.test("close() comes when all was said, and can still log", async () => {
  const order: string[] = [];
  const { stderr } = await askWsgi(answering((env) => ({
    *[Symbol.iterator]() {
      order.push("first");
      yield "a";
      order.push("last");
    },
    close() {
      order.push("close");
      env["wsgi.errors"].write(`closed ${env.REMOTE_ADDR}\n`);
    },
  })));
  assertEquals(order, ["first", "last", "close"]);
  assertEquals(stderr, "closed 192.0.2.1\n");
});
