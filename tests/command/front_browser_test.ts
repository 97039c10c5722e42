// The HTTP front and a real browser: server-sent events, uploads, and pages
// that are left.

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { Browser, CHROMIUM } from "../gateway/apps/browser.ts";
import { suiteWith } from "../live/suite.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { Fronted } from "./fronted.ts";

suiteWith([CHROMIUM], "HttpFront in front of a browser", () => {
  it("passes events on one by one, and tells the application that the page was closed", async () => {
    const nexts = [gate(), gate(), gate()];
    const left = gate();
    const abandoned = gate();
    await using app = new Fronted(async (request, response) => {
      const { pathname } = request.url;
      if (pathname === "/events") {
        request.signal.addEventListener("abort", () => left.resolve());
        response.headers.set("Content-Type", "text/event-stream");
        for (let i = 0; i < nexts.length; i++) {
          await nexts[i]!.promise;
          await response.write(`data: event ${i}\n\n`);
          await response.flush();
        }
        await left.promise;
      } else if (pathname === "/never") {
        request.signal.addEventListener("abort", () => abandoned.resolve());
        await abandoned.promise;
      } else if (pathname === "/echo") {
        await response.write(await request.bytes());
      } else response.write("<title>page</title><body></body>");
    });
    await using browser = await Browser.start();
    const page = await browser.open(app.front.url);
    await page.until("document.title === 'page'");
    await page.evaluate(`{
      const source = new EventSource("/events");
      source.onmessage = ({ data }) => document.body.append(data + ";");
      fetch("/never").catch(() => {});
      null;
    }`);
    let seen = "";
    for (let i = 0; i < nexts.length; i++) {
      nexts[i]!.resolve();
      seen += `event ${i};`;
      await page.until(`document.body.textContent === "${seen}"`);
    }
    assertEquals(
      await page.evaluate(`(async () => {
        const body = new Uint8Array(2_000_000).map((_, i) => i * 7);
        const response = await fetch("/echo", { method: "POST", body });
        const bytes = new Uint8Array(await response.arrayBuffer());
        return bytes.length === body.length &&
          bytes.every((byte, i) => byte === body[i]);
      })()`),
      true,
    );
    // Both the stream that is silent and the answer that never came.
    await page[Symbol.asyncDispose]();
    await within(left.promise, "the events to be left");
    await within(abandoned.promise, "the request to be given up");
    assertEquals(app.running.logged, []);
  });
});
