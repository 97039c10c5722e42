// FastCGIClient.send(): a request as it is told, and the answer as it comes.

import { assertEquals, assertRejects } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import type { FastCGIEnd } from "../../src/client/client.ts";
import { ClosedError } from "../../src/errors.ts";
import { get } from "../support/answering.ts";
import { served } from "../support/clients.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { readRequest, Scripted } from "../support/scripted.ts";
import {
  bytes,
  concatLarge,
  end,
  readPairs,
  record,
  response,
  STDERR,
  STDIN,
  STDOUT,
} from "../support/wire.ts";

const read = (stream: ReadableStream<Uint8Array>) =>
  within(new Response(stream).text(), "FCGI_STDOUT");

Deno.test("FastCGIClient.send() sends these parameters and no others, as text and as bytes", async () => {
  let seen: [string, string][] = [];
  let body = "";
  await using server = new Scripted(async (peer) => {
    await peer.until(({ type, content }) =>
      type === STDIN && content.length === 0
    );
    const of = (type: number) =>
      concatLarge(
        peer.records.filter((one) => one.type === type).map((r) => r.content),
      );
    seen = readPairs(of(4));
    body = new TextDecoder().decode(of(STDIN));
    peer.take();
    await peer.send(response("no header at all"));
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  const { stdout, end } = await client.send({
    B: "ä",
    A: new Uint8Array([0x78]),
    GONE: null,
    "": "",
  }, { body: "the body" });
  assertEquals(await read(stdout), "no header at all");
  assertEquals(await end, { appStatus: 0, protocolStatus: 0 });
  assertEquals(seen, [["B", "ä"], ["A", "x"], ["", ""]]);
  assertEquals(body, "the body");
});

Deno.test("FastCGIClient.send() gives both statuses, whatever they are, and FCGI_STDERR byte for byte", async () => {
  await using server = new Scripted(async (peer) => {
    for (let i = 0; i < 2; i++) {
      await readRequest(peer);
      await peer.send(
        record(STDERR, 1, new Uint8Array([0xff, 0, 10])),
        record(STDOUT, 1, "out"),
        end(1, 0xfffffffe, 2),
      );
    }
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  for (let i = 0; i < 2; i++) {
    const told: number[] = [];
    const reply = await client.send({}, {
      onStderr: (part) => told.push(...part),
    });
    assertEquals(await read(reply.stdout), "out");
    assertEquals(await reply.end, {
      appStatus: 0xfffffffe,
      protocolStatus: 2,
    });
    assertEquals(told, [0xff, 0, 10]);
  }
  assertEquals(server.connections, 1);
});

Deno.test("FastCGIClient.send() gives an answer without FCGI_STDOUT", async () => {
  await using server = new Scripted(async (peer) => {
    await readRequest(peer);
    await peer.send(end(1, 7, 3));
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  const reply = await client.send({});
  assertEquals(await read(reply.stdout), "");
  assertEquals(await reply.end, { appStatus: 7, protocolStatus: 3 });
});

for (
  const [role, number] of [
    [undefined, 1],
    ["responder", 1],
    ["authorizer", 2],
    ["filter", 3],
    [9, 9],
    [65535, 65535],
  ] as const
) {
  Deno.test(`FastCGIClient.send() asks for role ${number} where told ${role}`, async () => {
    const asked = gate<number>();
    await using server = new Scripted(async (peer) => {
      asked.resolve((await readRequest(peer)).role);
      await peer.send(response(""));
      await peer.toEnd();
    });
    await using client = new FastCGIClient(server.address);
    const reply = await client.send({}, role === undefined ? {} : { role });
    await reply.end;
    assertEquals(await asked.promise, number);
  });
}

Deno.test("FastCGIClient sends FCGI_DATA to a Filter, after FCGI_STDIN", async () => {
  await using app = served(async (request, response) => {
    const body = await request.text();
    const data = await new Response(request.data).text();
    response.write(`${request.role} ${body} ${data.length}`);
  });
  const data = bytes("x".repeat(600_000));
  const options = { role: "filter", data } as const;
  const params = { FCGI_DATA_LENGTH: "600000", FCGI_DATA_LAST_MOD: "0" };
  const fetched = await app.client.fetch(
    get({ method: "POST", body: "abc" }),
    params,
    options,
  );
  assertEquals(await fetched.text(), "filter abc 600000");
  const { stdout } = await app.client.send({
    ...params,
    REQUEST_METHOD: "POST",
  }, { ...options, body: "abcd" });
  assertEquals(
    (await read(stdout)).split("\r\n\r\n")[1],
    "filter abcd 600000",
  );
});

Deno.test("FastCGIClient.fetch() asks an Authorizer, and tells how the request ended", async () => {
  await using app = served((request, response) => {
    response.status = request.role === "authorizer" ? 200 : 500;
    response.headers.set("Variable-User", "alice");
    response.appStatus = 9;
  });
  const ends: FastCGIEnd[] = [];
  const got = await app.client.fetch(get(), {}, {
    role: "authorizer",
    onEnd: (end) => ends.push(end),
  });
  await got.body?.cancel();
  assertEquals(
    [got.status, got.headers.get("variable-user")],
    [200, "alice"],
  );
  assertEquals(ends, [{ appStatus: 9, protocolStatus: 0 }]);
});

Deno.test("FastCGIClient.fetch() gives the lines of a request to its own onStderr", async () => {
  await using app = served((request) => request.log("a line"));
  const lines: string[] = [];
  const got = await app.client.fetch(get(), {}, {
    onStderr: (line) => lines.push(line),
  });
  await got.text();
  assertEquals([lines, app.running.logged], [["a line"], []]);
});

Deno.test("FastCGIClient.send() gives the request up where its signal fires or its output is cancelled", async () => {
  const ended = [gate(), gate()];
  await using server = new Scripted(async (peer, index) => {
    await readRequest(peer);
    await peer.send(record(STDOUT, 1, "begun"));
    while (await peer.read());
    ended[index]!.resolve();
  });
  await using client = new FastCGIClient(server.address);
  const controller = new AbortController();
  const reason = new Error("on purpose");
  const one = await client.send({}, { signal: controller.signal });
  controller.abort(reason);
  assertEquals(await assertRejects(() => one.end), reason);
  assertEquals(await assertRejects(() => read(one.stdout)), reason);
  await within(ended[0]!.promise, "the connection to close");
  const two = await client.send({});
  await two.stdout.cancel();
  await assertRejects(() => two.end);
  await within(ended[1]!.promise, "the connection to close");
});

Deno.test("FastCGIClient.send() fails where the server closes before or amid its answer", async () => {
  await using server = new Scripted(async (peer, index) => {
    await readRequest(peer);
    if (index > 0) await peer.send(record(STDOUT, 1, "half"));
    peer.close();
  });
  await using client = new FastCGIClient(server.address);
  await assertRejects(() => client.send({}), ClosedError);
  const { stdout, end } = await client.send({});
  await assertRejects(() => read(stdout), ClosedError);
  await assertRejects(() => end, ClosedError);
});
