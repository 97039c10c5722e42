// How connections end: a web server that closes one or both sides, at any
// moment, is no error; this server closes between records and never resets.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { PipeListener } from "../../src/client/pipe.ts";
import { serveOn } from "../../src/server/server.ts";
import { gate, Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import { within } from "../support/peer.ts";
import {
  begin,
  concatLarge,
  DATA,
  END,
  GET,
  outline,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  STDOUT,
  stream,
} from "../support/wire.ts";

const ok: Service = (_, response) => void response.write("ok");
const params = pairs({ ...GET, CONTENT_LENGTH: "5" });

for (const unix of [false, true]) {
  const socket = unix ? "a Unix socket" : "TCP";

  Deno.test(`a client that half-closes at once is answered over ${socket}`, async () => {
    await using host = new Running(ok, { unix });
    using peer = await host.connect();
    await peer.send(request());
    await peer.conn.closeWrite();
    const all = await peer.toEnd();
    assertEquals(all.at(-1)!.type, END);
    assertEquals(host.logged, []);
  });

  Deno.test(`a client that has half-closed is answered long after over ${socket}`, async () => {
    const { promise, resolve } = gate();
    let signal: AbortSignal | undefined;
    await using host = new Running(async (request, response) => {
      signal = request.signal;
      await promise;
      response.write("one ");
      await response.flush();
      // Past the moment when a client on TCP is taken for gone.
      await new Promise((resolve) => setTimeout(resolve, 1_600));
      await response.write("two");
    }, { unix });
    using peer = await host.connect();
    await peer.send(request());
    await peer.conn.closeWrite();
    await host.goOn();
    resolve();
    assertEquals((await peer.answer()).text, "one two");
    assertEquals(await peer.toEnd(), []);
    assertEquals(host.logged, []);
    // On a Unix socket it can be told from one that is gone.
    if (unix) assertEquals(signal!.aborted, false);
  });

  Deno.test(`several requests in flight are answered after a half-close over ${socket}`, async () => {
    const { promise, resolve } = gate();
    await using host = new Running(async (_, response) => {
      await promise;
      response.write("ok");
    }, { unix });
    using peer = await host.connect();
    const ids = [1, 2, 3, 4, 5];
    await peer.send(concatLarge(ids.map((id) => request({ id }))));
    await peer.conn.closeWrite();
    await host.goOn();
    resolve();
    for (const id of ids) assertEquals((await peer.answer(id)).text, "ok");
    assertEquals(await peer.toEnd(), []);
  });

  Deno.test(`a client that goes away fires the signal over ${socket}`, async () => {
    const started = gate();
    const fired = gate<unknown>();
    await using host = new Running(async (request) => {
      request.signal.onabort = () => fired.resolve(request.signal.reason);
      started.resolve();
      await fired.promise;
    }, { unix });
    {
      using peer = await host.connect();
      await peer.send(request());
      await started.promise;
    }
    const reason = await within(fired.promise, "the signal") as Error;
    assertEquals(reason.name, "ClosedError");
    await host.goOn();
    assertEquals(host.logged, []);
  });

  Deno.test(`a client that goes away makes write() fail over ${socket}`, async () => {
    const started = gate();
    const failed = gate<unknown>();
    let signal: AbortSignal | undefined;
    await using host = new Running(async (request, response) => {
      signal = request.signal;
      try {
        for (;;) {
          await response.write(new Uint8Array(20_000));
          await response.flush();
          started.resolve();
        }
      } catch (error) {
        failed.resolve(error);
        throw error;
      }
    }, { unix });
    {
      // What was not read makes the system send a reset.
      using peer = await host.connect();
      await peer.send(request());
      await started.promise;
    }
    const reason = await within(failed.promise, "write() to fail") as Error;
    assertEquals(reason.name, "ClosedError");
    assertEquals(signal!.reason, reason);
    await host.goOn();
    assertEquals(host.logged, []);
  });

  /** Moments at which a client goes away. */
  const MOMENTS: [name: string, sent: Uint8Array][] = [
    ["having sent nothing", new Uint8Array(0)],
    ["amid a record header", begin(1).subarray(0, 5)],
    ["amid FCGI_BEGIN_REQUEST", begin(1).subarray(0, 12)],
    ["after FCGI_BEGIN_REQUEST", begin(1)],
    [
      "amid its parameters",
      concatLarge([begin(1), record(PARAMS, 1, params).subarray(0, 40)]),
    ],
    [
      "between records of its parameters",
      concatLarge([begin(1), record(PARAMS, 1, params)]),
    ],
    [
      "before its body",
      concatLarge([begin(1), stream(PARAMS, 1, params)]),
    ],
    [
      "amid its body",
      concatLarge([
        begin(1),
        stream(PARAMS, 1, params),
        record(STDIN, 1, "Hello").subarray(0, 10),
      ]),
    ],
    ["having sent all", request({ body: "Hello" })],
    [
      "amid a second request",
      concatLarge([request(), request({ id: 2 }).subarray(0, 30)]),
    ],
    ["amid padding", record(99, 1, "x", 50).subarray(0, 20)],
  ];

  for (const [name, sent] of MOMENTS) {
    Deno.test(`a client that goes away ${name} is no error over ${socket}`, async () => {
      await using host = new Running(async (request, response) => {
        response.write(await request.text());
      }, { unix });
      for (let i = 0; i < 20; i++) {
        using peer = await host.connect();
        await peer.send(sent);
        // Some have been answered by then, and close with that unread.
        if (i % 2 === 0) await host.goOn(1);
      }
      using peer = await host.connect();
      assertEquals((await peer.ask(request({ body: "b" }))).text, "b");
      peer.close();
      assertEquals(host.logged, []);
      await within(host.server.shutdown(), "the connections to be forgotten");
    });
  }

  Deno.test(`a close with unread input is no reset over ${socket}`, async () => {
    await using host = new Running(ok, { unix });
    using peer = await host.connect();
    const stray = record(STDIN, 1, new Uint8Array(60_000));
    await peer.send(
      request({ keep: false }),
      ...new Array(10).fill(stray),
    );
    assertEquals((await peer.answer()).text, "ok");
    assertEquals(await peer.toEnd(), []);
    // The write side is closed, what still comes is taken.
    await peer.send(...new Array(10).fill(stray));
  });

  Deno.test(`input after the close is taken only up to a bound over ${socket}`, async () => {
    await using host = new Running(ok, { unix });
    using peer = await host.connect();
    await peer.ask(request({ keep: false }));
    assertEquals(await peer.toEnd(), []);
    const chunk = new Uint8Array(1 << 20);
    let sent = 0;
    let error: unknown;
    while (error === undefined && sent < 1 << 28) {
      try {
        await peer.send(chunk);
        sent += chunk.length;
      } catch (thrown) {
        error = thrown;
      }
    }
    assert(error !== undefined, `${sent} bytes were taken`);
    assertEquals(host.logged, []);
  });

  for (
    const [what, role, last] of [
      ["an empty body", 1, STDIN],
      ["an empty file of a Filter", 3, DATA],
    ] as const
  ) {
    Deno.test(`the end of ${what} may come after the answer over ${socket}`, async () => {
      const lengths = { CONTENT_LENGTH: "0", FCGI_DATA_LENGTH: "0" };
      await using host = new Running(ok, { unix });
      using peer = await host.connect();
      await peer.send(
        begin(1, { role, keep: false }),
        stream(PARAMS, 1, pairs({ ...GET, ...lengths })),
        ...last === DATA ? [record(STDIN, 1)] : [],
      );
      assertEquals((await peer.answer()).text, "ok");
      assertEquals(await peer.toEnd(), []);
      await peer.send(record(last, 1));
    });
  }

  Deno.test(`what follows a whole request that is not kept costs no answer over ${socket}`, async () => {
    const answer = "x".repeat(100_000);
    await using host = new Running((_, response) => {
      response.write(answer);
    }, { unix });
    for (let round = 0; round < 20; round++) {
      using peer = await host.connect();
      await peer.send(request({ keep: false }));
      await peer.send(record(STDIN, 1, new Uint8Array(100))).catch(() => {});
      assertEquals((await peer.answer()).text.length, answer.length);
    }
    assertEquals(host.logged, []);
  });

  Deno.test(`a client that never closes is closed within a bound over ${socket}`, async () => {
    await using host = new Running(ok, { unix });
    using peer = await host.connect();
    await peer.ask(request({ keep: false }));
    assertEquals(await peer.toEnd(), []);
    await within(host.server.shutdown(), "the server to stop", 10_000);
  });
}

Deno.test("a whole request that is not kept ends the connection of a Unix socket right away", async () => {
  await using host = new Running(ok, { unix: true });
  using peer = await host.connect();
  await peer.ask(request({ keep: false }));
  assertEquals(await peer.toEnd(), []);
  await assertRejects(() => peer.send(request()), Deno.errors.BrokenPipe);
});

Deno.test("a body is cut off by a half-close: the answer is still sent", async () => {
  await using host = new Running(async (request, response) => {
    try {
      await request.bytes();
    } catch (error) {
      response.write((error as Error).name);
    }
  });
  using peer = await host.connect();
  await peer.send(begin(1), stream(PARAMS, 1, params), record(STDIN, 1, "H"));
  await peer.conn.closeWrite();
  assertEquals((await peer.answer()).text, "ClosedError");
  assertEquals(await peer.toEnd(), []);
});

Deno.test("parameters cut off by a half-close are never served", async () => {
  let served = 0;
  await using host = new Running(() => void served++);
  using peer = await host.connect();
  await peer.send(begin(1), record(PARAMS, 1, params));
  await peer.conn.closeWrite();
  assertEquals(outline(await peer.toEnd()), []);
  assertEquals(served, 0);
});

Deno.test("a half-close after an early answer ends the wait for the body", async () => {
  await using host = new Running(ok);
  using peer = await host.connect();
  await peer.send(begin(1), stream(PARAMS, 1, params), record(STDIN, 1, "H"));
  await peer.until(({ type }) => type === STDOUT);
  await peer.conn.closeWrite();
  assertEquals((await peer.answer()).text, "ok");
  assertEquals(await peer.toEnd(), []);
});

Deno.test("a long response that is under way when the client half-closes arrives whole", async () => {
  const length = 20_000_000;
  await using host = new Running(async (_, response) => {
    const chunk = new Uint8Array(100_000);
    for (let sent = 0; sent < length; sent += chunk.length) {
      await response.write(chunk);
    }
  });
  using peer = await host.connect();
  await peer.send(request());
  await peer.until(({ type }) => type === STDOUT);
  await peer.conn.closeWrite();
  assertEquals((await peer.answer()).body.length, length);
  assertEquals(await peer.toEnd(), []);
});

for (let turns = 0; turns < 6; turns++) {
  Deno.test(`a client that closes ${turns} turn(s) before the server is forced to stop leaves no timer`, async () => {
    await using host = new Running(ok);
    const pipe = new PipeListener();
    const server = host.app[serveOn](pipe);
    const client = await pipe.connect();
    await client.write(request());
    // Then it reads, and waits for more.
    await client.read(new Uint8Array(1024));
    client.close();
    // The read that has ended is seen after the stop. A timer that is left is
    // found by the test runner.
    for (let i = 0; i < turns; i++) await Promise.resolve();
    await within(server.abort(), "the server to stop");
  });
}
