// Connections inside the process: a Transport as a socket is.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { PipeListener } from "../../src/client/pipe.ts";
import { ClosedError } from "../../src/errors.ts";
import type { Transport } from "../../src/server/transport.ts";
import { within } from "../support/peer.ts";
import { randomBytes, seeded, whole } from "../support/random.ts";
import { bytes, concatLarge } from "../support/wire.ts";

/** Both ends of a new connection. */
async function pipe(): Promise<[client: Transport, server: Transport]> {
  const listener = new PipeListener();
  const ends = await Promise.all([listener.connect(), listener.accept()]);
  listener.close();
  return ends;
}

async function read(end: Transport, size = 1024): Promise<string | null> {
  const buffer = new Uint8Array(size);
  const length = await within(end.read(buffer), "bytes");
  return length === null
    ? null
    : new TextDecoder().decode(buffer.subarray(0, length));
}

Deno.test("PipeListener.connect() gives an end whose bytes the accepted one reads, both ways", async () => {
  const [client, server] = await pipe();
  const sent = bytes("ping");
  assertEquals(await client.write(sent), 4);
  sent.fill(0); // The writer's buffer is its own again.
  assertEquals(await read(server, 3), "pin");
  assertEquals(await read(server), "g");
  const reading = read(client);
  await server.write(bytes("pong"));
  assertEquals(await reading, "pong");
});

Deno.test("PipeListener.accept() gives connections in order, waited for or not", async () => {
  const listener = new PipeListener();
  const accepting = [listener.accept(), listener.accept()];
  const clients: Transport[] = [];
  for (let i = 0; i < 4; i++) clients.push(await listener.connect());
  accepting.push(listener.accept(), listener.accept());
  const servers = await Promise.all(accepting);
  for (let i = 0; i < 4; i++) {
    await clients[i]!.write(bytes(`${i}`));
    assertEquals(await read(servers[i]!), `${i}`);
  }
  listener.close();
});

Deno.test("PipeListener.close() ends what was not accepted, and refuses more", async () => {
  const listener = new PipeListener();
  const client = await listener.connect();
  listener.close();
  assertEquals(await read(client), null);
  await assertRejects(() => client.write(bytes("x")), ClosedError);
  await assertRejects(() => listener.accept(), ClosedError);
  await assertRejects(() => listener.connect(), ClosedError);
  const other = new PipeListener();
  const accepting = assertRejects(() => other.accept(), ClosedError);
  other.close();
  await accepting;
});

Deno.test("PipeEnd.closeWrite() lets the other end read the rest, and answer", async () => {
  const [client, server] = await pipe();
  await client.write(bytes("last"));
  await client.closeWrite();
  await assertRejects(() => client.write(bytes("x")), ClosedError);
  assertEquals(await read(server), "last");
  assertEquals(await read(server), null);
  await server.write(bytes("answer"));
  assertEquals(await read(client), "answer");
});

Deno.test("PipeEnd.close() refuses a pending read of its own, and ends the other's", async () => {
  const [client, server] = await pipe();
  const reading = assertRejects(
    () => client.read(new Uint8Array(1)),
    ClosedError,
  );
  const peerReading = read(server);
  client.close();
  client.close();
  await within(reading, "the read to be refused");
  assertEquals(await peerReading, null);
});

Deno.test("PipeEnd.close() refuses pending writes of both ends, and keeps what was written for the other", async () => {
  const [client, server] = await pipe();
  const huge = new Uint8Array(1024 * 1024);
  const fits = await client.write(huge);
  await server.write(huge);
  const writing = assertRejects(() => client.write(huge), ClosedError);
  const peerWriting = assertRejects(() => server.write(huge), ClosedError);
  client.close();
  await within(
    Promise.all([writing, peerWriting]),
    "the writes to be refused",
  );
  assertEquals(await server.read(huge), fits);
  assertEquals(await server.read(huge), null);
  await assertRejects(() => server.write(new Uint8Array(0)), ClosedError);
});

Deno.test("PipeEnd.write() waits while the other end does not read", async () => {
  const [client, server] = await pipe();
  let written = 0;
  let isOver = false;
  const writing = (async () => {
    while (written < 10 * 1024 * 1024) {
      written += await client.write(new Uint8Array(1000));
    }
    isOver = true;
  })();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(isOver, false);
  assert(written <= 64 * 1024, `${written} bytes were taken`);
  const buffer = new Uint8Array(256 * 1024);
  for (let n = 0; n < 10 * 1024 * 1024;) n += (await server.read(buffer))!;
  await within(writing, "the writer to go on");
});

Deno.test("PipeEnd keeps the bytes in order, whatever the sizes", async () => {
  const random = seeded(7);
  const [client, server] = await pipe();
  const sent = randomBytes(random, 300_000);
  const writing = (async () => {
    for (let at = 0; at < sent.length;) {
      const end = Math.min(sent.length, at + whole(random, 0, 100_000));
      at += await client.write(sent.subarray(at, end));
    }
    await client.closeWrite();
  })();
  const parts: Uint8Array[] = [];
  for (;;) {
    const buffer = new Uint8Array(whole(random, 1, 90_000));
    const n = await server.read(buffer);
    if (n === null) break;
    parts.push(buffer.subarray(0, n));
  }
  await writing;
  assertEquals(concatLarge(parts), sent);
});

Deno.test("PipeEnd.read() lets timers fire while both ends are always ready", async () => {
  const [client, server] = await pipe();
  let isFired = false;
  const timer = setTimeout(() => isFired = true, 1);
  const chunk = new Uint8Array(64);
  // Far longer than the timer needs, and bounded where it never fires.
  for (let i = 0; i < 2_000_000 && !isFired; i++) {
    await client.write(chunk);
    await server.read(chunk);
  }
  clearTimeout(timer);
  assert(isFired, "the event loop did not turn");
});
