// Management records (FastCGI 1.0, section 4): answered at any time, with what
// was asked for, and never sent unasked.

import { assertEquals } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import type { Peer } from "../support/peer.ts";
import {
  begin,
  GET,
  GET_VALUES,
  GET_VALUES_RESULT,
  outline,
  pairs,
  PARAMS,
  readPairs,
  record,
  request,
  STDIN,
  stream,
  UNKNOWN_TYPE,
} from "../support/wire.ts";

const ASKED = record(
  GET_VALUES,
  0,
  pairs({ FCGI_MAX_CONNS: "", FCGI_MAX_REQS: "", FCGI_MPXS_CONNS: "" }),
);

/** Sends bytes that hold one FCGI_GET_VALUES, and gives what it brought. */
async function values(
  peer: Peer,
  bytes: Uint8Array = ASKED,
): Promise<[string, string][]> {
  await peer.send(bytes);
  const result = await peer.until(({ type }) => type === GET_VALUES_RESULT);
  assertEquals(result.id, 0);
  peer.records = peer.records.filter((record) => record !== result);
  return readPairs(result.content);
}

Deno.test("FCGI_GET_VALUES before anything else is answered at once, with the truth", async () => {
  await using host = new Running(() => {}, {
    maxConnections: 7,
    maxRequestsPerConnection: 3,
  });
  using peer = await host.connect();
  assertEquals(await values(peer), [
    ["FCGI_MAX_CONNS", "7"],
    ["FCGI_MAX_REQS", "3"],
    ["FCGI_MPXS_CONNS", "1"],
  ]);
  assertEquals(peer.records, []);
});

Deno.test("FCGI_GET_VALUES tells that there is no multiplexing where there is none", async () => {
  await using host = new Running(() => {}, { maxRequestsPerConnection: 1 });
  using peer = await host.connect();
  const told = new Map(await values(peer));
  assertEquals(told.get("FCGI_MPXS_CONNS"), "0");
  assertEquals(told.get("FCGI_MAX_REQS"), "1");
});

/** What is asked, and the names that are told. */
const ASKS: [name: string, content: Uint8Array, told: string[]][] = [
  ["one name", pairs({ FCGI_MPXS_CONNS: "" }), ["FCGI_MPXS_CONNS"]],
  [
    "what HAProxy asks",
    pairs({ FCGI_MAX_REQS: "", FCGI_MPXS_CONNS: "" }),
    ["FCGI_MAX_REQS", "FCGI_MPXS_CONNS"],
  ],
  ["nothing", new Uint8Array(0), []],
  [
    "unknown names among known ones",
    pairs({ FCGI_SPEED: "", FCGI_MAX_REQS: "", "": "", toString: "" }),
    ["FCGI_MAX_REQS"],
  ],
  ["names in lower case", pairs({ fcgi_max_reqs: "" }), []],
  [
    "one name twice",
    pairs([["FCGI_MAX_REQS", ""], ["FCGI_MAX_REQS", ""]]),
    ["FCGI_MAX_REQS"],
  ],
  ["names with values", pairs({ FCGI_MAX_REQS: "9999" }), ["FCGI_MAX_REQS"]],
  [
    "a name in a long record",
    pairs({ [`X${"x".repeat(20_000)}`]: "", FCGI_MAX_REQS: "" }),
    ["FCGI_MAX_REQS"],
  ],
];

for (const [name, content, told] of ASKS) {
  Deno.test(`FCGI_GET_VALUES that asks ${name} is told just ${told.join(" and ") || "nothing"}`, async () => {
    await using host = new Running(() => {});
    using peer = await host.connect();
    const found = await values(peer, record(GET_VALUES, 0, content, 5));
    assertEquals(found.map(([name]) => name).sort(), told.toSorted());
  });
}

Deno.test("FCGI_GET_VALUES that cannot be read is answered, and the connection lives", async () => {
  await using host = new Running((_, response) => void response.write("ok"));
  using peer = await host.connect();
  assertEquals(await values(peer, record(GET_VALUES, 0, "\x20\x05abc")), []);
  assertEquals((await peer.ask(request())).text, "ok");
});

Deno.test("FCGI_GET_VALUES is answered in every phase of a request", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    const body = await request.text();
    await promise;
    response.write("begun ");
    await response.flush();
    response.write(body);
  });
  using peer = await host.connect();
  const params = pairs({ ...GET, CONTENT_LENGTH: "5" });
  const pieces = [
    begin(1),
    record(PARAMS, 1, params.subarray(0, 10)),
    record(PARAMS, 1, params.subarray(10)),
    record(PARAMS, 1),
    record(STDIN, 1, "Hel"),
    record(STDIN, 1, "lo"),
    record(STDIN, 1),
  ];
  for (const piece of pieces) {
    await peer.send(piece);
    assertEquals((await values(peer)).length, 3);
    assertEquals(peer.records, []);
  }
  resolve();
  assertEquals((await peer.answer()).text, "begun Hello");
  assertEquals((await values(peer)).length, 3);
});

Deno.test("FCGI_GET_VALUES split at every byte between two requests is answered between them", async () => {
  await using host = new Running((_, response) => void response.write("ok"));
  using peer = await host.connect();
  for (let at = 1; at < ASKED.length; at += 3) {
    await peer.send(request(), ASKED.subarray(0, at));
    assertEquals((await peer.answer()).text, "ok");
    assertEquals((await values(peer, ASKED.subarray(at))).length, 3);
  }
});

for (const type of [1, 2, 4, 5, 8, 10, 11, 12, 77, 255]) {
  Deno.test(`a management record of type ${type} is answered with FCGI_UNKNOWN_TYPE`, async () => {
    await using host = new Running((_, response) => void response.write("ok"));
    using peer = await host.connect();
    await peer.send(record(type, 0, "12345678", 3));
    const told = await peer.until(() => true);
    assertEquals(told, {
      type: UNKNOWN_TYPE,
      id: 0,
      content: new Uint8Array([type, 0, 0, 0, 0, 0, 0, 0]),
      padding: 0,
    });
    peer.take();
    assertEquals((await peer.ask(request())).text, "ok");
  });
}

Deno.test("an unknown management record in the middle of a request does not disturb it", async () => {
  await using host = new Running(async (request, response) => {
    response.write(await request.text());
  });
  using peer = await host.connect();
  await peer.send(
    begin(1),
    record(99, 0),
    stream(PARAMS, 1, pairs({ ...GET, CONTENT_LENGTH: "4" })),
    record(STDIN, 1, "bo"),
    record(99, 0, "x".repeat(70)),
    record(STDIN, 1, "dy"),
  );
  assertEquals((await peer.answer()).text, "body");
  assertEquals(outline(peer.take()), ["UNKNOWN_TYPE 0 8", "UNKNOWN_TYPE 0 8"]);
});

Deno.test("a record of unknown type with a request id is ignored", async () => {
  await using host = new Running((_, response) => void response.write("ok"));
  using peer = await host.connect();
  const whole = request();
  await peer.send(
    record(99, 1, "before"),
    whole.subarray(0, 16),
    record(99, 1, "amid"),
    record(10, 1, "amid"),
    whole.subarray(16),
    record(99, 1, "after"),
  );
  assertEquals((await peer.answer()).text, "ok");
  assertEquals((await values(peer)).length, 3);
  assertEquals(peer.records, []);
});

Deno.test("nothing of management is sent unasked", async () => {
  await using host = new Running((_, response) => void response.write("ok"), {
    watched: true,
  });
  using peer = await host.connect();
  for (let id = 1; id < 5; id++) await peer.ask(request({ id }), id);
  assertEquals(peer.records, []);
});
