// FastCGIClient with several requests on one connection.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { FastCgiError, LimitError, ProtocolError } from "../../src/errors.ts";
import { settle } from "../support/answering.ts";
import { served } from "../support/clients.ts";
import { Multiplexing } from "../support/multiplexing.ts";
import type { Came } from "../support/multiplexing.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import {
  ABORT,
  BEGIN,
  end,
  GET_VALUES,
  record,
  response,
  STDIN,
  STDOUT,
} from "../support/wire.ts";

const HEAD = "Content-Type: text/plain\r\n\r\n";
const at = (path: string, init?: RequestInit) =>
  new Request(`http://test${path}`, init);

/** Sends a request and gives its text. */
async function text(
  client: FastCGIClient,
  path: string,
  init?: RequestInit,
): Promise<string> {
  const response = await within(client.fetch(at(path, init)), "the header");
  return await within(response.text(), "the body");
}

Deno.test("FastCGIClient shares a connection once the server has offered it, and keeps answers apart", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address);
  await client.values();
  const paths = ["/a", "/b", "/c"];
  const asked = paths.map((path) => text(client, path));
  const came: Came[] = [];
  for (const path of paths) came.push(await server.request(path));
  assertEquals(came.map(({ id }) => id).sort(), [1, 2, 3]);
  const { peer } = came[0]!;
  // In another order, and cut between the records of each other.
  for (const { id, path } of came.toReversed()) {
    await peer.send(record(STDOUT, id, `${HEAD}${path}`));
  }
  for (const { id } of came) await peer.send(record(STDOUT, id, "!"));
  for (const { id } of came.toReversed()) await peer.send(end(id));
  assertEquals(await Promise.all(asked), ["/a!", "/b!", "/c!"]);
  assertEquals(server.connections, 1);
});

Deno.test("FastCGIClient asks the server with its second request at once, and shares from then on", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address);
  const asked = [text(client, "/a")];
  const a = await server.request("/a");
  asked.push(text(client, "/b"));
  const b = await server.request("/b");
  asked.push(text(client, "/c"));
  const c = await server.request("/c");
  const types = (connection: number) =>
    server.records.filter((one) => one.connection === connection)
      .map(({ type }) => type);
  assertEquals(types(0).includes(GET_VALUES), false);
  assertEquals(types(1).slice(0, 2), [GET_VALUES, BEGIN]);
  for (const { peer, id, path } of [a, b, c]) {
    await peer.send(response(`${HEAD}${path}`, id));
  }
  assertEquals(await Promise.all(asked), ["/a", "/b", "/c"]);
  assertEquals(server.connections, 2);
});

const NO_OFFERS: [name: string, offer: Record<string, string>, options: {
  multiplex?: boolean;
  maxIdleConnections?: number;
  maxRequestsPerConnection?: number;
}][] = [
  ["the server does not offer it", { FCGI_MPXS_CONNS: "0" }, {}],
  ["the server says nothing of it", {}, {}],
  ["multiplex is false", { FCGI_MPXS_CONNS: "1" }, { multiplex: false }],
  ["connections are not kept", { FCGI_MPXS_CONNS: "1" }, {
    maxIdleConnections: 0,
  }],
  ["one request a connection is allowed", { FCGI_MPXS_CONNS: "1" }, {
    maxRequestsPerConnection: 1,
  }],
  ["the server takes one request", {
    FCGI_MPXS_CONNS: "1",
    FCGI_MAX_REQS: "1",
  }, {}],
];

for (const [name, offer, options] of NO_OFFERS) {
  Deno.test(`FastCGIClient shares no connection where ${name}`, async () => {
    await using server = new Multiplexing(offer);
    await using client = new FastCGIClient(server.address, options);
    if (options.multiplex !== false) await client.values();
    const before = server.connections;
    const asked = ["/a", "/b"].map((path) => text(client, path));
    for (const path of ["/a", "/b"]) {
      const { peer, id } = await server.request(path);
      assertEquals(id, 1);
      await peer.send(response(`${HEAD}${path}`, id));
    }
    await Promise.all(asked);
    // The question's connection was kept for one of the two.
    const kept = options.maxIdleConnections === 0 ? 0 : before;
    assertEquals(server.connections - before, 2 - kept);
    if (options.multiplex === false) {
      assert(!server.records.some(({ type }) => type === GET_VALUES));
    }
  });
}

for (
  const [name, offer, options] of [
    ["maxRequestsPerConnection", "100", { maxRequestsPerConnection: 2 }],
    ["FCGI_MAX_REQS", "2", {}],
  ] as const
) {
  Deno.test(`FastCGIClient puts no more on a connection than ${name} allows`, async () => {
    await using server = new Multiplexing({
      FCGI_MPXS_CONNS: "1",
      FCGI_MAX_REQS: offer,
    });
    await using client = new FastCGIClient(server.address, options);
    await client.values();
    const paths = ["/a", "/b", "/c", "/d", "/e"];
    const asked: Promise<string>[] = [];
    const all: Came[] = [];
    for (const path of paths) {
      asked.push(text(client, path));
      all.push(await server.request(path));
    }
    assertEquals(all.map(({ connection }) => connection), [0, 0, 1, 1, 2]);
    for (const { peer, id, path } of all) {
      await peer.send(response(`${HEAD}${path}`, id));
    }
    assertEquals(await Promise.all(asked), paths);
  });
}

Deno.test("FastCGIClient sends FCGI_ABORT_REQUEST on a shared connection, and goes on with it", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address);
  await client.values();
  const controller = new AbortController();
  const given = client.fetch(at("/a", { signal: controller.signal }));
  const kept = text(client, "/b");
  const [a, b] = [await server.request("/a"), await server.request("/b")];
  await a.peer.send(record(STDOUT, a.id, HEAD));
  const body = (await given).text();
  const reason = new Error("on purpose");
  controller.abort(reason);
  assertEquals(await assertRejects(() => body), reason);
  await within(server.aborted(a.id), "FCGI_ABORT_REQUEST");
  // What still comes of it is dropped, and its id is taken until its end.
  await a.peer.send(record(STDOUT, a.id, "too late"));
  const third = text(client, "/c");
  const c = await server.request("/c");
  assert(c.id !== a.id && c.id !== b.id, `id ${c.id} is taken`);
  await a.peer.send(
    end(a.id, 1),
    response(`${HEAD}b`, b.id),
    response(`${HEAD}c`, c.id),
  );
  assertEquals([await kept, await third], ["b", "c"]);
  const fourth = text(client, "/d");
  const d = await server.request("/d");
  assertEquals(d.id, 1);
  await d.peer.send(response(`${HEAD}d`, d.id));
  assertEquals(await fourth, "d");
  assertEquals(server.connections, 1);
});

Deno.test("FastCGIClient ends a request on a shared connection where its body is cancelled", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address);
  await client.values();
  const fetching = client.fetch(at("/a"));
  const { peer, id } = await server.request("/a");
  await peer.send(record(STDOUT, id, `${HEAD}begun`));
  await (await fetching).body!.cancel();
  await within(server.aborted(id), "FCGI_ABORT_REQUEST");
  await peer.send(end(id));
  const next = text(client, "/b");
  const b = await server.request("/b");
  await b.peer.send(response(`${HEAD}b`, b.id));
  assertEquals([await next, server.connections], ["b", 1]);
});

Deno.test("FastCGIClient leaves a shared connection on which an aborted request does not end", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address, {
    stallTimeoutMs: 50,
  });
  await client.values();
  const controller = new AbortController();
  const given = assertRejects(() =>
    client.fetch(at("/a", { signal: controller.signal }))
  );
  const kept = text(client, "/b");
  await server.request("/a");
  const b = await server.request("/b");
  controller.abort();
  await given;
  // Until it has been given up.
  await new Promise((resolve) => setTimeout(resolve, 120));
  const next = text(client, "/c");
  const c = await server.request("/c");
  assertEquals([b.connection, c.connection], [0, 1]);
  await b.peer.send(response(`${HEAD}b`, b.id));
  await c.peer.send(response(`${HEAD}c`, c.id));
  assertEquals([await kept, await next], ["b", "c"]);
  await settle();
  assertEquals(client.stats().connections, 1);
});

Deno.test("FastCGIClient fails one request of a shared connection for its own fault", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address);
  await client.values();
  const bad = assertRejects(
    () => client.fetch(at("/a")),
    ProtocolError,
    "no header",
  );
  const good = text(client, "/b");
  const [a, b] = [await server.request("/a"), await server.request("/b")];
  await a.peer.send(record(STDOUT, a.id, "no header\r\n\r\n"));
  await bad;
  await within(server.aborted(a.id), "FCGI_ABORT_REQUEST");
  await b.peer.send(end(a.id), response(`${HEAD}b`, b.id));
  assertEquals([await good, server.connections], ["b", 1]);
});

Deno.test("FastCGIClient fails all requests of a shared connection where framing is lost", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address);
  await client.values();
  const failing = ["/a", "/b"].map((path) =>
    assertRejects(() => client.fetch(at(path)), ProtocolError, "it speaks HTTP")
  );
  await server.request("/a");
  const { peer } = await server.request("/b");
  await peer.send(new TextEncoder().encode("HTTP/1.1 400"));
  await within(Promise.all(failing), "both to fail");
});

Deno.test("FastCGIClient repeats the idempotent requests of a shared connection that closes unanswered", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address);
  await client.values();
  const asked = ["/a", "/b"].map((path) => text(client, path));
  const posted = assertRejects(
    () => client.fetch(at("/p", { method: "POST", body: "x" })),
    FastCgiError,
    "closed the connection",
  );
  for (const path of ["/a", "/b"]) await server.request(path);
  const { peer } = await server.request("/p");
  server.came.length = 0;
  peer.close();
  await within(posted, "the POST to fail");
  for (const path of ["/a", "/b"]) {
    const again = await server.request(path);
    assertEquals(again.connection > 0, true);
    await again.peer.send(response(`${HEAD}${path}`, again.id));
  }
  assertEquals(await Promise.all(asked), ["/a", "/b"]);
});

Deno.test("FastCGIClient puts no request behind a response that nobody reads", async () => {
  const chunk = new Uint8Array(64 * 1024);
  const stalled = gate();
  const told = gate();
  await using app = served(async (request, response) => {
    if (request.url.pathname !== "/long") {
      response.write("short");
      return;
    }
    request.signal.onabort = () => told.resolve();
    let timer: ReturnType<typeof setTimeout> | undefined;
    for (let i = 0; i < 4096 && request.isActive; i++) {
      clearTimeout(timer);
      timer = setTimeout(stalled.resolve, 200);
      await response.write(chunk);
    }
    clearTimeout(timer);
  });
  await app.client.values();
  const long = await app.fetch("/long");
  // As long as it is alone it may wait, and nobody is held back.
  await within(stalled.promise, "the service to be held up");
  const short = await within(app.fetch("/short"), "another answer");
  assertEquals([await short.text(), app.connections()], ["short", 2]);
  await long.body!.cancel();
  await within(told.promise, "the service to be told");
});

Deno.test("FastCGIClient gives a stalled response up after stallTimeoutMs", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address, {
    stallTimeoutMs: 100,
  });
  await client.values();
  const fetching = client.fetch(at("/long"));
  const other = text(client, "/short");
  const [long, short] = [
    await server.request("/long"),
    await server.request("/short"),
  ];
  const sending = (async () => {
    await long.peer.send(record(STDOUT, long.id, HEAD));
    for (let i = 0; i < 32; i++) {
      await long.peer.send(record(STDOUT, long.id, new Uint8Array(60_000)));
    }
    await short.peer.send(response(`${HEAD}short`, short.id));
  })();
  const response_ = await fetching;
  assertEquals(await other, "short");
  await sending;
  await within(server.aborted(long.id), "FCGI_ABORT_REQUEST");
  const error = await assertRejects(() => response_.bytes(), LimitError);
  assertEquals(
    [error.code, error.status, error.limit],
    ["BODY_STALLED", 503, 100],
  );
});

Deno.test("FastCGIClient sends two bodies at once on a shared connection, each whole", async () => {
  await using app = served(async (request, response) => {
    let length = 0;
    for await (const chunk of request.body) length += chunk.length;
    await response.write(String(length));
  });
  await app.client.values();
  const answers = await Promise.all(
    [3_000_000, 2_000_000, 0].map(async (length) => {
      const body = new Uint8Array(length);
      const answer = await app.fetch("/", { method: "POST", body });
      return Number(await answer.text());
    }),
  );
  assertEquals([answers, app.connections()], [[3_000_000, 2_000_000, 0], 1]);
});

Deno.test("FastCGIClient stops sending a body once its answer has ended, and goes on with a shared connection", async () => {
  await using server = new Multiplexing();
  await using client = new FastCGIClient(server.address);
  await client.values();
  const cancelled = gate();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => timer = setTimeout(resolve, 1));
      controller.enqueue(new Uint8Array(1000));
    },
    cancel() {
      clearTimeout(timer);
      cancelled.resolve();
    },
  });
  const asked = text(client, "/a", { method: "POST", body });
  const first = () => server.records.find(({ type }) => type === STDIN);
  await server.until(() => first() !== undefined);
  const b = text(client, "/b");
  const came = await server.request("/b");
  await came.peer.send(response(`${HEAD}early`, first()!.id));
  assertEquals(await asked, "early");
  await within(cancelled.promise, "the body to be cancelled");
  await came.peer.send(response(`${HEAD}b`, came.id));
  assertEquals([await b, server.connections], ["b", 1]);
  assert(!server.records.some(({ type }) => type === ABORT));
});
