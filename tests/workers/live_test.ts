// Workers behind real web servers: reloads and stops of which no client sees
// anything.

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { Folder } from "../live/folder.ts";
import { startApp } from "../live/program.ts";
import { haproxy } from "../live/servers/haproxy.ts";
import { nginx } from "../live/servers/nginx.ts";
import { get, startServer } from "../live/site.ts";
import type { Site } from "../live/site.ts";
import { suiteWith } from "../live/suite.ts";
import type { WebServer } from "../live/web_server.ts";
import { within } from "../support/peer.ts";
import { withValues } from "../support/readme.ts";
import { Group, PROGRAM } from "./group.ts";

/** Clients that ask one thing after another, and must always be answered. */
class Traffic {
  readonly #site: Site;
  readonly #clients: Promise<void>[];
  #isEnough = false;
  /** How many requests were answered. */
  count = 0;
  /** Who answered. */
  readonly pids = new Set<string>();
  readonly #watchers = new Set<() => void>();

  constructor(site: Site, clients = 8) {
    this.#site = site;
    this.#clients = Array.from({ length: clients }, () => this.#ask());
  }

  async #ask(): Promise<void> {
    while (!this.#isEnough) {
      const response = await get(this.#site, "/pid");
      const pid = await response.text();
      assertEquals([response.status, /^\d+$/.test(pid)], [200, true], pid);
      this.pids.add(pid);
      this.count++;
      for (const watcher of this.#watchers) watcher();
    }
  }

  /** Waits until so many more requests have been answered. */
  more(count: number): Promise<void> {
    const until = this.count + count;
    return this.#until(() => this.count >= until, `${count} answers`);
  }

  /** Waits until somebody answers who has not yet. */
  another(): Promise<void> {
    const { size } = this.pids;
    return this.#until(() => this.pids.size > size, "another to answer");
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    const reached = Promise.withResolvers<void>();
    const watcher = () => {
      if (isSo()) reached.resolve();
    };
    this.#watchers.add(watcher);
    try {
      const all = Promise.all(this.#clients);
      await within(Promise.race([reached.promise, all]), what, 150_000);
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  /** Ends it; fails where one was not answered. */
  async end(): Promise<void> {
    this.#isEnough = true;
    await Promise.all(this.#clients);
  }
}

suiteWith([nginx], "Workers behind nginx", () => {
  it("answer each of 10,000 requests during ten reloads", async () => {
    await using folder = new Folder();
    const socket = `${folder.path}/app.sock`;
    await using group = await Group.start({
      args: ["--bind", socket, "--mode", "0666", "--workers", "2"],
    });
    await using site = await startServer(nginx, folder.path, {
      addresses: [socket],
    });
    const traffic = new Traffic(site);
    const { program } = group;
    for (let i = 0; i < 10; i++) {
      await traffic.more(100);
      program.lines.length = 0;
      program.signal("SIGHUP");
      await program.until(/^smisk: Reloaded 2 workers$/);
    }
    if (traffic.count < 10_000) await traffic.more(10_000 - traffic.count);
    await traffic.end();
    assertEquals(
      program.errors,
      Array(10).fill("smisk: Reloaded 2 workers"),
    );
    // Every worker there was has answered, or nearly.
    assert(traffic.pids.size > 11, `${traffic.pids.size} processes answered`);
  });
});

/** HAProxy that asks another server where one closes, as docs/workers.md says. */
const redispatching: WebServer = {
  ...haproxy,
  async configure(place, behind) {
    const args = await haproxy.configure(place, behind);
    const lines = /^```haproxy\n(.*?)^```$/ms.exec(
      Deno.readTextFileSync(new URL("../../docs/workers.md", import.meta.url)),
    )![1]!;
    const path = `${place.folder}/haproxy.cfg`;
    const shown = withValues(Deno.readTextFileSync(path), {
      "\nbackend hello\n": `\nbackend hello\n${lines}`,
    });
    Deno.writeTextFileSync(path, shown);
    return args;
  },
};

for (const webServer of [nginx, redispatching]) {
  suiteWith([webServer], `A stop behind ${webServer.name}`, () => {
    for (const workers of [0, 2]) {
      it(`of one of two instances${workers === 0 ? "" : " with workers"} fails no request`, async () => {
        await using folder = new Folder();
        const command = [
          Deno.execPath(),
          ..."run -A --no-check --no-prompt".split(" "),
          PROGRAM,
          ...workers === 0 ? [] : ["--workers", String(workers)],
        ];
        const addresses = ["one", "two"].map((name) =>
          `${folder.path}/${name}.sock`
        );
        await using one = await startApp(addresses[0]!, command);
        await using two = await startApp(addresses[1]!, command);
        await using site = await startServer(webServer, folder.path, {
          addresses,
        });
        const traffic = new Traffic(site);
        await traffic.more(300);
        one.signal("SIGTERM");
        assertEquals((await one.end()).code, 0);
        await traffic.more(300);
        await using again = await startApp(addresses[0]!, command);
        // A web server may take its time to find out that it is back.
        await traffic.another();
        two.signal("SIGTERM");
        assertEquals((await two.end()).code, 0);
        await traffic.more(300);
        await traffic.end();
        await again.stop();
      });
    }
  });
}
