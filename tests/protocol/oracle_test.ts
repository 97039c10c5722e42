// The tuned parser, multiplexer and pairs against the oracle, on thousands of
// random connections, valid and then broken, in any slices.

import { assert, assertEquals } from "@std/assert";
import { deliver, randomCuts, SETUP } from "../support/deliver.ts";
import type { Setup } from "../support/deliver.ts";
import { oracle } from "../support/oracle.ts";
import { seeded, whole } from "../support/random.ts";
import { mutate, randomConnection } from "./random_streams.ts";

const ENDS = ["complete", "request", "never"] as const;

function setupOf(seed: number): Setup {
  return {
    ...SETUP,
    maxRequestsPerConnection: 1 + seed % 3,
    maxParamsBytes: seed % 4 === 0 ? 60 : 1024,
    ends: ENDS[seed % 3]!,
  };
}

/** Delivers in three ways; fails with the seed where one differs. */
function compare(bytes: Uint8Array, seed: number): string[] {
  const setup = setupOf(seed);
  const expected = oracle(bytes, setup);
  const random = seeded(seed);
  const slicings = [
    [],
    [whole(random, 0, bytes.length)],
    seed % 4 === 0
      ? Array.from({ length: bytes.length }, (_, i) => i)
      : randomCuts(random, bytes.length),
  ];
  for (const cuts of slicings) {
    const seen = deliver(bytes, cuts, setup);
    assertEquals(seen, expected, `seed ${seed}, ${cuts.length} cuts`);
  }
  return expected.events;
}

/** Counts what kinds of events a run has seen. */
function count(kinds: Map<string, number>, events: string[]): void {
  for (const event of events) {
    const kind = /^request \d+ refused \w+/.test(event)
      ? event.split(" ")[3]!
      : event.split(" ")[0]!;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
}

function assertSeen(kinds: Map<string, number>, wanted: string[]): void {
  for (const kind of wanted) {
    assert((kinds.get(kind) ?? 0) >= 20, `too few of ${kind}`);
  }
}

Deno.test("Multiplexer agrees with the oracle when connections are whole", () => {
  const kinds = new Map<string, number>();
  for (let seed = 1; seed <= 1500; seed++) {
    count(kinds, compare(randomConnection(seeded(seed)), seed));
  }
  assertSeen(kinds, [
    "begin",
    "request",
    "input",
    "end",
    "abort",
    "refuse",
    "values",
    "unknown",
    "params_too_large",
    "params_malformed",
    "unknown_role",
    "overloaded",
  ]);
});

Deno.test("Multiplexer agrees with the oracle when bytes are broken", () => {
  const kinds = new Map<string, number>();
  for (let seed = 1; seed <= 1500; seed++) {
    const random = seeded(seed);
    const bytes = mutate(random, randomConnection(random));
    count(kinds, compare(bytes, seed));
  }
  assertSeen(kinds, ["request", "input", "error", "params_malformed"]);
});
