// When answers leave that many connections wait for at once: the first as soon
// as it is made, the others together, and each by itself where they are slow.

import { assert, assertEquals } from "@std/assert";
import { Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { request } from "../support/wire.ts";

const PEERS = 10;
/** Rounds of which at least one is to be served in one turn. */
const ROUNDS = 50;

/**
 * Asks on several connections at once, until `isIt` says so of how many answers
 * had left when each request was served.
 */
async function askUntil(
  service: Service,
  isIt: (left: number[]) => boolean,
): Promise<boolean> {
  let left: number[] = [];
  await using host = new Running((asked, response) => {
    left.push(host.writes.length);
    return service(asked, response);
  }, { unix: true, watched: true });
  const peers = await Promise.all(
    Array.from({ length: PEERS }, () => host.connect()),
  );
  try {
    for (let i = 0; i < ROUNDS; i++) {
      left = [];
      host.writes.length = 0;
      const answers = peers.map((peer, i) =>
        peer.ask(request({ params: { QUERY_STRING: `${i}` } }))
      );
      const texts = (await Promise.all(answers)).map(({ text }) => text);
      assertEquals(texts, peers.map((_, i) => `${i}`));
      assertEquals(host.writes.length, PEERS);
      if (isIt(left)) return true;
    }
    return false;
  } finally {
    for (const peer of peers) peer.close();
  }
}

const inTurn = Array.from({ length: PEERS }, (_, i) => i);
const together = inTurn.map((i) => Math.min(i, 1));

Deno.test("answers made in one turn leave together, but the first at once", async () => {
  const answer: Service = (request, response) => {
    response.write(request.env.QUERY_STRING!);
  };
  assert(await askUntil(answer, (left) => `${left}` === `${together}`));
});

Deno.test("answers of services that take long do not wait for one another", async () => {
  const answer: Service = (request, response) => {
    const end = performance.now() + 2;
    while (performance.now() < end);
    response.write(request.env.QUERY_STRING!);
  };
  assert(await askUntil(answer, (left) => `${left}` === `${inTurn}`));
});
