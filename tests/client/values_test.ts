// FastCGIClient.values(): what a server says of itself, and what comes of it.

import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { ClosedError, LimitError, ProtocolError } from "../../src/errors.ts";
import type { FastCgiError } from "../../src/errors.ts";
import { get, settle } from "../support/answering.ts";
import { served } from "../support/clients.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { readParams, Scripted } from "../support/scripted.ts";
import {
  bytes,
  GET_VALUES,
  GET_VALUES_RESULT,
  pairs,
  record,
  response,
  STDIN,
  UNKNOWN_TYPE,
} from "../support/wire.ts";

Deno.test("FastCGIClient.values() gives what an application says of itself, and of what else it is asked", async () => {
  await using app = served(() => {});
  const values = await app.client.values(["UNHEARD_OF"]);
  assertEquals(Object.keys(values).sort(), [
    "FCGI_MAX_CONNS",
    "FCGI_MAX_REQS",
    "FCGI_MPXS_CONNS",
  ]);
  assertEquals(values.FCGI_MPXS_CONNS, "1");
  // The connection of the question is kept.
  await (await app.fetch("/")).text();
  assertEquals(app.connections(), 1);
});

Deno.test("FastCGIClient.values() asks in one padded record", async () => {
  const heard = gate<Uint8Array>();
  await using server = new Scripted(async (peer) => {
    const buffer = new Uint8Array(4096);
    const length = await peer.conn.read(buffer);
    heard.resolve(buffer.slice(0, length!));
    await peer.send(RESULT);
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  await client.values();
  // libfcgi does not answer before it has a byte beyond the pairs.
  assertEquals(
    await heard.promise,
    record(
      GET_VALUES,
      0,
      pairs({ FCGI_MAX_CONNS: "", FCGI_MAX_REQS: "", FCGI_MPXS_CONNS: "" }),
      8,
    ).map((byte) => byte === 0xaa ? 0 : byte),
  );
});

const RESULT_1 = record(GET_VALUES_RESULT, 0, pairs({ FCGI_MPXS_CONNS: "1" }));
const RESULT = record(
  GET_VALUES_RESULT,
  0,
  pairs({ FCGI_MPXS_CONNS: "0", OTHER: "x".repeat(300) }),
  3,
);

Deno.test("FastCGIClient.values() takes an answer that is cut anywhere", async () => {
  await using server = new Scripted(async (peer, index) => {
    await peer.until(({ type }) => type === GET_VALUES);
    await peer.conn.write(RESULT.subarray(0, index + 1));
    await new Promise((resolve) => setTimeout(resolve, 0));
    await peer.conn.write(RESULT.subarray(index + 1));
    await peer.toEnd().catch(() => {});
  });
  for (let i = 0; i < 40; i++) {
    await using client = new FastCGIClient(server.address);
    const values = await within(client.values(["OTHER"]), "the values");
    assertEquals({ ...values }, {
      FCGI_MPXS_CONNS: "0",
      OTHER: "x".repeat(300),
    });
  }
});

const NO_VALUES: [
  name: string,
  answer: Uint8Array[] | null,
  expected: (new (...args: never[]) => FastCgiError) | null,
][] = [
  ["FCGI_UNKNOWN_TYPE", [record(UNKNOWN_TYPE, 0, "\t\0\0\0\0\0\0\0")], null],
  ["an empty answer", [record(GET_VALUES_RESULT, 0)], null],
  [
    "pairs past the end",
    [record(GET_VALUES_RESULT, 0, "\x09\x09A")],
    ProtocolError,
  ],
  ["no record", [bytes("HTTP/1.1 400 Bad Request\r\n")], ClosedError],
  ["nothing, and closes", [], ClosedError],
  ["nothing, and waits", null, LimitError],
];

for (const [name, answer, expected] of NO_VALUES) {
  Deno.test(
    `FastCGIClient.values() ${
      expected === null ? "gives nothing" : `fails with a ${expected.name}`
    } where the server answers with ${name}`,
    async () => {
      await using server = new Scripted(async (peer) => {
        await peer.until(({ type }) => type === GET_VALUES);
        if (answer === null) await peer.toEnd();
        else {
          await peer.send(...answer);
          peer.close();
        }
      });
      await using client = new FastCGIClient(server.address, {
        readTimeoutMs: answer === null ? 30 : 10_000,
      });
      const asking = within(client.values(), "the values");
      if (expected === null) assertEquals({ ...await asking }, {});
      else assertInstanceOf(await assertRejects(() => asking), expected);
    },
  );
}

Deno.test("FastCGIClient.values() may be asked many times at once", async () => {
  await using app = served(() => {});
  const all = await Promise.all(
    Array.from({ length: 20 }, () => app.client.values()),
  );
  assertEquals(new Set(all.map((one) => one.FCGI_MPXS_CONNS)), new Set(["1"]));
});

Deno.test("FastCGIClient.values() fails where an earlier question was never answered, and is answered after one that was", async () => {
  let answers = false;
  await using server = new Scripted(async (peer) => {
    try {
      for (;;) {
        const asked = await peer.until(({ type, content }) =>
          type === GET_VALUES || type === STDIN && content.length === 0
        );
        peer.take();
        if (asked.type === STDIN) await peer.send(response("A: b\r\n\r\nx"));
        else if (answers) await peer.send(RESULT);
      }
    } catch {
      // Closed by the client.
    }
  });
  await using client = new FastCGIClient(server.address, {
    maxConnections: 2,
    readTimeoutMs: 100,
  });
  const ask = async () => await (await client.fetch(get())).text();
  // The second of them asks the server of itself.
  assertEquals(await Promise.all([ask(), ask()]), ["x", "x"]);
  const failing = Array.from(
    { length: 3 },
    () => assertRejects(() => client.values(), LimitError),
  );
  await within(Promise.all(failing), "each to fail");
  answers = true;
  const all = await Promise.all([client.values(), client.values()]);
  assertEquals(all.map((one) => one.FCGI_MPXS_CONNS), ["0", "0"]);
});

Deno.test("FastCGIClient.values() is given up by its signal", async () => {
  await using server = new Scripted(async (peer) => {
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  const controller = new AbortController();
  const asking = client.values([], { signal: controller.signal });
  const reason = new Error("on purpose");
  controller.abort(reason);
  assertEquals(await assertRejects(() => asking), reason);
});

Deno.test("FastCGIClient goes on with a request where the server does not answer FCGI_GET_VALUES", async () => {
  await using server = new Scripted(async (peer) => {
    const { params } = await readParams(peer);
    await peer.send(response(`A: b\r\n\r\n${params.PATH_INFO}`));
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  const at = (path: string) => client.fetch(new Request(`http://h${path}`));
  const both = await within(Promise.all([at("/a"), at("/b")]), "both answers");
  assertEquals(await Promise.all(both.map((one) => one.text())), ["/a", "/b"]);
});

Deno.test("FastCGIClient shares connections where the server answers FCGI_GET_VALUES late", async () => {
  await using server = new Scripted(async (peer, index) => {
    try {
      for (;;) {
        const { content } = await peer.until(({ type, content }) =>
          type === STDIN && content.length === 0
        );
        const ids = peer.records.filter(({ type, content }) =>
          type === STDIN && content.length === 0
        ).map(({ id }) => id);
        assertEquals(content.length, 0);
        peer.take();
        // With the answer to the request before which it was asked.
        if (index > 0) await peer.send(RESULT_1);
        for (const id of ids) {
          await peer.send(response(`A: b\r\n\r\n${index} ${id}`, id));
        }
      }
    } catch {
      // Closed by the client.
    }
  });
  await using client = new FastCGIClient(server.address);
  const ask = async () => await (await client.fetch(get())).text();
  assertEquals(await Promise.all([ask(), ask()]), ["0 1", "1 1"]);
  const before = server.connections;
  await Promise.all(Array.from({ length: 6 }, ask));
  assertEquals(server.connections, before);
});

Deno.test("FastCGIClient asks on another connection where the server closes at FCGI_GET_VALUES", async () => {
  await using server = new Scripted(async (peer) => {
    try {
      for (;;) {
        const asked = await peer.until(({ type, content }) =>
          type === GET_VALUES || type === STDIN && content.length === 0
        );
        if (asked.type === GET_VALUES) return peer.close();
        peer.take();
        await peer.send(response("A: b\r\n\r\nhello"));
      }
    } catch {
      // Closed by the client.
    }
  });
  await using client = new FastCGIClient(server.address);
  const posts = ["a", "b", "c"].map(async (body) => {
    const got = await client.fetch(get({ method: "POST", body }));
    return await got.text();
  });
  assertEquals(await within(Promise.all(posts), "all answers"), [
    "hello",
    "hello",
    "hello",
  ]);
});

Deno.test("FastCGIClient.values() that is given up takes nothing from requests on its connection", async () => {
  const asked = gate();
  const goOn = gate();
  await using server = new Scripted(async (peer) => {
    const isQuestion = ({ type }: { type: number }) => type === GET_VALUES;
    await peer.until(isQuestion);
    await peer.send(RESULT_1);
    peer.take();
    await peer.until(isQuestion);
    asked.resolve();
    await goOn.promise;
    await peer.send(response("Content-Type: text/plain\r\n\r\nhello"));
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  await client.values();
  const fetching = within(client.fetch(get()), "the answer");
  const controller = new AbortController();
  const { signal } = controller;
  const asking = client.values(["LATE"], { signal });
  await within(asked.promise, "the question");
  const reason = new Error("on purpose");
  controller.abort(reason);
  assertEquals(await assertRejects(() => asking), reason);
  goOn.resolve();
  assertEquals(await (await fetching).text(), "hello");
  // Its answer may still come, and would be taken for that of another.
  await settle();
  assertEquals(client.stats().connections, 0);
});

Deno.test("FastCGIClient ends every request on a connection that the server would not have shared any more", async () => {
  const goOn = gate();
  await using server = new Scripted(async (peer) => {
    for (const most of ["10", "1"]) {
      await peer.until(({ type }) => type === GET_VALUES);
      peer.take();
      const values = { FCGI_MPXS_CONNS: "1", FCGI_MAX_REQS: most };
      await peer.send(record(GET_VALUES_RESULT, 0, pairs(values)));
    }
    await goOn.promise;
    await peer.send(response("Content-Type: text/plain\r\n\r\nhello", 2));
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  await client.values();
  const controller = new AbortController();
  const { signal } = controller;
  const [first, second] = [client.fetch(get({ signal })), client.fetch(get())];
  assertEquals((await client.values()).FCGI_MAX_REQS, "1");
  const reason = new Error("on purpose");
  controller.abort(reason);
  assertEquals(await assertRejects(() => first), reason);
  goOn.resolve();
  const answer = await within(second, "the other's answer");
  assertEquals(await answer.text(), "hello");
});
