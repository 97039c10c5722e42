// Bodies of Requests that cannot be read to their end.

import { assertEquals, assertInstanceOf } from "@std/assert";
import { ClosedError, LimitError, ProtocolError } from "../../src/errors.ts";
import { bothWays } from "../support/fetch.ts";
import type { Way } from "../support/fetch.ts";
import { within } from "../support/peer.ts";
import type { Peer } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import {
  ABORT,
  begin,
  concatLarge,
  GET,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
} from "../support/wire.ts";

/** The beginning of a POST, its body still to come. */
function post(length: number | null, id = 1): Uint8Array {
  const announced = length === null ? {} : { CONTENT_LENGTH: `${length}` };
  return concatLarge([
    begin(id),
    stream(
      PARAMS,
      id,
      pairs({ ...GET, REQUEST_METHOD: "POST", ...announced }),
    ),
  ]);
}

/** What a handler got of its body, or the error it got. */
async function readsOf(
  way: Way,
  read: (request: Request) => Promise<unknown>,
  send: (peer: Peer) => Promise<void>,
): Promise<unknown> {
  const seen = gate<unknown>();
  await using running = way.run(async (request) => {
    await read(request).then(seen.resolve, seen.resolve);
    return new Response();
  });
  using peer = await running.connect();
  await send(peer);
  return await within(seen.promise, "the body to be read");
}

/** Ways to read that must all fail alike. */
const FAILING: [string, (request: Request) => Promise<unknown>][] = [
  ["text()", (request) => request.text()],
  ["a stream", async (request) => {
    for await (const _ of request.body!);
  }],
  ["a clone", (request) => {
    const copy = request.clone();
    request.body!.cancel();
    return copy.text();
  }],
];

for (const [name, read] of FAILING) {
  bothWays(`${name} fails where the body is cut short`, async (way) => {
    const error = await readsOf(way, read, async (peer) => {
      await peer.send(post(5), record(STDIN, 1, "abc"), record(STDIN, 1));
    });
    assertInstanceOf(error, ProtocolError);
    assertEquals(error.code, "BODY_TRUNCATED");
  });

  bothWays(`${name} fails where the body is too large`, async (way) => {
    let seen: unknown;
    const { status } = await way.ask(
      async (request) => {
        try {
          await read(request);
        } catch (error) {
          seen = error;
          throw error;
        }
        return new Response("read");
      },
      concatLarge([
        post(null),
        record(STDIN, 1, "too large"),
        record(STDIN, 1),
      ]),
      { maxBodyBytes: 4 },
    );
    assertInstanceOf(seen, LimitError);
    assertEquals([status, seen.code], [413, "BODY_TOO_LARGE"]);
  });

  bothWays(`${name} fails where the connection is lost`, async (way) => {
    const error = await readsOf(way, read, async (peer) => {
      await peer.send(post(5), record(STDIN, 1, "abc"));
      peer.close();
    });
    assertInstanceOf(error, ClosedError);
  });

  bothWays(`${name} fails where the request is aborted`, async (way) => {
    const error = await readsOf(way, read, async (peer) => {
      await peer.send(post(5), record(STDIN, 1, "abc"), record(ABORT, 1));
    });
    assertEquals((error as Error).name, "AbortedError");
  });
}

for (const [name, read] of FAILING.slice(0, 2)) {
  bothWays(
    `${name} after the answer is an error, not an empty body`,
    async (way) => {
      const answered = gate();
      const seen = gate<unknown>();
      await using running = way.run((request, { completed }) => {
        completed.then(async () => {
          answered.resolve();
          await read(request).then(() => seen.resolve("read"), seen.resolve);
        });
        return new Response("early");
      });
      using peer = await running.connect();
      assertEquals((await peer.ask(request({ body: "late" }))).text, "early");
      await within(answered.promise, "completed to settle");
      assertInstanceOf(await within(seen.promise, "the body"), TypeError);
    },
  );
}
