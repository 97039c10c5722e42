// FastCGIClient's own bytes: a request as it leaves.

import { assertEquals } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { get, text, whole } from "../support/answering.ts";
import { Scripted } from "../support/scripted.ts";
import { records } from "../support/wire.ts";

Deno.test("FastCGIClient.fetch() sends a request without a body in one write", async () => {
  // The literal bytes of a request, which check client and tests alike.
  let heard = new Uint8Array(0);
  await using server = new Scripted(async (peer) => {
    const buffer = new Uint8Array(4096);
    const n = await peer.conn.read(buffer);
    heard = buffer.slice(0, n!);
    await peer.send(whole);
    await peer.toEnd();
  });
  await using client = new FastCGIClient(server.address);
  await text(client, get());
  assertEquals(
    heard.subarray(0, 16),
    // FCGI_BEGIN_REQUEST of request 1: Responder, FCGI_KEEP_CONN.
    new Uint8Array([1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]),
  );
  // Then FCGI_PARAMS, its end, and the end of FCGI_STDIN: all in one write.
  const { records: sent, rest } = records(heard);
  assertEquals(
    sent.map(({ type, id, content }) => [type, id, content.length > 0]),
    [[1, 1, true], [4, 1, true], [4, 1, false], [5, 1, false]],
  );
  assertEquals(rest.length, 0);
});
