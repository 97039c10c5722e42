// Backpressure: who reads slowly is written to slowly, a body that nobody
// reads is not read, and neither holds up others for ever.

import { assert, assertEquals } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import { within } from "../support/peer.ts";
import type { Peer } from "../support/peer.ts";
import {
  begin,
  concatLarge,
  END,
  GET,
  GET_VALUES,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  STDOUT,
  stream,
} from "../support/wire.ts";

const MIB = 1 << 20;

/** More than what two sockets of this system hold between them. */
const TOTAL = 64 * MIB;

const post = (id: number, length = TOTAL) =>
  concatLarge([
    begin(id),
    stream(
      PARAMS,
      id,
      pairs({ ...GET, REQUEST_METHOD: "POST", CONTENT_LENGTH: `${length}` }),
    ),
  ]);

/** Sends a body of so many bytes; `sent` tells how far it has come. */
async function sendBody(
  peer: Peer,
  id: number,
  length: number,
  sent: (bytes: number) => void = () => {},
): Promise<void> {
  const piece = record(STDIN, id, new Uint8Array(65_535));
  for (let at = 0; at < length;) {
    const size = Math.min(65_535, length - at);
    await peer.send(
      size === 65_535 ? piece : record(STDIN, id, new Uint8Array(size)),
    );
    sent(at += size);
  }
}

for (const unix of [false, true]) {
  const socket = unix ? "a Unix socket" : "TCP";

  Deno.test(`a slow reader holds write() back over ${socket}`, async () => {
    let written = 0;
    const done = gate();
    await using host = new Running(async (_, response) => {
      const chunk = new Uint8Array(64 * 1024);
      while (written < TOTAL) {
        await response.write(chunk);
        written += chunk.length;
      }
      done.resolve();
    }, { unix });
    using peer = await host.connect();
    await peer.send(request());
    await host.goOn(300);
    const held = written;
    assert(held > 0 && held < TOTAL / 2, `${held} bytes were taken`);
    await host.goOn(100);
    assertEquals(written, held, "more was taken although nothing was read");
    let received = 0;
    while (!peer.records.some(({ type }) => type === END)) {
      assert(await peer.read());
      for (const { type, content } of peer.records) {
        if (type === STDOUT) received += content.length;
      }
      peer.records = peer.records.filter(({ type }) => type === END);
    }
    await done.promise;
    assert(received > TOTAL && received < TOTAL + 1_000, `${received}`);
  });

  Deno.test(`a slow reader holds a stream that is piped back over ${socket}`, async () => {
    let pulled = 0;
    let isCancelled = false;
    const ended = gate<unknown>();
    await using host = new Running(async (_, response) => {
      const source = new ReadableStream<Uint8Array>({
        pull(controller) {
          pulled += 64 * 1024;
          controller.enqueue(new Uint8Array(64 * 1024));
        },
        cancel: () => void (isCancelled = true),
      });
      await source.pipeTo(response.writable).catch(ended.resolve);
    }, { unix });
    {
      using peer = await host.connect();
      await peer.send(request());
      await host.goOn(300);
      const held = pulled;
      assert(held > 0 && held < TOTAL / 2, `${held} bytes were pulled`);
      await host.goOn(100);
      assertEquals(pulled, held);
    }
    await within(ended.promise, "the pipe to end");
    assertEquals(isCancelled, true);
  });

  Deno.test(`a body that nobody reads is not read over ${socket}`, async () => {
    const { promise, resolve } = gate();
    let received = 0;
    await using host = new Running(async (request, response) => {
      await promise;
      for await (const chunk of request.body) received += chunk.length;
      response.write(`${received}`);
    }, { unix });
    using peer = await host.connect();
    await peer.send(post(1));
    let sent = 0;
    const sending = sendBody(peer, 1, TOTAL, (bytes) => sent = bytes);
    await host.goOn(300);
    const held = sent;
    assert(held < TOTAL / 2, `${held} bytes were taken`);
    await host.goOn(100);
    assertEquals(sent, held, "more was taken although nothing was read");
    resolve();
    await sending;
    assertEquals((await peer.answer()).text, `${TOTAL}`);
  });
}

Deno.test("a body that is read slowly holds the client back", async () => {
  let received = 0;
  let sent = 0;
  let most = 0;
  await using host = new Running(async (request, response) => {
    const reader = request.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      received += value.length;
      most = Math.max(most, sent - received);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    response.write(`${received}`);
  }, { unix: true });
  using peer = await host.connect();
  await peer.send(post(1, 16 * MIB));
  await sendBody(peer, 1, 16 * MIB, (bytes) => sent = bytes);
  assertEquals((await peer.answer()).text, `${16 * MIB}`);
  assert(most < 4 * MIB, `${most} bytes were under way`);
});

Deno.test("a client that floods management records and reads nothing is held back", async () => {
  await using host = new Running(() => {}, { unix: true });
  using peer = await host.connect();
  const chunk = concatLarge(
    new Array(4_000).fill(
      record(GET_VALUES, 0, pairs({ FCGI_MAX_CONNS: "", FCGI_MAX_REQS: "" })),
    ),
  );
  let sent = 0;
  const sending = (async () => {
    for (; sent < TOTAL; sent += chunk.length) await peer.send(chunk);
  })();
  await host.goOn(300);
  const held = sent;
  assert(held < TOTAL / 2, `${held} bytes were taken`);
  await host.goOn(100);
  assertEquals(sent, held);
  // Closing makes the pending send fail.
  peer.close();
  await sending.then(
    () => assert(false, "all was taken"),
    () => {},
  );
});

Deno.test("a client that floods requests and reads nothing is held back", async () => {
  let served = 0;
  await using host = new Running((_, response) => {
    served++;
    response.write("x".repeat(1_000));
  }, { unix: true });
  using peer = await host.connect();
  const chunk = concatLarge(
    Array.from({ length: 100 }, (_, i) => request({ id: i + 1 })),
  );
  const sending = (async () => {
    for (let i = 0; i < 2_000; i++) await peer.send(chunk);
  })();
  await host.goOn(300);
  const held = served;
  assert(held < 20_000, `${held} requests were served`);
  await host.goOn(100);
  assertEquals(served, held);
  peer.close();
  await sending.then(
    () => assert(false, "all was taken"),
    () => {},
  );
});

Deno.test("a client that sends its whole body before it reads the answer is no deadlock", async () => {
  const length = 32 * MIB;
  await using host = new Running(async (request, response) => {
    for await (const chunk of request.body) await response.write(chunk);
  }, { unix: true });
  using peer = await host.connect();
  await peer.send(post(1, length));
  // Caddy and mod_fcgid do not read before all is sent. What is held of the
  // answer bounds what can be sent; so the reading begins after a while.
  let sent = 0;
  const sending = sendBody(peer, 1, length, (bytes) => sent = bytes);
  await host.goOn(100);
  assert(sent < length, "nothing held the client back");
  const answered = peer.answer();
  await sending;
  assertEquals((await answered).body.length, length);
});

/** Orders in which a client sends a long body and another request. */
const ORDERS: [name: string, send: (peer: Peer) => Promise<void>][] = [
  [
    "that began before the body came",
    async (peer) => {
      const other = request({ id: 2, body: "other" });
      await peer.send(post(1), other.subarray(0, 16));
      await sendBody(peer, 1, 2 * MIB);
      await peer.send(other.subarray(16));
    },
  ],
  [
    "of a client that asked for FCGI_MPXS_CONNS",
    async (peer) => {
      await peer.send(record(GET_VALUES, 0, pairs({ FCGI_MPXS_CONNS: "" })));
      await peer.send(post(1));
      await sendBody(peer, 1, 2 * MIB);
      await peer.send(request({ id: 2, body: "other" }));
    },
  ],
];

Deno.test("a body that nobody reads does not stop the other requests of its connection for ever", async () => {
  const errors: string[] = [];
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    if (request.param("CONTENT_LENGTH") === "5") {
      return void response.write(await request.text());
    }
    await promise;
    try {
      await request.bytes();
    } catch (error) {
      errors.push((error as { code: string }).code);
      throw error;
    }
  });
  // Ten seconds each: all at once.
  const answered = await Promise.all(ORDERS.map(async ([name, send]) => {
    const peer = await host.connect();
    const sending = send(peer);
    sending.catch(() => {});
    const isAnswered = await within(peer.answer(2), "an answer")
      .then(({ text }) => text === "other", () => false);
    return { name: isAnswered ? name : `not: ${name}`, peer };
  }));
  resolve();
  await host.goOn();
  for (const { peer } of answered) peer.close();
  assertEquals(
    answered.map(({ name }) => name),
    ORDERS.map(([name]) => name),
  );
  assertEquals(errors, ORDERS.map(() => "BODY_STALLED"));
});

Deno.test("a body that nobody reads holds up a request that begins behind it for bodyTimeoutMs alone", async () => {
  const { promise, resolve } = gate<unknown>();
  await using host = new Running(async (request, response) => {
    if (request.param("CONTENT_LENGTH") === "5") {
      response.write(await request.text());
      resolve(undefined);
      return;
    }
    await promise;
    await request.bytes();
  }, { bodyTimeoutMs: 200 });
  using peer = await host.connect();
  await peer.send(post(1, 3 * MIB));
  const sending = sendBody(peer, 1, 3 * MIB);
  await sending;
  await peer.send(request({ id: 2, body: "other" }));
  assertEquals((await peer.answer(2)).text, "other");
  assertEquals((await peer.answer(1)).status, 503);
});

Deno.test("a body whose rest stands behind one that nobody reads does not meet bodyTimeoutMs", async () => {
  const { promise, resolve } = gate<unknown>();
  await using host = new Running(async (request, response) => {
    if (request.param("CONTENT_LENGTH") === "5") {
      response.write(await request.text());
      resolve(undefined);
      return;
    }
    await promise;
  }, { bodyTimeoutMs: 200 });
  using peer = await host.connect();
  await peer.send(post(2, 5), record(STDIN, 2, "oth"));
  await peer.send(post(1, 3 * MIB));
  await sendBody(peer, 1, 3 * MIB);
  await peer.send(record(STDIN, 2, "er"));
  assertEquals((await peer.answer(2)).text, "other");
  assertEquals((await peer.answer(1)).status, 200);
});
