// The multiplexer, and the parser before it, on every wire vector: delivered in
// every way, and held against the oracle.

import { assertEquals } from "@std/assert";
import { ActiveRequest, Multiplexer } from "../../src/protocol/multiplexer.ts";
import type { MultiplexerHandler } from "../../src/protocol/multiplexer.ts";
import { deliverAllWays, SETUP } from "../support/deliver.ts";
import { oracle } from "../support/oracle.ts";
import { CONNECTION_VECTORS } from "../vectors/connections.ts";
import { MALFORMED_VECTORS } from "../vectors/malformed.ts";
import { REQUEST_VECTORS } from "../vectors/requests.ts";
import { SPEC_VECTORS } from "../vectors/spec.ts";

const VECTORS = [
  ...SPEC_VECTORS,
  ...REQUEST_VECTORS,
  ...CONNECTION_VECTORS,
  ...MALFORMED_VECTORS,
];

for (const vector of VECTORS) {
  Deno.test(`Multiplexer ${vector.name}`, () => {
    const setup = { ...SETUP, ...vector.setup };
    const seen = deliverAllWays(vector.bytes, setup);
    assertEquals(seen.events, vector.events);
    assertEquals(seen.inFlight, vector.inFlight ?? 0);
    assertEquals(seen.isAtBoundary, vector.isCutOff !== true);
    assertEquals(seen, oracle(vector.bytes, setup));
  });
}

/** A multiplexer of which only the requests count. */
function quiet(maxRequestsPerConnection: number): Multiplexer<ActiveRequest> {
  const nothing = () => {};
  const handler: MultiplexerHandler<ActiveRequest> = {
    begin: (id, role, keep) => new ActiveRequest(id, role, keep),
    request: nothing,
    input: nothing,
    inputEnd: nothing,
    abort: nothing,
    refuse: nothing,
    getValues: nothing,
    unknownType: nothing,
  };
  return new Multiplexer(handler, { ...SETUP, maxRequestsPerConnection });
}

const BEGIN_CONTENT = new Uint8Array([0, 1, 1, 0, 0, 0, 0, 0]);

function begin(multiplexer: Multiplexer<ActiveRequest>, id: number): void {
  multiplexer.record(1, id, BEGIN_CONTENT, 0, 8, 0);
}

function ids(multiplexer: Multiplexer<ActiveRequest>): number[] {
  return Array.from(multiplexer.requests(), (request) => request.id);
}

Deno.test("Multiplexer.requests() gives those in flight, and may end them", () => {
  const multiplexer = quiet(8);
  assertEquals(ids(multiplexer), []);
  for (const id of [3, 1, 9, 65535]) begin(multiplexer, id);
  assertEquals(ids(multiplexer), [3, 1, 9, 65535]);
  for (const request of multiplexer.requests()) {
    if (request.id !== 9) multiplexer.end(request);
  }
  assertEquals(ids(multiplexer), [9]);
  // The place of the first is free for the next, and the others stay found.
  for (const id of [3, 9]) begin(multiplexer, id);
  assertEquals(ids(multiplexer), [3, 9]);
  assertEquals(multiplexer.count, 2);
});

Deno.test("Multiplexer.end() leaves another request of the same id alone", () => {
  const multiplexer = quiet(8);
  begin(multiplexer, 1);
  begin(multiplexer, 2);
  const [first, second] = [...multiplexer.requests()];
  for (const request of [first!, second!]) {
    multiplexer.end(request);
    begin(multiplexer, request.id);
    const now = multiplexer.count;
    multiplexer.end(request);
    assertEquals(multiplexer.count, now);
  }
  assertEquals(ids(multiplexer), [1, 2]);
});
