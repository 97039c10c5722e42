// The requests every web server is given, the same for all of them.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { it } from "@std/testing/bdd";
import { within } from "../support/peer.ts";
import type { Program } from "../support/program.ts";
import { content, digest } from "./content.ts";
import { get } from "./site.ts";
import type { Site } from "./site.ts";

/** What runs while these tests do. */
export interface Live {
  site: Site;
  /** What has the log of the program under test. */
  app: Program;
}

const MB = 1_000_000;
const utf8 = new TextEncoder();

/** Registers the tests. */
export function answersRequests(live: () => Live): void {
  const ask = (path: string, init?: RequestInit) =>
    get(live().site, path, init);

  it("GET shows the page", async () => {
    const response = await ask("/");
    assertEquals(response.status, 200);
    assertEquals(
      response.headers.get("content-type"),
      "text/html; charset=utf-8",
    );
    assertEquals(response.headers.get("content-length"), "12");
    assertEquals(await response.text(), "Hello World!");
  });

  it("GET brings method, URL, headers and cookies", async () => {
    const response = await ask("/inspect/a%20b?x=1&y=%C3%A9", {
      headers: { "x-test": "a, b", cookie: "one=1; two=a%20b" },
    });
    assertEquals(response.status, 404, "no such page");
    await response.body?.cancel();

    const found = await ask("/inspect?x=1&y=%C3%A9", {
      headers: { "x-test": "a, b", cookie: "one=1; two=a%20b" },
    });
    assertEquals([found.status, found.statusText], [201, "Created"]);
    assertEquals(found.headers.get("content-type"), "application/json");
    assertEquals(found.headers.get("x-one"), "1");
    assertEquals(found.headers.get("x-many"), "a, b");
    assertEquals(found.headers.getSetCookie().length, 2);
    assertMatch(
      found.headers.getSetCookie()[0]!,
      /^first=1%20%26%202;.*HttpOnly/,
    );
    assertMatch(found.headers.getSetCookie()[1]!, /^second=2;.*Max-Age=60/);
    const told = await found.json();
    assertEquals(told.method, "GET");
    assertEquals(
      told.url,
      `http://127.0.0.1:${live().site.port}/inspect?x=1&y=%C3%A9`,
    );
    assertEquals(told.headers["x-test"], "a, b");
    assertEquals(told.cookies, { one: "1", two: "a b" });
    assertEquals(told.remoteAddr, "127.0.0.1");
  });

  it("POST of 10 MB arrives whole", async () => {
    const blocks = Array.from(content(10 * MB), (block) => block.slice());
    const response = await ask("/echo", {
      method: "POST",
      body: new Blob(blocks),
    });
    assertEquals(response.status, 200);
    assertEquals(await response.json(), await digest(blocks));
  });

  it("POST of nothing arrives", async () => {
    const response = await ask("/echo", { method: "POST", body: "" });
    assertEquals(await response.json(), await digest([]));
  });

  it("HEAD has the headers and no body", async () => {
    const { port } = live().site;
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    // On one connection: a body byte would stand before the second answer.
    await conn.write(utf8.encode(
      "HEAD / HTTP/1.1\r\nHost: test\r\n\r\n" +
        "GET /pid HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    ));
    const answers = await within(
      new Response(conn.readable).text(),
      "both answers",
    );
    const [head, second, pid] = answers.split("\r\n\r\n");
    assertMatch(head!, /^HTTP\/1\.1 200 OK\r\n/);
    assertMatch(head!, /^content-length: 12\r?$/im);
    assertMatch(second!, /^HTTP\/1\.1 200 OK\r\n/);
    assertMatch(pid!, /\d/);
  });

  it("a status without a body has none", async () => {
    const response = await ask("/nothing");
    assertEquals(response.status, 204);
    assertEquals(await response.text(), "");
  });

  it("a redirect leads on", async () => {
    const response = await ask("/redirect");
    assertEquals(response.status, 302);
    assertMatch(response.headers.get("location")!, /\/elsewhere\?a=b$/);
    await response.body?.cancel();
  });

  it("a response of 200 MB comes whole while it is made", async () => {
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

  it("an error is a 500 without details, which are in the log", async () => {
    const response = await ask("/error");
    assertEquals(response.status, 500);
    const page = await response.text();
    assert(!page.includes("deliberate"), page);
    await live().site.server.until(/deliberate failure/);
  });

  it("log() writes to the web server's log", async () => {
    const response = await ask("/log");
    assertEquals(await response.text(), "logged");
    await live().site.server.until(/a line for the web server's log/);
  });

  it("a client that goes away fires the signal, and no more", async () => {
    const { site, app } = live();
    const pid = await (await ask("/pid")).text();
    {
      using conn = await Deno.connect({
        hostname: "127.0.0.1",
        port: site.port,
      });
      await conn.write(utf8.encode(
        "GET /endless HTTP/1.1\r\nHost: test\r\n\r\n",
      ));
      await within(conn.read(new Uint8Array(1024)), "the response to begin");
    }
    const [, code] = await app.until(/signal: (\S+)/);
    assertEquals(code, "CLOSED");
    assertEquals(await (await ask("/pid")).text(), pid);
  });
}

/** Reads a response piece by piece. */
export class Pieces {
  readonly #reader: ReadableStreamDefaultReader<string>;
  /** What came so far. */
  text = "";

  constructor(response: Response) {
    this.#reader = response.body!.pipeThrough(
      new TextDecoderStream() as TransformStream<Uint8Array, string>,
    ).getReader();
  }

  /** Reads until the text holds a part, or to the end without one. */
  async until(part?: string): Promise<string> {
    while (part === undefined || !this.text.includes(part)) {
      const { done, value } = await within(
        this.#reader.read(),
        `"${part ?? "the end"}" after "${this.text}"`,
      );
      if (done) {
        if (part !== undefined) throw new Error(`Ended with "${this.text}"`);
        break;
      }
      this.text += value;
    }
    return this.text;
  }

  /** Goes away. */
  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}
