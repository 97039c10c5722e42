// Behind lighttpd, which starts the program itself, with the listening socket
// as descriptor 0.

import { assert, assertEquals } from "@std/assert";
import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { DEADLINE_MS } from "../support/peer.ts";
import { isInstalled } from "../support/program.ts";
import { answersRequests, Pieces } from "./requests.ts";
import { Folder, get, startLighttpd, suiteName } from "./site.ts";
import type { Site } from "./site.ts";

const suite = isInstalled("lighttpd") ? describe : describe.skip;

suite(suiteName("lighttpd", "Application started by lighttpd"), () => {
  let folder: Folder;
  let site: Site;

  beforeAll(async () => {
    folder = new Folder();
    site = await startLighttpd(folder.path);
  });

  afterAll(async () => {
    // That it ends says as well that the program has: it shares its output.
    await site?.server.stop();
    await folder[Symbol.asyncDispose]();
  });

  answersRequests(() => ({ site, app: site.server }));

  it("SIGTERM to the program lets what is under way finish", async () => {
    const pid = await (await get(site, "/pid")).text();
    const held = await Promise.all(
      Array.from(
        { length: 8 },
        async () => new Pieces(await get(site, "/hold")),
      ),
    );
    for (const pieces of held) await pieces.until("begun\n");
    Deno.kill(Number(pid), "SIGTERM");
    for (const pieces of held) {
      assertEquals(await pieces.until(), "begun\ndone\n");
    }

    // lighttpd starts another one on the same socket.
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const response = await get(site, "/pid");
      const text = await response.text();
      if (response.status === 200 && text !== pid) break;
      assert(Date.now() < deadline, `still ${response.status} ${text}`);
    }
  });
});
