// FastCGIClient's connections: kept, stale, given up, closed.

import { assertEquals, assertRejects } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import type { FastCGIClientOptions } from "../../src/client/client.ts";
import { ClosedError, FastCgiError } from "../../src/errors.ts";
import { served } from "../support/clients.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import {
  readAbort,
  readParams,
  readRequest,
  Scripted,
} from "../support/scripted.ts";
import { record, response, STDERR, STDOUT } from "../support/wire.ts";

const whole = response("Content-Type: text/plain\r\n\r\nhello");
const get = (init?: RequestInit) => new Request("http://test/", init);

async function text(
  client: FastCGIClient,
  request = get(),
): Promise<string> {
  const response = await within(client.fetch(request), "the header");
  return await within(response.text(), "the body");
}

/** A server that answers whatever comes, and notes FCGI_KEEP_CONN. */
function answering(kept: boolean[] = []): Scripted {
  return new Scripted(async (peer) => {
    while (await peer.read()) {
      if (
        !peer.records.some(({ type, content }) =>
          type === 5 && content.length === 0
        )
      ) continue;
      kept.push((await readRequest(peer)).keep);
      await peer.send(whole);
    }
  });
}

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
  });
  const four = () => Promise.all(Array.from({ length: 4 }, () => text(client)));
  await four();
  assertEquals(server.connections, 4);
  await four();
  assertEquals(server.connections, 6);
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

/** Lets the client see what has happened at its sockets: nothing tells when. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

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

// Giving up

Deno.test("FastCGIClient.fetch() refuses a request whose signal has fired, and does not connect", async () => {
  await using server = answering();
  await using client = new FastCGIClient(server.address);
  const reason = new Error("on purpose");
  const signal = AbortSignal.abort(reason);
  assertEquals(
    await assertRejects(() => client.fetch(get({ signal }))),
    reason,
  );
  assertEquals(server.connections, 0);
});

Deno.test("FastCGIClient.fetch() sends FCGI_ABORT_REQUEST and closes where its signal fires before the answer", async () => {
  const begun = gate();
  const ended = gate();
  await using server = new Scripted(async (peer) => {
    await readParams(peer);
    begun.resolve();
    await readAbort(peer);
    await peer.toEnd();
    ended.resolve();
  });
  await using client = new FastCGIClient(server.address);
  const controller = new AbortController();
  const reason = new Error("on purpose");
  const fetching = client.fetch(get({ signal: controller.signal }));
  await begun.promise;
  controller.abort(reason);
  assertEquals(await assertRejects(() => fetching), reason);
  await within(ended.promise, "FCGI_ABORT_REQUEST and the end");
});

Deno.test("FastCGIClient fails the body with the reason where the signal fires during it", async () => {
  const aborted = gate<unknown>();
  await using app = served(async (request, response) => {
    request.signal.addEventListener(
      "abort",
      () => aborted.resolve(request.signal.reason),
    );
    await response.write("begun");
    await response.flush();
    await aborted.promise;
  });
  const controller = new AbortController();
  const response = await app.fetch("/", { signal: controller.signal });
  const reader = response.body!.getReader();
  await reader.read();
  const reason = new Error("on purpose");
  controller.abort(reason);
  assertEquals(await assertRejects(() => reader.read()), reason);
  const told = await within(aborted.promise, "the service to be told");
  assertEquals((told as FastCgiError).code, "ABORTED");
});

Deno.test("FastCGIClient closes, and sends nothing amid a record, where the signal fires during an upload", async () => {
  const begun = gate();
  const goOn = gate();
  const ended = gate<string>();
  await using server = new Scripted(async (peer) => {
    await readParams(peer);
    begun.resolve();
    await goOn.promise;
    // What was under way, and nothing of FCGI_ABORT_REQUEST in it: the bytes
    // of the body are zeros.
    let tail = "";
    const buffer = new Uint8Array(1024 * 1024);
    for (;;) {
      const n = await peer.conn.read(buffer).catch(() => null);
      if (n === null) break;
      tail = (tail + buffer.subarray(0, n).join()).slice(-200_000);
    }
    ended.resolve(tail);
  });
  await using client = new FastCGIClient(server.address);
  const controller = new AbortController();
  const body = new Uint8Array(64 * 1024 * 1024);
  const fetching = client.fetch(
    get({ method: "POST", body, signal: controller.signal }),
  );
  await begun.promise;
  await settle(); // Until the socket takes no more.
  controller.abort();
  goOn.resolve();
  const error = await assertRejects(() => fetching, DOMException);
  assertEquals(error.name, "AbortError");
  const tail = await within(ended.promise, "the end");
  assertEquals(tail.includes("1,2,0,1,0,0,0,0"), false);
});

Deno.test("FastCGIClient takes no notice of a signal that fires after the end", async () => {
  await using server = answering();
  await using client = new FastCGIClient(server.address);
  for (const method of ["GET", "HEAD"]) {
    const controller = new AbortController();
    const { signal } = controller;
    await text(client, get({ method, signal }));
    controller.abort();
  }
  await text(client);
  assertEquals(server.connections, 1);
});

Deno.test("FastCGIClient takes no notice of a signal that fires after a response without a body", async () => {
  const answered = gate();
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDOUT, 1, "Status: 204\r\n\r\n"));
    await answered.promise;
    await peer.send(response(""));
    await readRequest(peer);
    await peer.send(whole);
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  const controller = new AbortController();
  const { signal } = controller;
  const got = await client.fetch(get({ signal }));
  assertEquals([got.status, got.body], [204, null]);
  controller.abort();
  answered.resolve();
  await settle();
  assertEquals(await text(client), "hello");
  assertEquals(server.connections, 1);
});

Deno.test("FastCGIClient.fetch() takes another signal, or none, in place of the request's", async () => {
  await using server = answering();
  await using client = new FastCGIClient(server.address);
  const signal = AbortSignal.abort();
  const got = await client.fetch(get({ signal }), {}, { signal: null });
  assertEquals(await got.text(), "hello");
  await assertRejects(() => client.fetch(get(), {}, { signal }), DOMException);
});

Deno.test("FastCGIClient.fetch() gives up connecting where its signal fires, and closes what connects later", async () => {
  await using server = answering();
  const connecting = gate();
  const connected = gate<Deno.Conn>();
  await using client = new FastCGIClient({
    async connect() {
      connecting.resolve();
      await given.promise;
      const conn = await Deno.connect(server.address);
      connected.resolve(conn);
      return conn;
    },
  });
  const given = gate();
  const controller = new AbortController();
  const fetching = client.fetch(get({ signal: controller.signal }));
  await connecting.promise;
  controller.abort();
  await assertRejects(() => fetching, DOMException);
  given.resolve();
  const conn = await connected.promise;
  // Nothing is sent to it: it ends by being closed, or never.
  await assertRejects(() =>
    within(conn.read(new Uint8Array(1)), "the connection to be closed")
  );
});

Deno.test("FastCGIClient ends the request where the response's body is cancelled", async () => {
  const ended = gate();
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(record(STDOUT, 1, "A: b\r\n\r\nbegun"));
    await readAbort(peer);
    await peer.toEnd();
    ended.resolve();
  });
  await using client = new FastCGIClient(server.address);
  const got = await client.fetch(get());
  await got.body!.cancel();
  await within(ended.promise, "FCGI_ABORT_REQUEST and the end");
});

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
