// Responses of many records, and header blocks that barely fit into one.

import { assert, assertEquals } from "@std/assert";
import { Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { concatLarge, END, request, STDOUT } from "../support/wire.ts";

/** Ways to write a long body. */
const LONG: [
  name: string,
  write: (response: Parameters<Service>[1], body: Uint8Array) => unknown,
][] = [
  ["as one array", (response, body) => response.write(body)],
  [
    "as one string",
    (response, body) => response.write(new TextDecoder().decode(body)),
  ],
  [
    "in pieces, awaited",
    async (response, body) => {
      for (let at = 0; at < body.length; at += 10_007) {
        await response.write(body.subarray(at, at + 10_007));
      }
    },
  ],
  [
    "in pieces, not awaited",
    (response, body) => {
      for (let at = 0; at < body.length; at += 40_009) {
        response.write(body.subarray(at, at + 40_009));
      }
    },
  ],
  [
    "through the stream",
    async (response, body) => {
      await new Blob([body.slice()]).stream().pipeTo(response.writable);
    },
  ],
];

for (const length of [1_000_000, 20_000_000]) {
  for (const [name, write] of LONG) {
    Deno.test(`a response of ${length} bytes arrives whole, written ${name}`, async () => {
      // ASCII, and every piece of it different from the next.
      const body = new Uint8Array(length);
      for (let i = 0; i < length; i++) body[i] = 33 + i % 89;
      await using host = new Running(async (_, response) => {
        await write(response, body);
      });
      using peer = await host.connect();
      await peer.send(request());
      await peer.until((record) => record.type === END);
      const records = peer.take();
      const stdout = records.filter(({ type }) => type === STDOUT);
      assertEquals(records.length, stdout.length + 1);
      assertEquals(stdout.at(-1)!.content.length, 0);
      const empty = stdout.filter(({ content }) => content.length === 0);
      assertEquals(empty.length, 1);
      const all = concatLarge(stdout.map(({ content }) => content));
      const head = all.length - length;
      assertEquals(
        new TextDecoder().decode(all.subarray(0, head)).endsWith(
          "Status: 200 OK\r\n\r\n",
        ),
        true,
      );
      let same = 0;
      while (same < length && all[head + same] === body[same]) same++;
      assertEquals(same, length);
    });
  }
}

/** Header lengths and bodies that together are about as long as a record. */
const TIGHT: [header: number, body: string][] = [
  [30_000, "x".repeat(9_000)],
  [50_000, "x".repeat(20_000)],
  [50_000, "€".repeat(9_000)],
  [60_000, "x".repeat(9_000)],
  [65_000, "x".repeat(20_000)],
  [65_400, ""],
  [65_400, "x".repeat(500_000)],
];

for (const [header, body] of TIGHT) {
  Deno.test(`a header of ${header} bytes leaves in one record, and ${body.length} characters of "${body.slice(0, 1)}" after it`, async () => {
    await using host = new Running((_, response) => {
      response.headers.set("X-Big", "h".repeat(header));
      response.write(body);
    });
    using peer = await host.connect();
    await peer.send(request());
    const first = await peer.until(({ type }) => type === STDOUT);
    assert(new TextDecoder().decode(first.content).includes("\r\n\r\n"));
    const answer = await peer.answer();
    assertEquals(answer.status, 200);
    assertEquals(answer.headers["x-big"]!.length, header);
    assertEquals(answer.body.length, Number(answer.headers["content-length"]));
    assertEquals(answer.text, body);
    assertEquals((await peer.ask(request())).status, 200);
  });
}

for (const header of [65_536, 70_000, 200_000]) {
  Deno.test(`a header of ${header} bytes, which no record holds, is answered with 500`, async () => {
    await using host = new Running((_, response) => {
      response.headers.set("X-Big", "h".repeat(header));
      response.write("body");
    });
    using peer = await host.connect();
    const answer = await peer.ask(request());
    assertEquals([answer.status, answer.headers["x-big"]], [500, undefined]);
    assert(host.logged.length > 0 || answer.stderr !== "", "nothing is logged");
    using next = await host.connect();
    assertEquals((await next.ask(request())).status, 500);
  });
}
