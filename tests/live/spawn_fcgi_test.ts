// Started by spawn-fcgi, with the listening socket as descriptor 0.

import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Peer } from "../support/peer.ts";
import type { Target } from "../support/peer.ts";
import { isInstalled, Program } from "../support/program.ts";
import { request } from "../support/wire.ts";
import { appCommand, Folder, PERMISSIONS, suiteName } from "./site.ts";

const suite = isInstalled("spawn-fcgi") ? describe : describe.skip;

async function asks(listen: string[], target: Target): Promise<void> {
  // With -n it becomes the program, once the socket listens.
  const spawned = new Program("spawn-fcgi", {
    args: [...listen, "-n", "--", ...appCommand(PERMISSIONS.inherited)],
  });
  try {
    await spawned.until(/./);
    using peer = await Peer.connect(target);
    for (let i = 0; i < 3; i++) {
      const answer = await peer.ask(request());
      assertEquals([answer.status, answer.text], [200, "Hello World!"]);
    }
    peer.close();
    const status = await spawned.stop("SIGTERM");
    assertEquals([status.code, status.signal], [0, null]);
  } finally {
    await spawned.stop();
  }
}

suite(suiteName("spawn-fcgi", "Application started by spawn-fcgi"), () => {
  it("serves on an inherited Unix socket", async () => {
    await using folder = new Folder();
    const path = `${folder.path}/app.sock`;
    await asks(["-s", path], { path });
  });

  it("serves on an inherited TCP socket", async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    await asks(["-a", "127.0.0.1", "-p", String(port)], {
      hostname: "127.0.0.1",
      port,
    });
  });
});
