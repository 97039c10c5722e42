// Responses: what of them reaches the client, and when.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { it } from "@std/testing/bdd";
import { within } from "../../support/peer.ts";
import { content, digest } from "../content.ts";
import { Control, saying } from "../control.ts";
import { RawClient, readAnswer } from "../http.ts";
import type { Live } from "../live.ts";
import { Pieces } from "../pieces.ts";

const MB = 1_000_000;

/** Registers the tests. */
export function responsesArrive(live: () => Live): void {
  const ask = (path: string, init?: RequestInit) => live().ask(path, init);

  it("a page arrives with its type and length", async () => {
    const response = await ask("/");
    assertEquals(response.status, 200);
    assertEquals(
      response.headers.get("content-type"),
      "text/html; charset=utf-8",
    );
    assertEquals(response.headers.get("content-length"), "12");
    // Of FastCGI alone.
    assertEquals(response.headers.get("status"), null);
    assertEquals(await response.text(), "Hello World!");
  });

  it("statuses arrive", async () => {
    for (
      const status of [
        ...[200, 201, 202, 206, 299, 300, 400, 401, 403, 404, 405, 410, 418],
        ...[422, 429, 451, 499, 500, 501, 502, 503, 504, 599],
      ]
    ) {
      const response = await ask(`/status?code=${status}`);
      assertEquals(response.status, status);
      assertEquals(await response.text(), "what some clients may not see");
    }
  });

  it("headers arrive, repeated ones and cookies too", async () => {
    const { headers, body } = await ask("/headers");
    assertEquals(headers.get("x-one"), "1");
    assertEquals(headers.get("x-many"), "a, b");
    const cookies = headers.getSetCookie();
    assertEquals(cookies.length, 2);
    assertMatch(cookies[0]!, /^first=1%20%26%202;.*HttpOnly/);
    assertMatch(cookies[1]!, /^second=2;.*Max-Age=60/);
    await body?.cancel();
  });

  it("redirects lead on", async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const response = await ask(`/redirect?code=${status}`);
      assertEquals(response.status, status);
      assertMatch(response.headers.get("location")!, /\/elsewhere\?a=b$/);
      await response.body?.cancel();
    }
  });

  it("what has no body has none, and the connection goes on", async () => {
    const { port } = live().site;
    for (
      const [first, status] of [
        ["HEAD / HTTP/1.1", 200],
        ["HEAD /status?code=404 HTTP/1.1", 404],
        ["HEAD /large?length=1000000 HTTP/1.1", 200],
        ["GET /status?code=204 HTTP/1.1", 204],
        ["GET /unchanged HTTP/1.1", 304],
      ] as const
    ) {
      // On one connection: a byte of a body would stand before the second
      // answer, or where H2O closes the connection.
      using client = await RawClient.to(port);
      await client.send(
        `${first}\r\nHost: test\r\n\r\n` +
          "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
      );
      const answers = await client.toEnd();
      const headEnd = answers.indexOf("\r\n\r\n") + 4;
      const head = answers.slice(0, headEnd);
      const rest = answers.slice(headEnd);
      assertEquals(readAnswer(head).status, status, first);
      if (rest === "" && /^Connection: close\r$/im.test(head)) continue;
      const second = readAnswer(rest);
      assertEquals([second.status, second.text], [200, "Hello World!"], first);
    }
  });

  it("HEAD has the headers of GET", async () => {
    const response = await ask("/", { method: "HEAD" });
    assertEquals(response.headers.get("content-length"), "12");
    assertEquals(
      response.headers.get("content-type"),
      "text/html; charset=utf-8",
    );
    assertEquals(await response.text(), "");
  });

  it("a 304 has its headers", async () => {
    const response = await ask("/unchanged");
    assertEquals(
      [response.status, response.headers.get("etag")],
      [304, '"one"'],
    );
    assertEquals(await response.text(), "");
  });

  it("a response of 200 MB arrives whole while it is made", async () => {
    const length = 200 * MB;
    const response = await ask(`/large?length=${length}`);
    assertEquals(response.headers.get("content-length"), String(length));
    const [got, expected] = await within(
      Promise.all([digest(response.body!), digest(content(length))]),
      "200 MB",
      120_000,
    );
    assertEquals(got, expected);
  });

  it("each part of a response leaves when it is flushed", async () => {
    using control = new Control();
    const asked = ask(`/stream?${control.query}`);
    const line = await control.line();
    const pieces = new Pieces(await asked);
    assertEquals(await pieces.until("first\n"), "first\n");
    // Not before: what follows is made only now.
    assertEquals(await saying(line, "that it flushed"), "flushed");
    await line.say("go on");
    assertEquals(await pieces.until(), "first\nsecond\n");
  });

  it("64 answers at once are not mixed up", async () => {
    const texts = await Promise.all(
      Array.from({ length: 64 }, async (_, n) => {
        const response = await ask(`/same?n=${n}`);
        return await response.text();
      }),
    );
    assertEquals(texts, Array.from({ length: 64 }, (_, n) => `${n} `));
  });

  it("a client that goes away amid its response fires the signal, and no more", async () => {
    using control = new Control();
    const { port } = live().site;
    let line;
    {
      using client = await RawClient.to(port);
      await client.send(
        `GET /endless?${control.query} HTTP/1.1\r\nHost: test\r\n\r\n`,
      );
      line = await control.line();
      assert(await client.read() !== "");
    }
    assertMatch(
      await saying(line, "that it knows"),
      /^signal (?:CLOSED|ABORTED)$/,
    );
    assertEquals(await (await ask("/")).text(), "Hello World!");
  });
}
