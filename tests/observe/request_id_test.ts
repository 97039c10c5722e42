// The web server's id of a request, in the lines that are logged of it.

import { assertEquals, assertMatch } from "@std/assert";
import { ask, askOn, latin1, rawRequest } from "../support/ask.ts";
import { within } from "../support/peer.ts";
import { gate, Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";

const logging: Service = (request, response) => {
  request.log("a line");
  response.write("hello");
};

const IDS: [params: Record<string, string>, line: string][] = [
  [{}, "a line"],
  [{ REQUEST_ID: "" }, "a line"],
  [{ HTTP_X_REQUEST_ID: "client" }, "[client] a line"],
  [{ HTTP_X_REQUEST_ID: "client", UNIQUE_ID: "apache" }, "[apache] a line"],
  [{ UNIQUE_ID: "apache", REQUEST_ID: "nginx" }, "[nginx] a line"],
  [{ REQUEST_ID: "x".repeat(500) }, `[${"x".repeat(128)}] a line`],
  [{ HTTP_X_REQUEST_ID: "a\nb\x1b[2J" }, "[a\\x0ab\\x1b[2J] a line"],
];

for (const [params, line] of IDS) {
  Deno.test(`log() writes ${line.slice(0, 30)} with ${JSON.stringify(params).slice(0, 60)}`, async () => {
    const { stderr } = await ask(logging, { params });
    assertEquals(stderr, `${line}\n`);
  });
}

Deno.test("log() takes an id that is no UTF-8, and one where env was read", async () => {
  const { stderr } = await ask(
    logging,
    rawRequest([["REQUEST_ID", latin1("\xe9\xff")]]),
  );
  assertMatch(stderr, /^\[.{2}\] a line\n$/);
  const read = await ask((request) => {
    request.log(request.env.REQUEST_ID!);
  }, { params: { REQUEST_ID: "r" } });
  assertEquals(read.stderr, "[r] r\n");
});

Deno.test("the answer for an error logs its stack with the id in every line", async () => {
  const { stderr } = await ask(() => {
    throw new Error("on purpose");
  }, { params: { REQUEST_ID: "r1" } });
  for (const line of stderr.trimEnd().split("\n")) {
    assertMatch(line, /^\[r1\] /);
  }
});

Deno.test("log() after the answer writes without an id, which is gone", async () => {
  const logged = gate();
  await using running = new Running((request, response) => {
    response.write("hello");
    setTimeout(() => {
      request.log("late");
      logged.resolve();
    }, 1);
  });
  using peer = await running.connect();
  await askOn(peer, { params: { REQUEST_ID: "r" } });
  await within(logged.promise, "the line");
  assertEquals(running.logged, ["smisk: late"]);
});
