// Any bytes at all: they end in records or a ProtocolError, in memory that has
// a bound, whatever the slices. deliver() checks the bounds after each push,
// and lets no other error pass.

import { assert, assertEquals } from "@std/assert";
import { ActiveRequest } from "../../src/protocol/active_request.ts";
import { Multiplexer } from "../../src/protocol/multiplexer.ts";
import { RecordParser } from "../../src/protocol/parser.ts";
import { deliver, randomCuts, SETUP } from "../support/deliver.ts";
import { randomBytes, seeded, whole } from "../support/random.ts";
import { begin, concatLarge, record } from "../support/wire.ts";

const SMALL = { ...SETUP, maxRequestsPerConnection: 4, maxParamsBytes: 1024 };

/** Delivers whole and in random slices; gives the last event. */
function fuzz(bytes: Uint8Array, seed: number): string {
  const seen = deliver(bytes, [], SMALL);
  const random = seeded(seed);
  for (let n = 0; n < 3; n++) {
    const cuts = randomCuts(random, bytes.length);
    assertEquals(deliver(bytes, cuts, SMALL), seen, `seed ${seed}`);
  }
  return seen.events.at(-1) ?? "";
}

Deno.test("RecordParser ends in records or a ProtocolError when bytes are random", () => {
  let failures = 0;
  for (let seed = 1; seed <= 1000; seed++) {
    const random = seeded(seed);
    const bytes = randomBytes(random, whole(random, 1, 200));
    if (random() < 0.5) bytes[0] = 1;
    if (fuzz(bytes, seed).startsWith("error")) failures++;
  }
  assert(failures > 300 && failures < 1000, `${failures} of 1000`);
});

Deno.test("Multiplexer ends in records or a ProtocolError when records are random", () => {
  const heads = new Set<string>();
  for (let seed = 1; seed <= 1000; seed++) {
    const random = seeded(seed);
    const parts: Uint8Array[] = [];
    for (let n = whole(random, 1, 20); n > 0; n--) {
      // Small numbers in the content are lengths and roles, and a record that
      // is empty ends a stream.
      const size = random() < 0.4 ? 0 : whole(random, 1, 16);
      const content = randomBytes(random, size).map((byte) =>
        byte < 200 ? byte & 7 : byte
      );
      const id = whole(random, 0, 3);
      const type = random() < 0.6 ? whole(random, 4, 5) : whole(random, 0, 12);
      parts.push(
        random() < 0.2
          ? begin(id, { role: whole(random, 0, 4) })
          : record(type, id, content, whole(random, 0, 3)),
      );
    }
    for (const event of deliver(concatLarge(parts), [], SMALL).events) {
      heads.add(event.split(" ")[0]!);
    }
    fuzz(concatLarge(parts), seed);
  }
  for (const head of ["begin", "request", "input", "end", "abort", "refuse"]) {
    assert(heads.has(head), head);
  }
});

Deno.test("Multiplexer holds no more than the limits when parameters never end", () => {
  const held: number[] = [];
  const multiplexer = new Multiplexer<ActiveRequest>({
    begin: (id, role, keep) => new ActiveRequest(id, role, keep),
    request: () => {},
    input: () => {},
    inputEnd: () => {},
    abort: () => {},
    refuse: () => {},
    getValues: () => {},
    unknownType: () => {},
  }, SMALL);
  const parser = new RecordParser(multiplexer);
  const push = (bytes: Uint8Array) => {
    parser.push(bytes, 0, bytes.length);
    multiplexer.settle();
  };
  for (let id = 1; id <= 100; id++) push(begin(id, { role: id }));
  // 100 ids, each 300 times 7 bytes and then 20 times 65,535.
  for (const [size, times] of [[7, 300], [65_535, 20]] as const) {
    const piece = new Uint8Array(size).fill(0x41);
    for (let n = 0; n < times; n++) {
      for (let id = 1; id <= 100; id++) push(record(4, id, piece));
      let sum = 0;
      for (const { gathered } of multiplexer.requests()) {
        sum += gathered?.length ?? 0;
      }
      held.push(sum);
    }
  }
  const most = 2 * SMALL.maxRequestsPerConnection;
  assertEquals(multiplexer.count, most);
  assert(Math.max(...held) <= most * SMALL.maxParamsBytes);
  assert(Math.max(...held) > most * SMALL.maxParamsBytes / 2);
  // Past the limit nothing is kept.
  assertEquals(held.at(-1), 0);
  // And the end of them is still understood.
  for (const request of multiplexer.requests()) {
    push(record(4, request.id));
    assertEquals(
      request.refusal,
      request.id < 4 ? "params_too_large" : "unknown_role",
    );
  }
});
