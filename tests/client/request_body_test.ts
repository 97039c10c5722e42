// The body of a request of unknown length, waited for so that CONTENT_LENGTH
// can tell its length.

import { assertEquals, assertRejects } from "@std/assert";
import { LimitError } from "../../src/errors.ts";
import { get } from "../support/answering.ts";
import { served } from "../support/clients.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import type { Service } from "../support/running.ts";

/** Answers with CONTENT_LENGTH and what came. */
const echo: Service = async (request, response) => {
  response.headers.set("X-Length", request.param("CONTENT_LENGTH") ?? "none");
  response.write(String((await request.bytes()).length));
};

/** Chunks that have to be waited for. */
function slowly(...lengths: number[]): ReadableStream<Uint8Array> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => timer = setTimeout(resolve, 2));
      const length = lengths.shift();
      if (length === undefined) controller.close();
      else controller.enqueue(new Uint8Array(length));
    },
    cancel: () => clearTimeout(timer),
  }, { highWaterMark: 0 });
}

const ROWS: [lengths: number[], bufferBytes: number, told: string][] = [
  [[3, 4], 0, "none"],
  [[3, 4], 8, "7"],
  [[], 1, "0"],
  [[3, 4], 7, "7"],
  [[3, 4], 6, "none"],
  [[1_000_000, 2_000_000], 4_000_000, "3000000"],
];

for (const [lengths, bufferBytes, told] of ROWS) {
  Deno.test(`FastCGIClient.fetch() tells ${told} of a body of ${lengths} bytes, with bufferBytes of ${bufferBytes}`, async () => {
    await using app = served(echo);
    const request = get({ method: "POST", body: slowly(...lengths) });
    const response = await within(
      app.client.fetch(request, {}, { bufferBytes }),
      "the header",
    );
    const sum = lengths.reduce((a, b) => a + b, 0);
    assertEquals(
      [response.headers.get("x-length"), await response.text()],
      [told, String(sum)],
    );
  });
}

Deno.test("FastCGIClient.fetch() refuses a body of unknown length that is longer than it may hold, where it needs its length", async () => {
  await using app = served(echo);
  const ask = (body: BodyInit, headers = {}) =>
    app.client.fetch(get({ method: "POST", body, headers }), {}, {
      bufferBytes: 10,
      needsLength: true,
    });
  const error = await assertRejects(() => ask(slowly(5, 6)), LimitError);
  assertEquals(
    [error.code, error.status, error.limit],
    ["BODY_TOO_LARGE", 413, 10],
  );
  assertEquals(app.connections(), 0);
  for (
    const [body, length] of [[slowly(5, 5), 10], ["x".repeat(99), 99]] as const
  ) {
    assertEquals(await (await ask(body)).text(), String(length));
  }
  const announced = await ask(slowly(50), { "content-length": "50" });
  assertEquals(await announced.text(), "50");
});

Deno.test("FastCGIClient.fetch() gives the wait for a body up where its signal fires, and cancels it", async () => {
  await using app = served(echo);
  const cancelled = gate<unknown>();
  const pulled = gate();
  const body = new ReadableStream<Uint8Array>({
    async pull() {
      pulled.resolve();
      await cancelled.promise;
    },
    cancel: cancelled.resolve,
  }, { highWaterMark: 0 });
  const controller = new AbortController();
  const fetching = app.client.fetch(
    get({ method: "POST", body, signal: controller.signal }),
    {},
    { bufferBytes: 100 },
  );
  await pulled.promise;
  const reason = new Error("on purpose");
  controller.abort(reason);
  assertEquals(await assertRejects(() => fetching), reason);
  await within(cancelled.promise, "the body to be cancelled");
  assertEquals(app.connections(), 0);
});

Deno.test("FastCGIClient.fetch() fails with what a body throws that is waited for", async () => {
  await using app = served(echo);
  const error = new Error("on purpose");
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      controller.error(error);
    },
  });
  const request = get({ method: "POST", body });
  assertEquals(
    await assertRejects(() =>
      app.client.fetch(request, {}, { bufferBytes: 9 })
    ),
    error,
  );
});
