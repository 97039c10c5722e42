// FastCGIClient in front of an application in C on libfcgi, the library of the
// specification's authors.

import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { it } from "@std/testing/bdd";
import { FastCGIClient } from "../../src/client/client.ts";
import type {
  FastCGIClientOptions,
  FastCGIEnd,
} from "../../src/client/client.ts";
import { ProtocolError } from "../../src/errors.ts";
import { within } from "../support/peer.ts";
import { LIBFCGI, libfcgiOf } from "./libfcgi.ts";
import { suiteWith } from "./suite.ts";

suiteWith(LIBFCGI, "FastCGIClient in front of libfcgi", () => {
  const socket = libfcgiOf();

  function open(options: FastCGIClientOptions = {}): FastCGIClient {
    return new FastCGIClient({ path: socket() }, options);
  }

  function ask(
    client: FastCGIClient,
    path: string,
    init: RequestInit = {},
    onEnd: (end: FastCGIEnd) => void = () => {},
  ): Promise<Response> {
    const request = new Request(`http://test${path}`, init);
    return within(client.fetch(request, {}, { onEnd }), path);
  }

  it("values() gives what the library says: one connection, one request", async () => {
    await using client = open();
    const values = await within(client.values(), "the values");
    assertEquals({ ...values }, {
      FCGI_MAX_CONNS: "1",
      FCGI_MAX_REQS: "1",
      FCGI_MPXS_CONNS: "0",
    });
    assertEquals(await (await ask(client, "/")).text(), "");
    assertEquals(client.stats().connections, 1);
  });

  it("fetch() carries 3 MB there and back, many times on one connection", async () => {
    await using client = open();
    const body = new Uint8Array(3_000_000).map((_, i) => i * 7);
    for (let i = 0; i < 3; i++) {
      const response = await ask(client, "/echo", { method: "POST", body });
      assertEquals(await response.bytes(), body);
    }
    assertEquals(client.stats().connections, 1);
  });

  it("fetch() sends the variables of a request", async () => {
    await using client = open();
    const text = await (await ask(client, "/env?a=b", {
      headers: { "x-long": "x".repeat(10_000) },
    })).text();
    const lines = text.split("\n");
    for (
      const line of [
        "REQUEST_METHOD=GET",
        "REQUEST_URI=/env?a=b",
        "QUERY_STRING=a=b",
        "HTTP_HOST=test",
        "FCGI_ROLE=RESPONDER",
        `HTTP_X_LONG=${"x".repeat(10_000)}`,
      ]
    ) assertEquals(lines.includes(line), true, line.slice(0, 80));
  });

  it("fetch() gives the status, tells the error stream and how it ended", async () => {
    const told: string[] = [];
    const ends: FastCGIEnd[] = [];
    await using client = open({ onStderr: (line) => told.push(line) });
    const missing = await ask(client, "/status", {}, (end) => ends.push(end));
    assertEquals(
      [missing.status, missing.statusText, await missing.text()],
      [404, "Not There", "gone"],
    );
    assertEquals(ends, [{ appStatus: 255, protocolStatus: 0 }]);
    await (await ask(client, "/log")).text();
    assertEquals(told, ["a line", "another"]);
  });

  it("fetch() fails where there is no answer, and goes on", async () => {
    await using client = open();
    const error = await assertRejects(() => ask(client, "/nothing"));
    assertInstanceOf(error, ProtocolError);
    assertStringIncludes(error.message, "application status 7");
    assertEquals(await (await ask(client, "/")).text(), "");
  });

  it("fetch() answers more at once than there are threads", async () => {
    await using client = open();
    const texts = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const init = { method: "POST", body: `body ${i}` };
        return await (await ask(client, "/echo", init)).text();
      }),
    );
    assertEquals(texts, Array.from(texts, (_, i) => `body ${i}`));
  });

  it("fetch() gives a request up, and the thread is free", async () => {
    await using client = open();
    for (let i = 0; i < 4; i++) {
      const controller = new AbortController();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const body = new ReadableStream<Uint8Array>({
        pull(stream) {
          if (controller.signal.aborted) return;
          stream.enqueue(new Uint8Array(1000));
          return new Promise((resolve) => timer = setTimeout(resolve, 1));
        },
        cancel: () => clearTimeout(timer),
      });
      const { signal } = controller;
      const asked = await ask(client, "/echo", {
        method: "POST",
        body,
        signal,
      });
      controller.abort();
      await assertRejects(() => asked.bytes(), DOMException);
    }
    assertEquals(await (await ask(client, "/")).text(), "");
  });

  it("send() asks for the other roles", async () => {
    await using client = open();
    for (const role of ["authorizer", "filter"] as const) {
      const { stdout } = await client.send({
        PATH_INFO: "/env",
        FCGI_DATA_LAST_MOD: "0",
        FCGI_DATA_LENGTH: "0",
      }, { role, ...(role === "filter" ? { data: new Uint8Array(0) } : {}) });
      const text = await within(new Response(stdout).text(), role);
      assertStringIncludes(text, `FCGI_ROLE=${role.toUpperCase()}`);
    }
  });
});
