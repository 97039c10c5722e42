// Several programs behind one web server, of which one goes: what its clients
// see of that.

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { DEADLINE_MS, within } from "../support/peer.ts";
import { Folder } from "./folder.ts";
import { startOn } from "./program.ts";
import { proxyFcgi } from "./servers/apache.ts";
import { caddy } from "./servers/caddy.ts";
import { haproxy } from "./servers/haproxy.ts";
import { lighttpd } from "./servers/lighttpd.ts";
import { nginx } from "./servers/nginx.ts";
import { get, startServer } from "./site.ts";
import type { Site } from "./site.ts";
import { suiteWith } from "./suite.ts";

const CLIENTS = 8;

/** Clients that ask, one request after another, until they are stopped. */
class Load implements AsyncDisposable {
  readonly #site: Site;
  readonly #clients: Promise<void>[];
  #isStopped = false;
  /** The process of each answer, in order; a status where it was none. */
  readonly answers: (number | string)[] = [];

  constructor(site: Site) {
    this.#site = site;
    this.#clients = Array.from({ length: CLIENTS }, () => this.#ask());
  }

  async #ask(): Promise<void> {
    while (!this.#isStopped) {
      const response = await get(this.#site, "/pid");
      const text = await response.text();
      this.answers.push(
        response.status === 200 ? Number(text) : `${response.status}`,
      );
    }
  }

  /** How many got no answer. */
  get failures(): number {
    return this.answers.filter((answer) => typeof answer === "string").length;
  }

  /** Waits until so many more are answered, and something holds for them. */
  async more(
    count: number,
    holds: (answers: readonly (number | string)[]) => boolean = () => true,
  ): Promise<void> {
    const from = this.answers.length;
    const end = Date.now() + DEADLINE_MS;
    for (;;) {
      const answers = this.answers.slice(from);
      if (answers.length >= count && holds(answers)) return;
      assert(Date.now() < end, `after ${answers.length}: ${answers.slice(-9)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await within(Promise.all(this.#clients), "the clients to stop");
  }
}

for (const webServer of [nginx, lighttpd, proxyFcgi, caddy, haproxy]) {
  suiteWith([webServer], `Two programs behind ${webServer.name}`, () => {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      it(`${signal} to one under load: the other answers, and both once it is back`, async () => {
        await using folder = new Folder();
        const addresses = ["a", "b"].map((name) => `${folder.path}/${name}`);
        await using stays = await startOn(addresses[0]!);
        await using goes = await startOn(addresses[1]!);
        const [one, other] = [stays.program.pid, goes.program.pid];
        await using site = await startServer(webServer, folder.path, {
          addresses,
        });
        await using load = new Load(site);
        await load.more(
          100,
          (answers) => answers.includes(one) && answers.includes(other),
        );
        assertEquals(load.failures, 0);

        await goes.program.stop(signal);
        await load.more(200, (answers) => answers.includes(one));
        // What was killed took with it what it was about to answer, at most;
        // what was stopped, nothing.
        const lost = load.failures;
        assert(lost <= (signal === "SIGKILL" ? CLIENTS : 0), `${lost} lost`);
        // Later than all that was under way then.
        const from = load.answers.length;
        await load.more(200);
        assertEquals(new Set(load.answers.slice(from)), new Set([one]));

        await using back = await startOn(addresses[1]!);
        await load.more(1, (answers) => answers.includes(back.program.pid));
        assertEquals(load.failures, lost);
      });
    }
  });
}
