// Behind nginx, which keeps its connections over a Unix socket.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { isInstalled } from "../support/program.ts";
import { Relay } from "./relay.ts";
import { answersRequests, Pieces } from "./requests.ts";
import type { Live } from "./requests.ts";
import { Folder, get, startApp, startNginx, suiteName } from "./site.ts";

const suite = isInstalled("nginx") ? describe : describe.skip;

suite(suiteName("nginx", "Application behind nginx"), () => {
  let folder: Folder;
  let live: Live;

  beforeAll(async () => {
    folder = new Folder();
    const socket = `${folder.path}/app.sock`;
    const app = await startApp(socket);
    try {
      live = { app, site: await startNginx(folder.path, socket) };
    } catch (error) {
      await app.stop();
      throw error;
    }
  });

  afterAll(async () => {
    if (live !== undefined) {
      await live.site.server.stop();
      await live.app.stop();
    }
    await folder[Symbol.asyncDispose]();
  });

  answersRequests(() => live);
});

suite(suiteName("nginx", "Application behind nginx, in particular"), () => {
  it("keeps connections: 50 requests one after another need one", async () => {
    await using folder = new Folder();
    const { path } = folder;
    await using _app = await startApp(`${path}/app.sock`);
    await using relay = new Relay(`${path}/relay.sock`, `${path}/app.sock`);
    const site = await startNginx(path, `${path}/relay.sock`);
    await using _server = site.server;
    for (let i = 0; i < 50; i++) {
      const response = await get(site, "/");
      assertEquals(await response.text(), "Hello World!");
    }
    assertEquals(relay.accepted, 1);
  });

  it("SIGTERM lets what is under way finish, and nothing breaks off", async () => {
    await using folder = new Folder();
    const socket = `${folder.path}/app.sock`;
    await using app = await startApp(socket);
    const site = await startNginx(folder.path, socket);
    await using _server = site.server;

    const held = await Promise.all(
      Array.from(
        { length: 8 },
        async () => new Pieces(await get(site, "/hold")),
      ),
    );
    for (const pieces of held) await pieces.until("begun\n");

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

    for (const pieces of held) {
      assertEquals(await pieces.until(), "begun\ndone\n");
    }
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
