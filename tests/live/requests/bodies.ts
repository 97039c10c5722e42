// Bodies of requests, of every length and in every framing.

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { content, digest } from "../content.ts";
import { jsonOf, RawClient, readAnswer } from "../http.ts";
import type { Live } from "../live.ts";

const MB = 1_000_000;

/** Registers the tests. */
export function bodiesArrive(live: () => Live): void {
  it("a body of 10 MB arrives whole", async () => {
    const blocks = Array.from(content(10 * MB), (block) => block.slice());
    const response = await live().ask("/echo", {
      method: "POST",
      body: new Blob(blocks),
    });
    assertEquals(response.status, 200);
    assertEquals(await response.json(), await digest(blocks));
  });

  it("bodies of every method arrive, empty ones too", async () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
      for (const body of ["", "a", "x".repeat(70_000)]) {
        const response = await live().ask("/echo", { method, body });
        const expected = await digest([new TextEncoder().encode(body)]);
        assertEquals(await response.json(), expected, `${method} ${body}`);
      }
    }
  });

  it("a chunked body arrives whole", async () => {
    const { port } = live().site;
    const blocks = Array.from(content(20_000), (block) => block.slice());
    using client = await RawClient.to(port);
    await client.send(
      `POST /echo HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n` +
        "Transfer-Encoding: chunked\r\n\r\n",
    );
    for (const block of blocks) {
      await client.send(`${block.length.toString(16)}\r\n`);
      await client.send(block);
      await client.send("\r\n");
    }
    await client.send("0\r\n\r\n");
    const answer = readAnswer(await client.toEnd());
    assertEquals(answer.status, 200);
    assertEquals(jsonOf(answer), await digest(blocks));
  });

  it("an answer to a body that nobody reads arrives, and the next one too", async () => {
    const body = new Uint8Array(10 * MB);
    // With a length, and without one.
    for (const path of ["/", "/parts"]) {
      const response = await live().ask(path, { method: "POST", body });
      assertEquals([response.status, await response.text()], [
        200,
        "Hello World!",
      ]);
      const next = await live().ask("/same?n=1", { method: "POST", body: "a" });
      assertEquals(await next.text(), "1 a");
    }
  });

  it("many bodies at once are not mixed up", async () => {
    let next = 0;
    await Promise.all(Array.from({ length: 16 }, async () => {
      while (next < 200) {
        const n = next++;
        const body = `${n} `.repeat(n);
        const response = await live().ask(`/same?n=${n}`, {
          method: "POST",
          body,
        });
        assertEquals(await response.text(), `${n} ${body}`);
      }
    }));
  });
}
