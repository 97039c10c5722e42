// Hono behind nginx: everything an application of it does daily.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { suiteName } from "../../live/site.ts";
import { get } from "../../live/site.ts";
import { isInstalled } from "../../support/program.ts";
import { answersAlike, behindNginx } from "./behind.ts";

const suite = isInstalled("nginx") ? describe : describe.skip;

suite(suiteName("nginx", "Hono behind nginx"), () => {
  const behind = behindNginx("hono");
  const ask = (path: string, init?: RequestInit) =>
    get(behind().site, path, init);

  answersAlike("Hello Hono!", behind);

  it("runs middleware around the handler", async () => {
    const response = await ask("/");
    assertMatch(response.headers.get("x-took")!, /^\d+ms$/);
    await response.body?.cancel();
  });

  it("asks for a password", async () => {
    const denied = await ask("/private/page");
    assertEquals(denied.status, 401);
    assertMatch(denied.headers.get("www-authenticate")!, /^Basic /);
    await denied.body?.cancel();
    const allowed = await ask("/private/page", {
      headers: { authorization: `Basic ${btoa("me:secret")}` },
    });
    assertEquals(await allowed.text(), "<p>private</p>");
  });

  it("answers conditional requests by its ETag", async () => {
    const first = await ask("/cached");
    assertEquals(await first.text(), "always the same");
    const etag = first.headers.get("etag")!;
    const second = await ask("/cached", {
      headers: { "if-none-match": etag },
    });
    assertEquals([second.status, await second.text()], [304, ""]);
    assertEquals(second.headers.get("etag"), etag);
  });

  it("knows the client by getConnInfo()", async () => {
    const { address, addressType, port, transport } =
      await (await ask("/whoami")).json();
    assertEquals([address, transport], ["127.0.0.1", "tcp"]);
    assert(port > 0);
    assert(addressType === undefined || addressType === "IPv4");
  });

  it("reads forms with files", async () => {
    const form = new FormData();
    form.set("name", "J\u00fcrgen");
    form.set(
      "file",
      new File(["x".repeat(100_000)], "a.txt", {
        type: "text/plain",
      }),
    );
    const response = await ask("/form", { method: "POST", body: form });
    assertEquals(await response.json(), {
      name: "J\u00fcrgen",
      file: ["a.txt", "text/plain", 100_000],
    });
    const simple = await ask("/form", {
      method: "POST",
      body: new URLSearchParams({ name: "a b" }),
    });
    assertEquals(await simple.json(), { name: "a b", file: null });
  });

  it("reads 10 MB as a stream", async () => {
    const response = await ask("/length", {
      method: "POST",
      body: new Uint8Array(10_000_000),
    });
    assertEquals(await response.text(), "10000000");
  });

  it("streams 50 MB", async () => {
    const response = await ask("/large/50");
    let length = 0;
    for await (const chunk of response.body!) length += chunk.length;
    assertEquals(length, 50 * (1 << 20));
  });

  it("serves static files", async () => {
    const page = await ask("/static/live.html");
    assertMatch(page.headers.get("content-type")!, /^text\/html/);
    assertMatch(await page.text(), /<title>Pulses<\/title>/);
    const missing = await ask("/static/none.html");
    assertEquals(missing.status, 404);
    await missing.body?.cancel();
    const outside = await ask("/static/..%2fhono_app.ts");
    assertEquals(outside.status, 404);
    await outside.body?.cancel();
  });

  it("answers HEAD as GET, without a body", async () => {
    const response = await ask("/", { method: "HEAD" });
    assertEquals([response.status, await response.text()], [200, ""]);
    assertMatch(response.headers.get("content-type")!, /^text\/plain/);
  });

  it("answers for errors by its own handler", async () => {
    const response = await ask("/error");
    assertEquals(response.status, 500);
    assertEquals(await response.text(), "Internal Server Error");
    await behind().app!.until(/deliberate failure/);
  });
});
