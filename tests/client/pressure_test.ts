// FastCGIClient with much at once: many requests, and ends that take nothing.

import { assert, assertEquals } from "@std/assert";
import { served } from "../support/clients.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";

Deno.test("FastCGIClient.fetch() answers 200 requests at once, each with its own", async () => {
  await using app = served(async (request, response) => {
    await response.write(`${request.url.pathname} `);
    await response.write(await request.bytes());
  }, { client: { maxIdleConnections: 200, multiplex: false } });
  const ask = async (i: number) => {
    const response = await app.fetch(`/${i}`, {
      method: "POST",
      body: `b${i}`,
    });
    return await response.text();
  };
  for (let round = 0; round < 2; round++) {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => ask(i)),
    );
    assertEquals(answers, Array.from(answers, (_, i) => `/${i} b${i}`));
  }
  // The second round found the connections of the first; not all where they
  // were slow in coming, and seemed to be held up by those that were kept.
  assert(app.connections() < 400, `${app.connections()} connections`);
});

Deno.test("FastCGIClient stops reading where the response's body is not read", async () => {
  const chunk = new Uint8Array(64 * 1024);
  let sent = 0;
  const stalled = gate();
  const aborted = gate();
  await using app = served(async (request, response) => {
    request.signal.addEventListener("abort", () => aborted.resolve());
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      while (sent < 256 * 1024 * 1024) {
        clearTimeout(timer);
        timer = setTimeout(stalled.resolve, 200);
        await response.write(chunk);
        sent += chunk.length;
      }
    } finally {
      clearTimeout(timer);
    }
  });
  const response = await app.fetch("/");
  await within(stalled.promise, "the service to be held up");
  const most = 64 * 1024 * 1024;
  assert(sent < most, `${sent} bytes went out, and none was read`);
  await response.body!.cancel();
  await within(aborted.promise, "the service to be told");
});

Deno.test("FastCGIClient stops pulling where the request's body is not taken", async () => {
  let pulled = 0;
  const goOn = gate();
  const stalled = gate();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const total = 64 * 1024 * 1024;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      // Waited for, so that it is not read ahead.
      await new Promise((resolve) => setTimeout(resolve, 0));
      clearTimeout(timer);
      timer = setTimeout(stalled.resolve, 300);
      if (pulled === total) {
        clearTimeout(timer);
        controller.close();
        return;
      }
      pulled += 1024 * 1024;
      controller.enqueue(new Uint8Array(1024 * 1024));
    },
  }, { highWaterMark: 0 });
  await using app = served(async (request, response) => {
    await goOn.promise;
    let length = 0;
    for await (const chunk of request.body) length += chunk.length;
    await response.write(String(length));
  });
  const fetching = app.fetch("/", { method: "POST", body });
  await within(stalled.promise, "the source to be held up");
  assert(pulled < total, "all of it was taken, and none was read");
  goOn.resolve();
  assertEquals(await (await fetching).text(), String(total));
});
