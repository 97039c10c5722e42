// Workers on a socket that their program was started with: by lighttpd, and by
// systemd's socket activation.

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { Folder } from "../live/folder.ts";
import { lighttpd } from "../live/servers/lighttpd.ts";
import { get, startServer } from "../live/site.ts";
import { suiteWith } from "../live/suite.ts";
import { denoCache } from "../live/web_server.ts";
import { Peer } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { gone } from "../support/processes.ts";
import { askOn, Group, PATIENCE_MS, PROGRAM } from "./group.ts";

const RUN = [Deno.execPath(), ..."run -A --no-check --no-prompt".split(" ")];

/** Nothing of an application, and where it listens is in its code. */
const ACTIVATED = `
  import { Application } from "@smisk/smisk";
  class Program extends Application {
    override service() {
      this.response.write(String(Deno.pid));
    }
  }
  await new Program().run({ bind: { fd: 3 }, workers: 2 });
`;

suiteWith([lighttpd], "Workers of a program that lighttpd starts", () => {
  it("share its socket, are replaced, and end with it", async () => {
    await using folder = new Folder();
    const site = await startServer(lighttpd, folder.path, {
      command: [...RUN, PROGRAM, "--workers", "2"],
    });
    let pid: number;
    try {
      pid = Number(await (await get(site, "/pid")).text());
      Deno.kill(pid, "SIGKILL");
      await gone(pid, PATIENCE_MS);
      // The other, or the next: lighttpd has nothing to do with it.
      const next = await get(site, "/pid");
      const other = Number(await next.text());
      assertEquals(next.status, 200);
      assert(other > 0 && other !== pid);
      pid = other;
    } finally {
      await site[Symbol.asyncDispose]();
    }
    await gone(pid, PATIENCE_MS);
  });
});

suiteWith(
  ["systemd-socket-activate"],
  "Workers of a program that systemd's socket activation starts",
  () => {
    it("share descriptor 3, which the next program has as well", async () => {
      await using folder = new Folder();
      const path = `${folder.path}/app.sock`;
      const main = `${folder.path}/main.ts`;
      await Deno.writeTextFile(main, ACTIVATED);
      const config = new URL("../../deno.json", import.meta.url).pathname;
      const program = new Program("systemd-socket-activate", {
        args: [
          `--listen=${path}`,
          `--setenv=DENO_DIR=${await denoCache()}`,
          ...[...RUN, "--config", config, main],
        ],
      });
      await using _ = program;
      await program.until(/Listening on /);
      // It is started by the first connection, which waits for it.
      using peer = await Peer.connect({ path });
      const asked = askOn(peer);
      const group = await Group.of(program);
      assert(Number(await asked) > 0);
      peer.close();
      await group.ask("/", { path });
      assertEquals((await program.stop()).code, 0);
      assert((await Deno.lstat(path)).isSocket);
    });
  },
);
