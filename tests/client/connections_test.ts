// FastCGIClient's connections: kept, stale, given up, closed.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import type { FastCGIClientOptions } from "../../src/client/client.ts";
import { PipeListener } from "../../src/client/pipe.ts";
import { ClosedError, FastCgiError } from "../../src/errors.ts";
import { answering, get, settle, text, whole } from "../support/answering.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { readParams, readRequest, Scripted } from "../support/scripted.ts";
import {
  GET_VALUES,
  GET_VALUES_RESULT,
  pairs,
  record,
  response,
  STDERR,
  STDOUT,
} from "../support/wire.ts";

Deno.test("FastCGIClient sends one request after the other on one connection, with FCGI_KEEP_CONN", async () => {
  const kept: boolean[] = [];
  await using server = answering(kept);
  await using client = new FastCGIClient(server.address);
  for (let i = 0; i < 5; i++) assertEquals(await text(client), "hello");
  assertEquals([server.connections, kept], [1, Array(5).fill(true)]);
});

Deno.test("FastCGIClient makes a connection for each request where maxIdleConnections is 0, without FCGI_KEEP_CONN", async () => {
  const kept: boolean[] = [];
  await using server = answering(kept);
  await using client = new FastCGIClient(server.address, {
    maxIdleConnections: 0,
  });
  for (let i = 0; i < 3; i++) assertEquals(await text(client), "hello");
  assertEquals([server.connections, kept], [3, Array(3).fill(false)]);
});

Deno.test("FastCGIClient keeps no more than maxIdleConnections", async () => {
  await using server = answering();
  await using client = new FastCGIClient(server.address, {
    maxIdleConnections: 2,
    multiplex: false,
  });
  const four = () => Promise.all(Array.from({ length: 4 }, () => text(client)));
  await four();
  assertEquals(server.connections, 4);
  assert(client.stats().idle <= 2, `${client.stats().idle} are idle`);
  await four();
  // Two of them at the most were there already.
  assert(server.connections >= 6, `${server.connections} connections`);
  assert(client.stats().idle <= 2, `${client.stats().idle} are idle`);
});

Deno.test("FastCGIClient keeps a connection that a process may end with", async () => {
  await using server = answering();
  const { port } = server.address;
  const program = `
    import { FastCGIClient } from "@smisk/smisk/client";
    const client = new FastCGIClient({ port: ${port} });
    const response = await client.fetch(new Request("http://test/"));
    console.log(await response.text());
  `;
  const { code, stdout } = await within(
    new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", program],
      stderr: "inherit",
    }).output(),
    "the process to end",
  );
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "hello\n"]);
});

// Kept connections that turn out to be closed

Deno.test("FastCGIClient leaves a kept connection that the server has closed", async () => {
  const closed = gate();
  await using server = new Scripted(async (peer, index) => {
    await readRequest(peer);
    await peer.send(whole);
    if (index > 0) await peer.toEnd();
    else {
      peer.close();
      closed.resolve();
    }
  });
  await using client = new FastCGIClient(server.address);
  assertEquals(await text(client), "hello");
  await closed.promise;
  await settle();
  // A body that cannot be sent twice: it must not meet the closed one.
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      controller.enqueue(new Uint8Array(10));
      controller.close();
    },
  });
  assertEquals(await text(client, get({ method: "POST", body })), "hello");
  assertEquals(server.connections, 2);
});

/**
 * A server that closes its first connection once the second request on it has
 * come, having sent some bytes.
 */
function closing(...parts: Uint8Array[]): Scripted {
  return new Scripted(async (peer, index) => {
    await readRequest(peer);
    await peer.send(whole);
    if (index === 0) {
      await readRequest(peer);
      await peer.send(...parts);
      peer.close();
    } else await peer.toEnd();
  });
}

const AGAIN: [name: string, init: RequestInit][] = [
  ["GET", {}],
  ["HEAD", { method: "HEAD" }],
  ["DELETE", { method: "DELETE" }],
  ["PUT with a body that was read ahead", { method: "PUT", body: "abc" }],
];

for (const [name, init] of AGAIN) {
  Deno.test(`FastCGIClient.fetch() sends ${name} again where a kept connection is closed unanswered`, async () => {
    await using server = closing();
    await using client = new FastCGIClient(server.address);
    await text(client);
    const expected = init.method === "HEAD" ? "" : "hello";
    assertEquals(await text(client, get(init)), expected);
    assertEquals(server.connections, 2);
  });
}

Deno.test("FastCGIClient.fetch() sends the same body again", async () => {
  const bodies: string[] = [];
  await using server = new Scripted(async (peer, index) => {
    for (let i = 0; i < 2 - index; i++) {
      const { body, params } = await readRequest(peer);
      bodies.push(`${params.CONTENT_LENGTH} ${new TextDecoder().decode(body)}`);
      if (i === 0) await peer.send(whole);
    }
    if (index === 0) peer.close();
    else await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  for (const body of ["one", "second"]) {
    await text(client, get({ method: "PUT", body }));
  }
  assertEquals(bodies, ["3 one", "6 second", "6 second"]);
});

const ONCE: [name: string, init: RequestInit, parts: Uint8Array[]][] = [
  ["POST", { method: "POST", body: "abc" }, []],
  ["POST without a body", { method: "POST" }, []],
  ["GET of which an answer began", {}, [record(STDERR, 1, "x\n")]],
  ["GET of which a byte came", {}, [new Uint8Array([1])]],
];

for (const [name, init, parts] of ONCE) {
  Deno.test(`FastCGIClient.fetch() sends ${name} once where a kept connection is closed`, async () => {
    await using server = closing(...parts);
    await using client = new FastCGIClient(server.address, { onStderr() {} });
    await text(client);
    const error = await assertRejects(
      () => text(client, get(init)),
      FastCgiError,
    );
    assertEquals([error.code, server.connections], ["CLOSED", 1]);
  });
}

Deno.test("FastCGIClient.fetch() sends a body that streams once where a kept connection is closed", async () => {
  await using server = closing();
  await using client = new FastCGIClient(server.address);
  await text(client);
  const cancelled = gate();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      controller.enqueue(new Uint8Array(10));
      controller.close();
      cancelled.resolve();
    },
    cancel: () => cancelled.resolve(),
  });
  const error = await assertRejects(
    () => text(client, get({ method: "PUT", body })),
    FastCgiError,
  );
  await cancelled.promise;
  assertEquals([error.code, server.connections], ["CLOSED", 1]);
});

// What may not carry another request

const SPOILT: [name: string, after: Uint8Array][] = [
  ["a record follows the end", record(STDOUT, 1, "more")],
  ["no record follows the end", new Uint8Array([0])],
  ["half a record follows the end", new Uint8Array([1, 6])],
];

for (const [name, after] of SPOILT) {
  Deno.test(`FastCGIClient gives a whole response and leaves its connection where ${name}`, async () => {
    await using server = new Scripted(async (peer) => {
      await readRequest(peer);
      // In one write, so that one read finds both.
      await peer.conn.write(new Uint8Array([...whole, ...after]));
      await peer.toEnd();
    });
    await using client = new FastCGIClient(server.address);
    assertEquals(await text(client), "hello");
    assertEquals(await text(client), "hello");
    assertEquals(server.connections, 2);
  });
}

Deno.test("FastCGIClient leaves a kept connection on which something comes unasked", async () => {
  const left = gate();
  await using server = new Scripted(async (peer, index) => {
    await readRequest(peer);
    await peer.send(whole);
    if (index === 0) {
      // Once the answer was read, and its connection kept.
      await asked.promise;
      await peer.send(record(STDOUT, 1, "unasked"));
    }
    await peer.toEnd();
    left.resolve();
  });
  const asked = gate();
  await using client = new FastCGIClient(server.address);
  await text(client);
  asked.resolve();
  await within(left.promise, "the connection to be closed");
  assertEquals(await text(client), "hello");
  assertEquals(server.connections, 2);
});

for (const [size, connections] of [[10, 1], [1024 * 1024, 2]] as const) {
  Deno.test(`FastCGIClient needs ${connections} connection(s) after ${size} bytes that answer HEAD`, async () => {
    let sent = gate();
    await using server = new Scripted(async (peer) => {
      try {
        for (let i = 0; i < 2; i++) {
          await readRequest(peer);
          const parts = [record(STDOUT, 1, "A: b\r\n\r\n")];
          for (let left = size as number; left > 0; left -= 65535) {
            parts.push(
              record(STDOUT, 1, new Uint8Array(Math.min(left, 65535))),
            );
          }
          await peer.send(...parts, response(""));
          sent.resolve();
        }
        await peer.toEnd();
      } catch {
        // Closed by the client, as it should where that is too much.
        sent.resolve();
      }
    });
    await using client = new FastCGIClient(server.address);
    for (let i = 0; i < 2; i++) {
      sent = gate();
      const response = await client.fetch(get({ method: "HEAD" }));
      assertEquals(response.body, null);
      await within(sent.promise, "all of it to be sent");
      await settle();
    }
    assertEquals(server.connections, connections);
  });
}

// Closing

Deno.test("FastCGIClient.close() fails what is in flight with a ClosedError, and what comes later", async () => {
  const begun = gate();
  await using server = new Scripted(async (peer, index) => {
    await readParams(peer);
    if (index === 0) await peer.send(record(STDOUT, 1, "A: b\r\n\r\nbegun"));
    else begun.resolve();
    await peer.toEnd();
  });
  const client = new FastCGIClient(server.address);
  const got = await client.fetch(get());
  const body = assertRejects(() => got.text(), ClosedError);
  const fetching = assertRejects(() => client.fetch(get()), ClosedError);
  await begun.promise;
  client.close();
  client.close();
  await within(Promise.all([body, fetching]), "both to fail");
  await assertRejects(() => client.fetch(get()), ClosedError);
});

Deno.test("FastCGIClient.close() during connecting fails the request and closes the connection", async () => {
  await using server = answering();
  const connecting = gate();
  const given = gate();
  const options: FastCGIClientOptions = {};
  const client = new FastCGIClient({
    async connect() {
      connecting.resolve();
      await given.promise;
      return await Deno.connect(server.address);
    },
  }, options);
  const fetching = assertRejects(() => client.fetch(get()), ClosedError);
  await connecting.promise;
  client.close();
  given.resolve();
  await within(fetching, "the request to fail");
});

Deno.test("FastCGIClient.close() just when a connection is made leaves nothing behind", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const listener = new PipeListener();
    const client = new FastCGIClient({ connect: () => listener.connect() });
    const fetching = assertRejects(() => client.fetch(get()), ClosedError);
    // A turn of the microtasks more each time: amid connecting, and after.
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    client.close();
    await within(fetching, "the request to fail");
    assertEquals(client.stats().connections, 0);
    listener.close();
  }
});

Deno.test("FastCGIClient.close() fails a question that waits, with a ClosedError", async () => {
  const asked = gate();
  await using server = new Scripted(async (peer) => {
    await peer.until(({ type }) => type === GET_VALUES);
    asked.resolve();
    await peer.toEnd();
  });
  const client = new FastCGIClient(server.address);
  const asking = assertRejects(
    () => client.values(),
    ClosedError,
    "The FastCGI client was closed",
  );
  await within(asked.promise, "the question");
  client.close();
  await within(asking, "the question to fail");
  assertEquals(client.stats().connections, 0);
});

Deno.test("FastCGIClient.close() waits for no end of what was given up on a shared connection", async () => {
  const came = gate();
  await using server = new Scripted(async (peer) => {
    await peer.until(({ type }) => type === GET_VALUES);
    await peer.send(
      record(GET_VALUES_RESULT, 0, pairs({ FCGI_MPXS_CONNS: "1" })),
    );
    await readRequest(peer);
    came.resolve();
    // No FCGI_END_REQUEST, whatever comes.
    await peer.toEnd();
  });
  const client = new FastCGIClient(server.address);
  await within(client.values(), "the values");
  const fetching = assertRejects(() => client.fetch(get()), ClosedError);
  await within(came.promise, "the request");
  client.close();
  await within(fetching, "the request to fail");
  assertEquals(client.stats().connections, 0);
});
