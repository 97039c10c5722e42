// FastCGIClient in front of a server that answers in an odd way, cut anywhere,
// which is no fault; and its error stream.

import { assert, assertEquals } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { get, text, turn } from "../support/answering.ts";
import { within } from "../support/peer.ts";
import { readRequest, Scripted } from "../support/scripted.ts";
import {
  bytes,
  concatLarge,
  end,
  record,
  response,
  STDERR,
  STDOUT,
} from "../support/wire.ts";

const head = "Content-Type: text/plain\r\n\r\n";
const whole = response(`${head}hello`);

/** A server that answers its first request so, and closes. */
function answering(...parts: Uint8Array[]): Scripted {
  return new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(...parts);
    peer.close();
  });
}

/** The lines of FCGI_STDERR of a request to a server. */
async function linesOf(server: Scripted): Promise<string[]> {
  const lines: string[] = [];
  await using client = new FastCGIClient(server.address, {
    onStderr: (line) => lines.push(line),
  });
  await text(client);
  return lines;
}

const ODD: [name: string, answer: Uint8Array[]][] = [
  ["one record", [whole]],
  ["no end of FCGI_STDOUT", [record(STDOUT, 1, `${head}hello`), end()]],
  ["an application status", [record(STDOUT, 1, `${head}hello`), end(1, 255)]],
  [
    "FCGI_OVERLOADED after a response",
    [record(STDOUT, 1, `${head}hello`), record(STDOUT, 1), end(1, 0, 2)],
  ],
  [
    "a record of each byte, with padding",
    [...`${head}hello`].map((character, i) =>
      record(STDOUT, 1, character, i % 9)
    )
      .concat(record(STDOUT, 1, "", 255), end()),
  ],
  [
    "the header apart from the body",
    [record(STDOUT, 1, head), response("hello")],
  ],
  ["management records", [
    record(10, 0, "x"),
    record(11, 0, "12345678"),
    whole,
  ]],
  ["errors in between", [
    record(STDERR, 1, "a"),
    record(STDOUT, 1, `${head}he`),
    record(STDERR, 1, "b"),
    record(STDERR, 1),
    response("llo"),
  ]],
];

const AT_ONCE = 32;

for (const [name, answer] of ODD) {
  Deno.test(`FastCGIClient.fetch() takes ${name} for a whole response, cut anywhere`, async () => {
    const all = concatLarge(answer);
    // Every cut, each on a connection of its own.
    await using server = new Scripted(async (peer, index) => {
      await readRequest(peer);
      await peer.conn.write(all.subarray(0, index));
      await turn();
      await peer.conn.write(all.subarray(index));
      await peer.toEnd();
    });
    await using client = new FastCGIClient(server.address, {
      maxIdleConnections: 0,
      onStderr() {},
    });
    // No more at once than a busy machine accepts in time.
    for (let left = all.length; left > 0; left -= AT_ONCE) {
      const asked = Array.from(
        { length: Math.min(left, AT_ONCE) },
        async () => {
          const response = await client.fetch(get());
          return await response.text();
        },
      );
      const texts = await within(Promise.all(asked), "the answers");
      assertEquals(new Set(texts), new Set(["hello"]));
    }
    assertEquals(server.connections, all.length);
  });
}

Deno.test("FastCGIClient tells lines of FCGI_STDERR whole, however they are cut", async () => {
  const text = "first\r\n\nzwei äöü€\nlast, without an end";
  const content = bytes(text);
  const errors = Array.from(
    content,
    (_, i) => record(STDERR, 1, content.subarray(i, i + 1)),
  );
  await using server = answering(...errors, whole);
  assertEquals(await linesOf(server), [
    "first",
    "zwei äöü€",
    "last, without an end",
  ]);
});

Deno.test("FastCGIClient tells lines of FCGI_STDERR before the response ends", async () => {
  const told = Promise.withResolvers<string>();
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDERR, 1, "a line\n"));
    await told.promise;
    await peer.send(whole);
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address, {
    onStderr: told.resolve,
  });
  assertEquals(await text(client), "hello");
  assertEquals(await told.promise, "a line");
});

Deno.test("FastCGIClient cuts a line of FCGI_STDERR that never ends", async () => {
  const long = new Uint8Array(60_000).fill(120);
  await using server = answering(
    ...Array.from({ length: 10 }, () => record(STDERR, 1, long)),
    whole,
  );
  const lengths = (await linesOf(server)).map((line) => line.length);
  assertEquals(lengths.reduce((a, b) => a + b), 600_000);
  assert(Math.max(...lengths) < 200_000, `a line of ${Math.max(...lengths)}`);
});
