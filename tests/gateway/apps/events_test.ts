// Server-sent events, each by itself, through web servers and to a browser.

import { assertEquals } from "@std/assert";
import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { Folder, startLighttpd, suiteName, urlOf } from "../../live/site.ts";
import type { Site } from "../../live/site.ts";
import { isInstalled } from "../../support/program.ts";
import {
  behindNginx,
  command,
  eventsArrive,
  leavingIsNoticed,
  pulse,
} from "./behind.ts";
import { Browser, CHROMIUM } from "./browser.ts";

const lighttpd = isInstalled("lighttpd") ? describe : describe.skip;

lighttpd(suiteName("lighttpd", "events through lighttpd"), () => {
  let folder: Folder;
  let site: Site;

  beforeAll(async () => {
    folder = new Folder();
    // The program is started by lighttpd, its socket as descriptor 0.
    site = await startLighttpd(folder.path, command("hono"));
  });

  afterAll(async () => {
    await site?.server.stop();
    await folder[Symbol.asyncDispose]();
  });

  it("arrive one by one", () => eventsArrive(site, "lighttpd"));

  it("end when the client goes", () => leavingIsNoticed(site, "leave", true));
});

const missing = ["nginx", CHROMIUM].filter((name) => !isInstalled(name));
const browser = missing.length === 0 ? describe : describe.skip;

browser(suiteName(missing[0] ?? "nginx", "events in a browser"), () => {
  const behind = behindNginx("hono");

  it("a page shows each as it comes", async () => {
    const { site } = behind();
    await using browser = await Browser.start();
    await using page = await browser.open(
      urlOf(site, "/static/live.html?key=browser"),
    );
    await page.until("document.title === 'open'");
    const shown = "document.getElementById('pulses').innerText";
    for (const [i, text] of ["one", "two", "three"].entries()) {
      await pulse(site, "browser", text);
      const expected = ["one: one", "two: two", "three: three"].slice(0, i + 1);
      await page.until(`${shown} === ${JSON.stringify(expected.join("\n"))}`);
    }
    assertEquals(
      await page.evaluate(shown),
      "one: one\ntwo: two\nthree: three",
    );
  });

  it("a page that is closed ends its stream", async () => {
    const { site } = behind();
    await using browser = await Browser.start();
    {
      await using page = await browser.open(
        urlOf(site, "/static/live.html?key=closed"),
      );
      await page.until("document.title === 'open'");
    }
    const left = await fetch(urlOf(site, "/left/closed"));
    assertEquals(await left.text(), "left");
  });
});
