// Several requests on one connection: one after another, interleaved, beyond
// the limit; and when the connection closes after them.

import { assert, assertEquals } from "@std/assert";
import { gate, Running } from "../support/running.ts";
import { within } from "../support/peer.ts";
import { seeded, whole } from "../support/random.ts";
import {
  answer,
  begin,
  concatLarge,
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
import type { WireRecord } from "../support/wire.ts";

const at = (path: string) => ({ REQUEST_URI: path });

for (const unix of [false, true]) {
  const socket = unix ? "a Unix socket" : "TCP";

  Deno.test(`keep-conn 0 closes after FCGI_END_REQUEST over ${socket}`, async () => {
    await using host = new Running((_, response) => void response.write("ok"), {
      unix,
    });
    using peer = await host.connect();
    assertEquals((await peer.ask(request({ keep: false }))).text, "ok");
    assertEquals(await peer.toEnd(), []);
  });

  Deno.test(`keep-conn 1 keeps the connection for the next request over ${socket}`, async () => {
    let served = 0;
    await using host = new Running(
      (_, response) => void response.write(`${++served}`),
      { unix },
    );
    using peer = await host.connect();
    for (let i = 1; i <= 100; i++) {
      assertEquals((await peer.ask(request())).text, `${i}`);
    }
    await host.goOn();
    assertEquals((await peer.ask(request())).text, "101");
    assertEquals(peer.isEnded, false);
  });
}

Deno.test("keep-conn 0 does not close while another request is in flight", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(async (request, response) => {
    if (request.url.pathname === "/slow") await promise;
    response.write(request.url.pathname);
  });
  using peer = await host.connect();
  await peer.send(request({ id: 2, params: at("/slow") }));
  assertEquals(
    (await peer.ask(request({ id: 1, keep: false, params: at("/one") }))).text,
    "/one",
  );
  // A further one is served too: the web server may have sent it already.
  assertEquals(
    (await peer.ask(request({ id: 3, params: at("/three") }), 3)).text,
    "/three",
  );
  resolve();
  assertEquals((await peer.answer(2)).text, "/slow");
  assertEquals(await peer.toEnd(), []);
});

Deno.test("three requests in one read are answered in the order they finish", async () => {
  const doors = new Map<string, () => void>();
  const order: number[] = [];
  await using host = new Running(async (request, response) => {
    const path = request.url.pathname;
    await new Promise<void>((resolve) => doors.set(path, resolve));
    response.write(path);
  });
  using peer = await host.connect();
  await peer.send(concatLarge(
    [1, 2, 3].map((id) => request({ id, params: at(`/${id}`) })),
  ));
  while (doors.size < 3) await host.goOn(1);
  for (const id of [3, 1, 2]) {
    doors.get(`/${id}`)!();
    const end = await peer.until(({ type }) => type === END);
    order.push(end.id);
    assertEquals((await peer.answer(end.id)).text, `/${end.id}`);
  }
  assertEquals(order, [3, 1, 2]);
});

Deno.test("fifty requests in one read that are ready at once leave in few writes", async () => {
  await using host = new Running((request, response) => {
    response.write(request.url.pathname);
  }, { watched: true });
  using peer = await host.connect();
  const ids = Array.from({ length: 50 }, (_, i) => i + 1);
  await peer.send(
    concatLarge(ids.map((id) => request({ id, params: at(`/${id}`) }))),
  );
  for (const id of ids) assertEquals((await peer.answer(id)).text, `/${id}`);
  assert(host.writes.length <= 10, `${host.writes.length} writes`);
});

Deno.test("records of requests interleaved at random are never mixed", async () => {
  const random = seeded(7);
  const count = 60;
  await using host = new Running(async (request, response) => {
    const path = request.url.pathname;
    response.write(`${path} `);
    for await (const chunk of request.body) {
      response.write(chunk);
      if (chunk.length % 3 === 0) await response.flush();
      if (chunk.length % 5 === 0) request.log(path);
    }
    response.write(` ${path}`);
  });
  using peer = await host.connect();
  const ids = Array.from({ length: count }, (_, i) => 1 + i * 1111 % 65_535);
  const bodies = new Map<number, string>();
  const lines = ids.map((id) => {
    const body = `${id}.`.repeat(whole(random, 0, 2_000));
    bodies.set(id, body);
    const params = pairs({ ...GET, ...at(`/${id}`) });
    const size = () => whole(random, 1, 700);
    return [
      begin(id),
      ...split(PARAMS, id, params, size),
      ...split(STDIN, id, new TextEncoder().encode(body), size),
    ];
  });
  const sent: Uint8Array[] = [];
  while (lines.length > 0) {
    const i = whole(random, 0, lines.length - 1);
    sent.push(lines[i]!.shift()!);
    if (lines[i]!.length === 0) lines.splice(i, 1);
  }
  const sending = peer.send(concatLarge(sent));
  for (const id of ids) {
    const { text, stderr, appStatus } = await peer.answer(id);
    assertEquals(text, `/${id} ${bodies.get(id)} /${id}`);
    assert(
      stderr.split("\n").every((line) => line === "" || line === `/${id}`),
    );
    assertEquals(appStatus, 0);
  }
  await sending;
  assertEquals(peer.records, []);
});

/** A stream's records, each of a size of its own. */
function split(
  type: number,
  id: number,
  content: Uint8Array,
  size: () => number,
): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at < content.length;) {
    const next = Math.min(content.length, at + size());
    all.push(record(type, id, content.subarray(at, next)));
    at = next;
  }
  return [...all, record(type, id)];
}

Deno.test("10,000 requests with 100 in flight on one connection are all answered", async () => {
  const total = 10_000;
  let inFlight = 0;
  let most = 0;
  await using host = new Running(async (request, response) => {
    most = Math.max(most, ++inFlight);
    const n = Number(request.url.pathname.slice(1));
    for (let i = 0; i < n % 7; i++) await Promise.resolve();
    if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    response.write(`n${n}`);
    inFlight--;
  });
  using peer = await host.connect();
  const expected = new Map<number, number>();
  const collected = new Map<number, WireRecord[]>();
  let next = 0;
  let done = 0;
  const start = (id: number): Uint8Array => {
    expected.set(id, next);
    collected.set(id, []);
    return request({ id, params: at(`/${next++}`) });
  };
  await peer.send(
    concatLarge(Array.from({ length: 100 }, (_, i) => start(i * 600 + 1))),
  );
  while (done < total) {
    assert(await peer.read(), "the connection closed");
    const more: Uint8Array[] = [];
    for (const record of peer.take()) {
      const own = collected.get(record.id);
      assert(own !== undefined, `a record of the idle id ${record.id}`);
      own.push(record);
      if (record.type !== END) continue;
      const { text, status, appStatus } = answer(own, record.id);
      assertEquals([text, status, appStatus], [
        `n${expected.get(record.id)}`,
        200,
        0,
      ]);
      collected.delete(record.id);
      done++;
      // The id is free again the moment its end has come.
      if (next < total) more.push(start(record.id));
    }
    if (more.length > 0) await peer.send(concatLarge(more));
  }
  assert(most > 1, "never two at once");
  assertEquals(collected.size, 0);
});

Deno.test("this.request and this.response stay right in 1,000 interleaved requests", async () => {
  const { promise, resolve } = gate();
  await using host = new Running(async (_, response) => {
    const { app } = host;
    const id = app.request.url.searchParams.get("id");
    await promise;
    await new Promise((resolve) => setTimeout(resolve, Number(id) % 5));
    assert(app.response === response);
    app.response.write(`${id} ${app.request.url.searchParams.get("id")}`);
  }, { maxRequestsPerConnection: 1_000 });
  using peer = await host.connect();
  const ids = Array.from({ length: 1_000 }, (_, i) => i + 1);
  await peer.send(
    concatLarge(ids.map((id) => request({ id, params: at(`/?id=${id}`) }))),
  );
  await host.goOn(1);
  resolve();
  for (const id of ids) {
    assertEquals((await peer.answer(id)).text, `${id} ${id}`);
  }
});

Deno.test("a long response lets a short one of the same connection through", async () => {
  const length = 30_000_000;
  await using host = new Running(async (request, response) => {
    if (request.url.pathname === "/short") return void response.write("short");
    const chunk = new Uint8Array(100_000);
    for (let sent = 0; sent < length; sent += chunk.length) {
      await response.write(chunk);
    }
  });
  using peer = await host.connect();
  await peer.send(request({ id: 1 }));
  await peer.until(({ type, id }) => type === STDOUT && id === 1);
  await peer.send(request({ id: 2, params: at("/short") }));
  await peer.until(({ type, id }) => type === END && id === 2);
  assert(
    !peer.records.some(({ type, id }) => type === END && id === 1),
    "the short response waited for the long one",
  );
  assertEquals((await peer.answer(2)).text, "short");
  assertEquals((await peer.answer(1)).body.length, length);
});

// Beyond the limit

Deno.test("a request beyond maxRequestsPerConnection gets a whole 503 and FCGI_OVERLOADED", async () => {
  const { promise, resolve } = gate();
  let served = 0;
  await using host = new Running(async (_, response) => {
    served++;
    await promise;
    response.write("ok");
  }, { maxRequestsPerConnection: 2, watched: true });
  using peer = await host.connect();
  await peer.send(request({ id: 1 }), request({ id: 2 }));
  const over = await peer.ask(request({ id: 3, body: "with a body" }), 3);
  assertEquals(over.lines.at(-1), "Status: 503 Service Unavailable");
  assertEquals(Number(over.headers["content-length"]), over.body.length);
  assertEquals([over.appStatus, over.protocolStatus], [0, 2]);
  assertEquals(served, 2);
  resolve();
  assertEquals((await peer.answer(1)).protocolStatus, 0);
  assertEquals((await peer.answer(2)).protocolStatus, 0);
  assertEquals((await peer.ask(request({ id: 3 }), 3)).text, "ok");
});

Deno.test("a flood of requests that never send parameters is refused at once, each with a whole 503", async () => {
  await using host = new Running(() => {}, { maxRequestsPerConnection: 2 });
  using peer = await host.connect();
  const ids = Array.from({ length: 1_000 }, (_, i) => i + 1);
  await peer.send(concatLarge(ids.map((id) => begin(id))));
  // The first few are kept: they may still become requests or refusals.
  const refused = new Set<number>();
  await within(
    (async () => {
      while (refused.size < 990) {
        await peer.until(({ type }) => type === END);
        for (const { id, type } of [...peer.records]) {
          if (type !== END) continue;
          const { status, protocolStatus } = await peer.answer(id);
          assertEquals([status, protocolStatus], [503, 2]);
          refused.add(id);
        }
      }
    })(),
    "990 refusals",
  );
  // What belongs to them is ignored from then on.
  const last = ids.at(-1)!;
  await peer.send(
    stream(PARAMS, last, pairs(GET)),
    record(STDIN, last),
    stream(PARAMS, 1, pairs(GET)),
    record(STDIN, 1),
  );
  assertEquals((await peer.answer(1)).status, 200);
  assertEquals(outline(peer.take()).filter((l) => l.endsWith(`${last} 8`)), []);
});
