// FastCGIClient giving a request up: signals, and bodies that are cancelled.

import { assertEquals, assertRejects } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import type { Transport } from "../../src/client/client.ts";
import type { FastCgiError } from "../../src/errors.ts";
import { answering, get, settle, text, whole } from "../support/answering.ts";
import { served } from "../support/clients.ts";
import { inFolder } from "../support/folder.ts";
import { Multiplexing } from "../support/multiplexing.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import {
  readAbort,
  readParams,
  readRequest,
  Scripted,
} from "../support/scripted.ts";
import { ABORT, BEGIN, record, response, STDOUT } from "../support/wire.ts";

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
  const ended = gate<unknown>();
  const got = await client.fetch(get({ signal }), {}, { onEnd: ended.resolve });
  assertEquals([got.status, got.body], [204, null]);
  controller.abort();
  answered.resolve();
  // Else the next request would need another connection.
  await within(ended.promise, "FCGI_END_REQUEST");
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

Deno.test("FastCGIClient aborts on a shared connection only what it has begun, whenever the signal fires", async () => {
  await using server = new Multiplexing({ FCGI_MPXS_CONNS: "1" });
  await using client = new FastCGIClient(server.address, {
    maxRequestsPerConnection: 100,
  });
  await client.values();
  for (let turns = 0; turns < 30; turns++) {
    const controller = new AbortController();
    const { signal } = controller;
    const fetching = client.fetch(get({ method: "POST", body: "a", signal }));
    for (let i = 0; i < turns; i++) await null;
    controller.abort();
    await assertRejects(() => fetching);
  }
  const last = text(client, new Request("http://test/last"));
  const { id, peer } = await server.request("/last");
  const idsOf = (type: number) =>
    server.records.filter((one) => one.type === type).map(({ id }) => id);
  // Those that were, hold their ids until the server has ended them.
  assertEquals(idsOf(BEGIN), [...idsOf(ABORT), id]);
  await peer.send(response("Content-Type: text/plain\r\n\r\nlast", id));
  assertEquals(await last, "last");
});

/**
 * Uploads to a server that reads nothing, and gives up after so many writes,
 * or once none was taken for a while.
 *
 * @returns How many writes the system took, and when the connection is closed.
 */
async function uploadInVain(
  path: string,
  mostWrites: number,
): Promise<{ writes: number; closed: Promise<void> }> {
  const full = gate();
  const closed = gate();
  let writes = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const client = new FastCGIClient({
    async connect() {
      const conn = await Deno.connect({ transport: "unix", path });
      const write = conn.write.bind(conn);
      conn.write = async (bytes) => {
        const length = await write(bytes);
        clearTimeout(timer);
        timer = setTimeout(full.resolve, ++writes === mostWrites ? 0 : 500);
        return length;
      };
      const close = conn.close.bind(conn);
      conn.close = () => {
        close();
        closed.resolve();
      };
      return conn as Transport;
    },
  });
  const never = gate();
  let chunks = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      // The parameters were the first.
      if (++chunks === mostWrites) await never.promise;
      else controller.enqueue(new Uint8Array(8192));
    },
  }, { highWaterMark: 0 });
  const controller = new AbortController();
  const reason = new Error("on purpose");
  const fetching = client.fetch(get({
    method: "POST",
    headers: { "content-length": "100000000" },
    body,
    signal: controller.signal,
  }));
  await within(full.promise, "the system's buffer to be full");
  controller.abort(reason);
  assertEquals(await assertRejects(() => fetching), reason);
  never.resolve();
  return { writes, closed: closed.promise };
}

Deno.test("FastCGIClient closes, and nothing else happens, where FCGI_ABORT_REQUEST has no room in the system's buffer", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/silent.sock`;
    using _listener = Deno.listen({ transport: "unix", path });
    const { writes, closed } = await uploadInVain(path, Infinity);
    await within(closed, "the connection amid a write");
    const again = await uploadInVain(path, writes);
    await within(again.closed, "the connection after the last write");
    // Whatever fails once it is closed, fails the test.
    await settle();
  });
});
