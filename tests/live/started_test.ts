// Started by web servers, with the listening socket as descriptor 0: several
// processes, and what becomes of them.

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { DEADLINE_MS } from "../support/peer.ts";
import { Control, saying } from "./control.ts";
import { Folder } from "./folder.ts";
import { Held } from "./held.ts";
import { Pieces } from "./pieces.ts";
import { startedCommand } from "./program.ts";
import { fcgid } from "./servers/apache.ts";
import { h2o } from "./servers/h2o.ts";
import { lighttpd } from "./servers/lighttpd.ts";
import { get, startServer } from "./site.ts";
import type { Site } from "./site.ts";
import { suiteWith } from "./suite.ts";
import type { WebServer } from "./web_server.ts";

/** Runs a test with a web server that starts the program. */
async function withStarted(
  webServer: WebServer,
  processes: number,
  test: (site: Site) => Promise<void>,
): Promise<void> {
  await using folder = new Folder();
  const command = await startedCommand(webServer, folder.path);
  await using site = await startServer(webServer, folder.path, {
    command,
    processes,
  });
  await test(site);
}

/** The processes that so many requests get at once. */
async function processesOf(site: Site, count: number): Promise<number[]> {
  using control = new Control();
  const asked = Array.from({ length: count }, async () => {
    const response = await get(site, `/pid?${control.query}`);
    return Number(await response.text());
  });
  for (const answer of asked) answer.catch(() => {});
  const lines = [];
  for (const _ of asked) lines.push(await control.line());
  for (const line of lines) await line.say("go on");
  return await Promise.all(asked);
}

/** The process that answers next, once it is none of these. */
async function anotherThan(
  site: Site,
  known: readonly number[],
): Promise<number> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const response = await get(site, "/pid");
    const text = await response.text();
    if (response.status === 200 && !known.includes(Number(text))) {
      return Number(text);
    }
    assert(Date.now() < deadline, `still ${response.status} ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const webServer of [lighttpd, fcgid]) {
  suiteWith([webServer], `Application started by ${webServer.name}`, () => {
    it("runs in several processes, and in another one for each that is killed", async () => {
      await withStarted(webServer, 3, async (site) => {
        const pids = await processesOf(site, 3);
        assertEquals(new Set(pids).size, 3, `${pids}`);
        for (const pid of pids) Deno.kill(pid, "SIGKILL");
        assert(!pids.includes(await anotherThan(site, pids)));
      });
    });
  });
}

suiteWith([lighttpd], "A stop of the program started by lighttpd", () => {
  it("lets what is under way finish, and another one starts", async () => {
    await withStarted(lighttpd, 1, async (site) => {
      const [pid] = await processesOf(site, 1) as [number];
      using held = await Held.begin(site, 8);
      Deno.kill(pid, "SIGTERM");
      await held.end();
      assert(await anotherThan(site, [pid]) !== pid);
    });
  });
});

/** What web servers are sent to start anew, and to stop when all is done. */
const GRACEFUL: [WebServer, Deno.Signal, "stops" | "starts anew"][] = [
  [lighttpd, "SIGUSR1", "starts anew"],
  [lighttpd, "SIGINT", "stops"],
  [fcgid, "SIGUSR1", "starts anew"],
  [fcgid, "SIGWINCH", "stops"],
  [h2o, "SIGTERM", "stops"],
];

for (const [webServer, signal, does] of GRACEFUL) {
  suiteWith([webServer], `${webServer.name} that ${does} gracefully`, () => {
    it("lets what is under way finish, and ends what it started", async () => {
      await withStarted(webServer, 1, async (site) => {
        const [pid] = await processesOf(site, 1) as [number];
        using control = new Control();
        const asked = get(site, `/stream?${control.query}`, {
          headers: { connection: "close" },
        });
        asked.catch(() => {});
        const line = await control.line();
        assertEquals(await saying(line, "that it began"), "flushed");
        const pieces = new Pieces(await asked);
        await pieces.until("first\n");
        site.server.signal(signal);
        await line.say("go on");
        assertEquals(await pieces.until(), "first\nsecond\n");
        if (does === "starts anew") await anotherThan(site, [pid]);
        // It has its outputs, so it has ended with it.
        else assertEquals((await site.server.end()).code, 0);
      });
    });
  });
}
