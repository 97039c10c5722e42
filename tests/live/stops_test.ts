// A stop of the program while web servers use it.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { it } from "@std/testing/bdd";
import { DEADLINE_MS } from "../support/peer.ts";
import { Control, saying } from "./control.ts";
import type { Line } from "./control.ts";
import { Folder } from "./folder.ts";
import { Pieces } from "./pieces.ts";
import { appCommand, PERMISSIONS, startApp } from "./program.ts";
import { lighttpd } from "./servers/lighttpd.ts";
import { nginx } from "./servers/nginx.ts";
import { get, startServer } from "./site.ts";
import type { Site } from "./site.ts";
import { suiteWith } from "./suite.ts";

/** Requests that have begun, and end once a stop was asked for. */
class Held implements Disposable {
  readonly #control = new Control();
  readonly #lines: Line[] = [];
  readonly #pieces: Pieces[] = [];

  /** Begins so many. */
  static async begin(site: Site, count: number): Promise<Held> {
    const held = new Held();
    const path = `/hold?${held.#control.query}`;
    for (let i = 0; i < count; i++) {
      const asked = get(site, path);
      held.#lines.push(await held.#control.line());
      const pieces = new Pieces(await asked);
      await pieces.until("begun\n");
      held.#pieces.push(pieces);
    }
    return held;
  }

  /** Waits until they know of the stop, and lets them end: all of them do. */
  async end(): Promise<void> {
    for (const line of this.#lines) {
      assertEquals(await saying(line, "that it stops"), "stopping");
    }
    for (const [i, line] of this.#lines.entries()) {
      await line.say("go on");
      assertEquals(await this.#pieces[i]!.until(), "begun\ndone\n");
    }
  }

  [Symbol.dispose](): void {
    this.#control[Symbol.dispose]();
  }
}

suiteWith([nginx], "A stop of the program behind nginx", () => {
  it("lets what is under way finish, and nothing breaks off", async () => {
    await using folder = new Folder();
    const socket = `${folder.path}/app.sock`;
    await using app = await startApp(socket);
    await using site = await startServer(nginx, folder.path, {
      addresses: [socket],
    });
    using held = await Held.begin(site, 8);

    // Until the stop, and past it, others come and go.
    let isStopped = false;
    const answered: number[] = [];
    const traffic = Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 100_000; i++) {
        const wasStopped = isStopped;
        const response = await get(site, "/");
        const text = await response.text();
        if (response.status === 200) assertEquals(text, "Hello World!");
        else {
          assert(isStopped, `status ${response.status} before the stop`);
          assertEquals(response.status, 502);
        }
        answered.push(response.status);
        if (wasStopped) return;
      }
      throw new Error("the stop never came");
    });
    await get(site, "/").then((response) => response.text());
    isStopped = true;
    app.signal("SIGTERM");

    await held.end();
    await Promise.all(traffic);
    assert(answered.includes(200), `answered ${answered}`);
    const status = await app.status;
    assertEquals([status.code, status.signal], [0, null]);
    await assertRejects(() => Deno.lstat(socket), Deno.errors.NotFound);
    const late = await get(site, "/");
    assertEquals(late.status, 502);
    await late.body?.cancel();
  });
});

suiteWith([lighttpd], "A stop of the program started by lighttpd", () => {
  it("lets what is under way finish, and another one starts", async () => {
    await using folder = new Folder();
    await using site = await startServer(lighttpd, folder.path, {
      command: appCommand({ permissions: PERMISSIONS.inherited }),
    });
    const pid = await (await get(site, "/pid")).text();
    using held = await Held.begin(site, 8);
    Deno.kill(Number(pid), "SIGTERM");
    await held.end();
    assert(await anotherThan(site, [pid]) !== pid);
  });
});

/** The process that answers next, once it is none of these. */
async function anotherThan(
  site: Site,
  known: readonly string[],
): Promise<string> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const response = await get(site, "/pid");
    const pid = await response.text();
    if (response.status === 200 && !known.includes(pid)) return pid;
    assert(Date.now() < deadline, `still ${response.status} ${pid}`);
  }
}
