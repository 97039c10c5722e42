// Seeded fuzz of the running server: whatever comes, it ends in records, a
// documented error or a closed connection, and the server lives.

import { assert, assertEquals } from "@std/assert";
import { Running } from "../support/running.ts";
import { randomBytes, seeded, whole } from "../support/random.ts";
import {
  ABORT,
  begin,
  concatLarge,
  DATA,
  END,
  GET,
  GET_VALUES,
  GET_VALUES_RESULT,
  pairs,
  PARAMS,
  record,
  request,
  STDERR,
  STDIN,
  STDOUT,
  UNKNOWN_TYPE,
} from "../support/wire.ts";
import type { WireRecord } from "../support/wire.ts";

type Random = () => number;

const ANSWERS = new Set([END, STDOUT, STDERR, GET_VALUES_RESULT, UNKNOWN_TYPE]);

/** A stream of records that is mostly sane. */
function sane(random: Random): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = whole(random, 1, 6); i > 0; i--) {
    const id = whole(random, 1, 4);
    const body = randomBytes(random, whole(random, 0, 300));
    parts.push(
      pick<() => Uint8Array>(random, [
        () => request({ id, body, keep: random() < 0.7 }),
        () => request({ id, role: whole(random, 0, 4), body, data: "data" }),
        () => record(GET_VALUES, 0, pairs({ FCGI_MAX_REQS: "", X: "y" })),
        () => record(whole(random, 0, 255), whole(random, 0, 4), body, 7),
        () => begin(id),
        () => record(PARAMS, id, pairs(GET)),
        () => record(PARAMS, id),
        () => record(STDIN, id, body),
        () => record(STDIN, id),
        () => record(DATA, id, body),
        () => record(ABORT, id),
      ])(),
    );
  }
  return concatLarge(parts);
}

function pick<T>(random: Random, all: T[]): T {
  return all[whole(random, 0, all.length - 1)]!;
}

/** The same with something wrong in it. */
function mutated(random: Random): Uint8Array {
  let bytes = sane(random);
  for (let i = whole(random, 1, 4); i > 0; i--) {
    const at = whole(random, 0, bytes.length);
    const next = Math.min(bytes.length, at + whole(random, 0, 40));
    const [before, after] = [bytes.slice(0, at), bytes.slice(next)];
    bytes = pick<() => Uint8Array>(random, [
      () => before,
      () => concatLarge([before, after]),
      () => concatLarge([before, randomBytes(random, next - at), after]),
      () => concatLarge([before, bytes.slice(at, next), bytes.slice(at)]),
      () => {
        const flipped = bytes.slice();
        if (at < flipped.length) flipped[at]! ^= 1 << whole(random, 0, 7);
        return flipped;
      },
    ])();
  }
  return bytes;
}

/** What may stand on the wire, whatever was sent. */
function assertSane(records: WireRecord[]): void {
  for (const [i, { type, id, content }] of records.entries()) {
    assert(ANSWERS.has(type), `a record of type ${type}`);
    const isManagement = type === GET_VALUES_RESULT || type === UNKNOWN_TYPE;
    assertEquals(id === 0, isManagement, `type ${type} with id ${id}`);
    if (type === END) {
      assertEquals(content.length, 8);
      assert([0, 2, 3].includes(content[4]!), `protocol status ${content[4]}`);
    }
    if (type !== STDERR) continue;
    const before = records.slice(0, i).findLast((record) => record.id === id);
    assert(
      before !== undefined && before.type !== END,
      "FCGI_STDERR before the header block",
    );
  }
}

const KINDS: [
  name: string,
  make: (random: Random) => Uint8Array,
  count: number,
][] = [
  ["random bytes", (random) => randomBytes(random, whole(random, 1, 400)), 300],
  [
    "random records",
    (random) =>
      concatLarge(
        Array.from(
          { length: whole(random, 1, 10) },
          () =>
            record(
              whole(random, 0, 12),
              whole(random, 0, 3),
              randomBytes(random, whole(random, 0, 60)),
              whole(random, 0, 9),
            ),
        ),
      ),
    500,
  ],
  ["streams that are mostly sane", sane, 500],
  ["mutated streams", mutated, 1_000],
];

for (const [name, make, count] of KINDS) {
  for (const seed of [1, Date.now()]) {
    const shown = seed === 1 ? "a fixed seed" : "a seed of today";
    Deno.test(`${name} from ${shown} end in records or a closed connection`, async () => {
      const random = seeded(seed);
      await using host = new Running(async (request, response) => {
        response.write(request.method);
        const body = await request.bytes();
        for await (const chunk of request.data) response.write(chunk);
        if (body.length % 3 === 0) request.log("a line");
        if (body.length % 5 === 0) await response.flush();
        if (body.length % 7 === 6) throw new Error("sometimes");
        response.write(body);
      }, { unix: true, maxBodyBytes: 1_000, maxParamsBytes: 1_024 });
      for (let i = 0; i < count; i++) {
        const bytes = make(random);
        try {
          using peer = await host.connect();
          // In two pieces, so that anything may be split.
          const at = whole(random, 0, bytes.length);
          await peer.send(bytes.subarray(0, at));
          if (random() < 0.3) await host.goOn(1);
          // A server that has closed takes no more: that is an end, too.
          await peer.send(bytes.subarray(at)).catch(ignoreClosed);
          // Some go away without a word.
          if (random() < 0.1) continue;
          await peer.conn.closeWrite().catch(ignoreClosed);
          assertSane(await peer.toEnd());
        } catch (error) {
          throw new Error(`seed ${seed}, stream ${i}: ${hex(bytes)}`, {
            cause: error,
          });
        }
      }
      using peer = await host.connect();
      assertEquals((await peer.ask(request({ body: "1" }))).text, "POST1");
      peer.close();
      await host.server.shutdown();
    });
  }
}

function ignoreClosed(error: unknown): void {
  if (error instanceof Deno.errors.BrokenPipe) return;
  if (error instanceof Deno.errors.NotConnected) return;
  throw error;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}
