// Web-standard handlers under test, each served in both ways: with the
// runtime's internals, and by what is public alone.

import { it } from "@std/testing/bdd";
import { serveFetch } from "../../src/gateway/fetch.ts";
import type { Internals } from "../../src/gateway/fetch.ts";
import { findRequestInternals } from "../../src/gateway/runtime_request.ts";
import { findResponseReader } from "../../src/gateway/runtime_response.ts";
import type { ServeHandler } from "../../src/gateway/serve_types.ts";
import { ask } from "./ask.ts";
import type { Asked, Question } from "./ask.ts";
import type { Peer } from "./peer.ts";
import { gate, Running } from "./running.ts";
import type { RunningOptions } from "./running.ts";
import { STDOUT } from "./wire.ts";

/** One way of serving. */
export interface Way {
  /** Whether it is by the runtime's internals. */
  readonly isLazy: boolean;
  /** Asks a handler once. */
  ask(
    handler: ServeHandler,
    question?: Question,
    options?: RunningOptions,
  ): Promise<Asked>;
  /** Starts a server of a handler. */
  run(handler: ServeHandler, options?: RunningOptions): Running;
  /** What a handler gives back as JSON. */
  seen(
    look: (...args: Parameters<ServeHandler>) => unknown,
    question?: Question,
  ): Promise<unknown>;
}

/** What of the runtime's internals was found. */
export const FOUND: Internals = {
  request: findRequestInternals(),
  response: findResponseReader(),
};

/** Both ways. */
export const WAYS: readonly Way[] = [
  wayOf(FOUND),
  wayOf({ request: null, response: null }),
];

function wayOf(internals: Internals): Way {
  const service = (handler: ServeHandler) =>
    serveFetch({ fetch: handler }, { internals });
  const way: Way = {
    isLazy: internals.request !== null,
    ask: (handler, question, options) =>
      ask(service(handler), question, options),
    run: (handler, options) => new Running(service(handler), options),
    async seen(look, question) {
      const { text, status, stderr, logged } = await way.ask(
        async (...args) => Response.json(await look(...args) ?? null),
        question,
      );
      if (status === 200) return JSON.parse(text);
      throw new Error(`answered ${status}: ${stderr}${logged}`);
    },
  };
  return way;
}

/** Registers a test for each way. */
export function bothWays(
  name: string,
  test: (way: Way) => Promise<void>,
): void {
  for (const way of WAYS) {
    it(
      `${name}, ${way.isLazy ? "lazily" : "by the public face"}`,
      () => test(way),
    );
  }
}

/** So many bytes, all different from their neighbours. */
export function someBytes(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
}

/** A stream of texts, each given when it is pulled. */
export function texts(
  ...chunks: string[]
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(chunks.map((text) => utf8.encode(text)));
}

const utf8 = new TextEncoder();

/** A stream that gives each text when its turn has come. */
export function steps(count: number) {
  const gates = Array.from({ length: count }, () => gate<string>());
  let at = 0;
  const cancelled: unknown[] = [];
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      if (at === count) return controller.close();
      controller.enqueue(utf8.encode(await gates[at++]!.promise));
    },
    cancel(reason) {
      cancelled.push(reason);
    },
  });
  return {
    stream,
    cancelled,
    say: (i: number, text: string) => gates[i]!.resolve(text),
  };
}

/** Reads until STDOUT holds a text. */
export async function untilText(peer: Peer, text: string): Promise<void> {
  await peer.until(
    () => {
      const stdout = peer.records.filter(({ type }) => type === STDOUT)
        .map(({ content }) => new TextDecoder().decode(content)).join("");
      return stdout.includes(text);
    },
    `"${text}"`,
  );
}
