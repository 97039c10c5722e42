// Failures of an application: what the client sees, and what the log has.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { it } from "@std/testing/bdd";
import { askBroken } from "../http.ts";
import type { Live } from "../live.ts";

/** Registers the tests. */
export function failuresShow(live: () => Live): void {
  it("a page that is none is a 404", async () => {
    const response = await live().ask("/none");
    assertEquals(response.status, 404);
    assertMatch(await response.text(), /There is no \/none/);
  });

  it("an error is a 500 without details, which are in the log", async () => {
    const response = await live().ask("/error");
    assertEquals(response.status, 500);
    const page = await response.text();
    assert(!page.includes("deliberate"), page);
    const { site, webServer } = live();
    if (webServer.logs) await site.server.until(/deliberate failure/);
  });

  it("a line of log() is in the log", async () => {
    const response = await live().ask("/log");
    assertEquals(await response.text(), "logged");
    const { site, webServer } = live();
    if (webServer.logs) await site.server.until(/a line for the web server's/);
  });

  it("a response that breaks off does not look whole", async () => {
    const answer = await askBroken(live().site.port, "&length=100");
    assertEquals([answer.status, answer.isWhole], [200, false], answer.text);
    // And the next request is none the worse for it.
    assertEquals(await (await live().ask("/")).text(), "Hello World!");
  });
}
