// Workers behind real web servers: reloads and stops of which no client sees
// anything.

import { assertEquals } from "@std/assert";
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

  /** Waits until a certain process answers. */
  from(isIt: (pid: number) => boolean): Promise<void> {
    const asked = new Set<string>();
    const isNew = (pid: string) => !asked.has(pid) && asked.add(pid);
    const isSo = () =>
      [...this.pids].filter(isNew).some((pid) => isIt(Number(pid)));
    return this.#until(isSo, "a certain process to answer");
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

/** What started a process; null where it has ended. */
function parentOf(pid: number): number | null {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return Number(/\) \S (\d+) /.exec(stat)![1]);
  } catch {
    return null;
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
    // The last ones serve by now, or will soon.
    const { reloads, workers } = await group.status();
    assertEquals(reloads, 10);
    const last = workers.filter(({ state }) => state === "ready");
    assertEquals(last.length, 2);
    await traffic.from((pid) => last.some((worker) => worker.pid === pid));
    await traffic.end();
    assertEquals(
      program.errors,
      Array(10).fill("smisk: Reloaded 2 workers"),
    );
  });

  it("answer each POST or have not seen it, during reloads", async () => {
    await using folder = new Folder();
    const socket = `${folder.path}/app.sock`;
    const seen = `${folder.path}/seen`;
    await using group = await Group.start({
      args: ["--bind", socket, "--mode", "0666", "--workers", "2"],
      env: { SEEN: seen },
    });
    await using site = await startServer(nginx, folder.path, {
      addresses: [socket],
    });
    const answered: string[] = [];
    const failed: string[] = [];
    let isEnough = false;
    let sent = 0;
    const clients = Array.from({ length: 8 }, async () => {
      while (!isEnough) {
        const body = String(sent++);
        const response = await get(site, "/post", { method: "POST", body });
        const text = await response.text();
        if (response.status === 200 && text === body) answered.push(body);
        else {
          // nginx repeats no POST: it tells that it got no answer.
          assertEquals(response.status, 502, text);
          failed.push(body);
        }
      }
    });
    for (let i = 0; i < 5; i++) {
      group.program.lines.length = 0;
      group.program.signal("SIGHUP");
      const reloaded = group.program.until(/^smisk: Reloaded 2 workers$/);
      await Promise.race([reloaded, Promise.all(clients)]);
    }
    isEnough = true;
    await Promise.all(clients);
    await group.program.stop();
    const served = Deno.readTextFileSync(seen).trimEnd().split("\n");
    assertEquals(served.sort(), answered.sort());
    assertEquals(answered.length + failed.length, sent);
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
        await traffic.from((pid) =>
          pid === again.pid || parentOf(pid) === again.pid
        );
        two.signal("SIGTERM");
        assertEquals((await two.end()).code, 0);
        await traffic.more(300);
        await traffic.end();
        await again.stop();
      });
    }
  });
}
