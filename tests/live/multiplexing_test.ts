// Behind HAProxy, which sends many requests at once on one connection.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { it } from "@std/testing/bdd";
import { within } from "../support/peer.ts";
import {
  ABORT,
  BEGIN,
  END,
  GET_VALUES,
  GET_VALUES_RESULT,
} from "../support/wire.ts";
import { Control, saying } from "./control.ts";
import { Folder } from "./folder.ts";
import { RawClient } from "./http.ts";
import { startOn } from "./program.ts";
import { Relay } from "./relay.ts";
import { haproxy } from "./servers/haproxy.ts";
import { get, startServer } from "./site.ts";
import type { Site } from "./site.ts";
import { suiteWith } from "./suite.ts";

/** HAProxy in front of the program, and what passes between them. */
async function withHaproxy(
  test: (site: Site, relay: Relay) => Promise<void>,
): Promise<void> {
  await using folder = new Folder();
  const { path } = folder;
  await using app = await startOn(`${path}/app.sock`);
  await using relay = new Relay(`${path}/relay.sock`, app.address);
  await using site = await startServer(haproxy, path, {
    addresses: [relay.path],
  });
  await test(site, relay);
}

suiteWith([haproxy], "Multiplexing behind HAProxy", () => {
  it("10,000 requests with 100 in flight are answered, none by another's answer", async () => {
    await withHaproxy(async (site, relay) => {
      const COUNT = 10_000;
      let next = 0;
      const worker = async () => {
        while (next < COUNT) {
          const n = next++;
          // Bodies of many lengths, and none.
          const body = "x".repeat(n % 7 * 311) + n;
          const response = await get(
            site,
            `/same?n=${n}`,
            n % 3 ? { method: "POST", body } : {},
          );
          const text = await response.text();
          assertEquals(
            [response.status, text],
            [200, `${n} ${n % 3 ? body : ""}`],
          );
        }
      };
      await within(
        Promise.all(Array.from({ length: 100 }, worker)),
        "10,000 answers",
        120_000,
      );
      const { accepted, came, went, mostInFlight } = relay;
      assertEquals([came.get(BEGIN), went.get(END)], [COUNT, COUNT]);
      // It asked how many at once, and was told; and that is what it did.
      assertEquals(came.get(GET_VALUES), accepted);
      assertEquals(went.get(GET_VALUES_RESULT), accepted);
      assert(mostInFlight > 1, "one request at a time");
      assert(accepted < 100, `${accepted} connections`);
    });
  });

  it("FCGI_ABORT_REQUEST ends one request alone", async () => {
    await withHaproxy(async (site, relay) => {
      await (await get(site, "/")).text();
      using control = new Control();
      const waiting = Array.from(
        { length: 8 },
        async () => await (await get(site, `/wait?${control.query}`)).text(),
      );
      for (const answer of waiting) answer.catch(() => {});
      const lines = [];
      for (const _ of waiting) lines.push(await control.line());
      for (const line of lines) assertEquals(await saying(line, ""), "begun");

      const COUNT = 4;
      for (let i = 0; i < COUNT; i++) {
        let line;
        {
          using client = await RawClient.to(site.port);
          await client.send(
            `POST /upload?${control.query} HTTP/1.1\r\nHost: test\r\n` +
              "Content-Length: 1000000\r\n\r\n",
          );
          // HAProxy begins the request once its buffer is full.
          await client.send(new Uint8Array(200_000));
          line = await control.line();
          assertEquals(await saying(line, "that it began"), "begun");
        }
        let said = "";
        while (!said.startsWith("failed")) said = await saying(line, "more");
        assertEquals(said, "failed ABORTED");
      }
      assertEquals(relay.came.get(ABORT), COUNT);

      // Those beside it go on as if nothing was.
      for (const line of lines) await line.say("go on");
      for (const text of await Promise.all(waiting)) {
        assertEquals(text, "waited");
      }
      assert(relay.mostInFlight > 1, "one request at a time");
      assertMatch(await (await get(site, "/")).text(), /^Hello/);
    });
  });
});
