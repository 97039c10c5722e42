// The HTTP front and clients that go, or do not read.

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../support/ask.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { Fronted } from "./fronted.ts";

/** Notes what is warned of while something runs. */
async function warnings(run: () => Promise<void>): Promise<unknown[]> {
  const { warn } = console;
  const told: unknown[] = [];
  const noting = (...data: unknown[]) => void told.push(...data);
  console.warn = noting;
  try {
    await run();
    assertEquals(console.warn, noting, "what warns was not put back");
    return told;
  } finally {
    console.warn = warn;
  }
}

Deno.test("HttpFront tells the application that a client has gone before any answer", async () => {
  const told = await warnings(async () => {
    const begun = gate();
    const aborted = gate();
    await using app = new Fronted(async (request) => {
      request.signal.addEventListener("abort", () => aborted.resolve());
      begun.resolve();
      await aborted.promise;
    });
    const conn = await app.connect();
    await conn.write(latin1("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    await within(begun.promise, "the service to begin");
    conn.close();
    await within(aborted.promise, "the service to be told");
    assertEquals(app.running.logged, []);
  });
  assertEquals(told, []);
});

Deno.test("HttpFront waits for a slow answer without a warning of the runtime", async () => {
  const told = await warnings(async () => {
    await using app = new Fronted(async (_, response) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      console.warn("of the application");
      response.write("late");
    });
    const answers = Array.from({ length: 3 }, async () => {
      const response = await app.fetch("/");
      return await response.text();
    });
    assertEquals(await Promise.all(answers), ["late", "late", "late"]);
  });
  assertEquals(told, Array(3).fill("of the application"));
});

Deno.test("HttpFront tells the application that a client has gone amid its upload", async () => {
  const begun = gate();
  const failed = gate<unknown>();
  await using app = new Fronted(async (request) => {
    begun.resolve();
    await request.bytes().catch(failed.resolve);
  });
  const conn = await app.connect();
  await conn.write(
    latin1("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc"),
  );
  await within(begun.promise, "the service to begin");
  conn.close();
  const error = await within(failed.promise, "the body to fail");
  assert(error instanceof Error);
  assertEquals(app.running.logged, []);
});

Deno.test("HttpFront holds an application up whose client does not read, and tells it when that goes", async () => {
  let sent = 0;
  const most = 64 * 1024 * 1024;
  const stalled = gate();
  const aborted = gate();
  await using app = new Fronted(async (request, response) => {
    request.signal.addEventListener("abort", () => aborted.resolve());
    const chunk = new Uint8Array(64 * 1024);
    let timer: ReturnType<typeof setTimeout> | undefined;
    while (sent < most && request.isActive) {
      clearTimeout(timer);
      timer = setTimeout(stalled.resolve, 300);
      await response.write(chunk).catch(() => {});
      sent += chunk.length;
    }
    clearTimeout(timer);
  });
  const conn = await app.connect();
  await conn.write(latin1("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  await within(stalled.promise, "the service to be held up");
  assert(sent < most, `${sent} bytes went out, and none was read`);
  conn.close();
  await within(aborted.promise, "the service to be told");
});

Deno.test("HttpFront takes a body up as fast as the application does", async () => {
  const goOn = gate();
  await using app = new Fronted(async (request, response) => {
    await goOn.promise;
    let length = 0;
    for await (const chunk of request.body) length += chunk.length;
    response.write(String(length));
  });
  let pulled = 0;
  const total = 64 * 1024 * 1024;
  const stalled = gate();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      clearTimeout(timer);
      if (pulled === total) return controller.close();
      timer = setTimeout(stalled.resolve, 300);
      pulled += 1024 * 1024;
      controller.enqueue(new Uint8Array(1024 * 1024));
    },
  });
  const fetching = app.fetch("/", { method: "POST", body });
  await within(stalled.promise, "the source to be held up");
  assert(pulled < total, "all of it was taken, and none was read");
  goOn.resolve();
  assertEquals(await (await fetching).text(), String(total));
});

Deno.test("HttpFront serves many at once in front of an application that takes one connection", async () => {
  await using app = new Fronted((_, response) => {
    response.write("served");
  }, { maxConnections: 1 });
  const answers = Array.from({ length: 6 }, async () => {
    const response = await app.fetch("/");
    return await response.text();
  });
  assertEquals(await Promise.all(answers), Array(6).fill("served"));
});
