// smisk check where an answer never ends or breaks the protocol: it ends in
// time, and says which.

import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import { readRequest, Scripted } from "../support/scripted.ts";
import { within } from "../support/peer.ts";
import type { Peer } from "../support/peer.ts";
import {
  bytes,
  end,
  GET_VALUES,
  GET_VALUES_RESULT,
  pairs,
  record,
  response,
  STDERR,
  STDOUT,
} from "../support/wire.ts";
import { check, lineOf } from "./checking.ts";

const PLAIN = "Content-Type: text/plain\r\n\r\n";

/** What is found of a server that answers FCGI_GET_VALUES, and then does so. */
async function found(
  answer: (peer: Peer) => Promise<void>,
  ...args: string[]
): Promise<{ code: number; lines: string[] }> {
  await using server = new Scripted(async (peer, index) => {
    if (index === 0) {
      await peer.until(({ type }) => type === GET_VALUES);
      await peer.send(
        record(GET_VALUES_RESULT, 0, pairs({ FCGI_MPXS_CONNS: "0" })),
      );
    } else {
      await readRequest(peer);
      await answer(peer);
    }
    await peer.toEnd().catch(() => {});
  });
  return await check(`127.0.0.1:${server.address.port}`, ...args);
}

Deno.test("smisk check does not wait for the end of server-sent events", async () => {
  const left = gate();
  await using running = new Running(async (request, response) => {
    response.headers.set("content-type", "text/event-stream");
    try {
      while (request.isActive) {
        await response.write("data: x\n\n");
        await response.flush();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      left.resolve();
    }
  });
  const { port } = running.server.addr as Deno.NetAddr;
  const { code, lines } = await check(`127.0.0.1:${port}`, "--timeout=3000");
  assertEquals(code, 0);
  assertMatch(
    lines.at(-1)!,
    /^ok {7}GET \/ is answered with 200 OK, \d+ bytes of body, and has not ended after \d+ ms$/,
  );
  // Its timer is over then.
  await within(left.promise, "the end of the service");
});

Deno.test("smisk check does not wait for the end of any other body", async () => {
  const { code, lines } = await found(async (peer) => {
    await peer.send(record(STDOUT, 1, `${PLAIN}abc`));
  }, "--timeout=3000");
  assertEquals(code, 0);
  assertMatch(
    lines.at(-1)!,
    /^warning {2}GET \/ is answered with 200 OK, 3 bytes of body, and has not ended after \d+ ms: a body without an end, or a slow one; --timeout waits longer$/,
  );
});

Deno.test("smisk check does not wait for an answer of which only its log comes", async () => {
  const { code, lines } = await found(async (peer) => {
    const isOpen = () =>
      peer.send(record(STDERR, 1, "still\n")).then(() => true);
    while (await isOpen().catch(() => false)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }, "--timeout=2000");
  assertEquals(code, 1);
  assertMatch(
    lineOf(lines, "problem"),
    /GET \/ is not answered within 2000 ms: the program is stuck/,
  );
  assert(lines.includes("warning  It logs: still"), lines.join("\n"));
});

Deno.test("smisk check says that a body is not as long as its Content-Length says", async () => {
  const { code, lines } = await found((peer) =>
    peer.send(response(`Content-Length: 9\r\n${PLAIN}abc`))
  );
  assertEquals(code, 1);
  assertMatch(
    lineOf(lines, "problem"),
    /sent a body of 3 bytes: its Content-Length says 9$/,
  );
});

Deno.test("smisk check says that a server closes amid its answer", async () => {
  const { code, lines } = await found(async (peer) => {
    await peer.send(record(STDOUT, 1, PLAIN));
    peer.close();
  });
  assertEquals(code, 1);
  assertMatch(lineOf(lines, "problem"), /closes the connection without/);
});

Deno.test("smisk check prints nothing that a terminal would obey", async () => {
  const evil = "\x1b]0;x\x07\x9b2J";
  await using fastcgi = new Scripted(async (peer, index) => {
    if (index === 0) {
      await peer.until(({ type }) => type === GET_VALUES);
      await peer.send(
        record(GET_VALUES_RESULT, 0, pairs({ [`X${evil}`]: evil })),
      );
    } else {
      await readRequest(peer);
      await peer.send(record(STDERR, 1, `${evil}\n`), response(evil + PLAIN));
    }
    await peer.toEnd().catch(() => {});
  });
  await using other = new Scripted(async (peer) => {
    await peer.conn.write(bytes(`SSH-2.0-${evil}\r\n`));
    await peer.toEnd().catch(() => {});
  });
  for (const { address } of [fastcgi, other]) {
    const { code, lines } = await check(`127.0.0.1:${address.port}`);
    assertEquals(code, 1);
    const text = lines.join("\n");
    // deno-lint-ignore no-control-regex
    assertNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  }
});

Deno.test("smisk check says that FCGI_GET_VALUES is answered with something else", async () => {
  await using server = new Scripted(async (peer, index) => {
    if (index === 0) {
      await peer.until(({ type }) => type === GET_VALUES);
      await peer.send(record(STDOUT, 1, "x"), end());
    } else {
      await readRequest(peer);
      await peer.send(response(`${PLAIN}hello`));
    }
    await peer.toEnd().catch(() => {});
  });
  const { code, lines } = await check(`127.0.0.1:${server.address.port}`);
  assertEquals(code, 1);
  assertMatch(
    lineOf(lines, "problem"),
    /^problem {2}It breaks the protocol: FCGI_GET_VALUES is answered with a record of type 6, /,
  );
  assertMatch(lines.at(-1)!, /^ok {7}GET \/ is answered with 200 OK/);
});
