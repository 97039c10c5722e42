// Reading a body that the answer has overtaken: it fails, and never hangs nor
// passes what was cut for a whole.

import { assertEquals, assertInstanceOf } from "@std/assert";
import type { ServiceRequest } from "../src/request.ts";
import { gate, Running } from "./support/running.ts";
import { within } from "./support/peer.ts";
import {
  begin,
  concatLarge,
  GET,
  pairs,
  PARAMS,
  record,
  request as wireRequest,
  STDIN,
  stream,
} from "./support/wire.ts";

/** The first half of a POST, up to some of its body. */
function begun(length: number | null): Uint8Array {
  const params = {
    ...GET,
    REQUEST_METHOD: "POST",
    ...length === null ? {} : { CONTENT_LENGTH: String(length) },
  };
  return concatLarge([
    begin(),
    stream(PARAMS, 1, pairs(params)),
    record(STDIN, 1, "begun "),
  ]);
}

const FORMS: Record<string, (request: ServiceRequest) => Promise<unknown>> = {
  "bytes()": (request) => request.bytes(),
  "text()": (request) => request.text(),
  body: (request) => new Response(request.body).text(),
  "lines()": async (request) => {
    for await (const _ of request.lines());
  },
};

/** What became of a promise, as a value. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then((value) => ["read", value], (error) => error);
}

for (const [name, read] of Object.entries(FORMS)) {
  for (const length of [12, null]) {
    const kind = length === null ? "of unknown length" : "with a length";
    Deno.test(`${name} of a body ${kind} that was begun fails where the answer ends first`, async () => {
      const seen = gate<unknown>();
      await using running = new Running((request, response) => {
        outcome(read(request)).then(seen.resolve);
        response.write("early");
      });
      using peer = await running.connect();
      await peer.send(begun(length));
      assertInstanceOf(await within(seen.promise, "the read"), TypeError);
      await peer.send(record(STDIN, 1, "ended."), record(STDIN, 1));
      assertEquals((await peer.answer()).text, "early");
    });

    Deno.test(`${name} of a body ${kind} fails after the answer`, async () => {
      const seen = gate<unknown>();
      const isAnswered = gate();
      await using running = new Running((request, response) => {
        isAnswered.promise.then(() => outcome(read(request)))
          .then(seen.resolve);
        response.write("early");
      });
      using peer = await running.connect();
      await peer.send(
        begun(length),
        record(STDIN, 1, "ended."),
        record(STDIN, 1),
      );
      assertEquals((await peer.answer()).text, "early");
      isAnswered.resolve();
      assertInstanceOf(await within(seen.promise, "the read"), TypeError);
    });
  }
}

Deno.test("a body that had come whole can be read to its end, and none is an empty one", async () => {
  const seen: unknown[] = [];
  const isAnswered = gate();
  const isSeen = gate();
  await using running = new Running(async (request, response) => {
    const reader = request.body.getReader();
    const { value } = await reader.read();
    seen.push(new TextDecoder().decode(value));
    isAnswered.promise.then(async () => {
      seen.push((await reader.read()).done);
      isSeen.resolve();
    });
    response.write("answered");
  });
  using peer = await running.connect();
  await peer.ask(wireRequest({ body: "whole" }));
  isAnswered.resolve();
  await within(isSeen.promise, "the end");
  assertEquals(seen, ["whole", true]);
});

Deno.test("a request without a body reads as empty after the answer too", async () => {
  const seen = gate<unknown>();
  const isAnswered = gate();
  await using running = new Running((request, response) => {
    isAnswered.promise.then(() => outcome(request.text())).then(seen.resolve);
    response.write("answered");
  });
  using peer = await running.connect();
  await peer.ask(wireRequest());
  isAnswered.resolve();
  assertEquals(await within(seen.promise, "the read"), ["read", ""]);
});
