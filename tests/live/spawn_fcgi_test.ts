// Started by spawn-fcgi, with the listening socket as descriptor 0.

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { Peer } from "../support/peer.ts";
import type { Target } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { request } from "../support/wire.ts";
import { Folder } from "./folder.ts";
import { appCommand, PERMISSIONS } from "./program.ts";
import { freePorts } from "./site.ts";
import { suiteWith } from "./suite.ts";

async function asks(listen: string[], target: Target): Promise<void> {
  // With -n it becomes the program, once the socket listens.
  const spawned = new Program("spawn-fcgi", {
    args: [
      ...listen,
      "-n",
      "--",
      ...appCommand({ permissions: PERMISSIONS.inherited }),
    ],
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

suiteWith(["spawn-fcgi"], "Application started by spawn-fcgi", () => {
  it("serves on an inherited Unix socket", async () => {
    await using folder = new Folder();
    const path = `${folder.path}/app.sock`;
    await asks(["-s", path], { path });
  });

  it("serves on an inherited TCP socket", async () => {
    const [port] = freePorts(1) as [number];
    await asks(["-a", "127.0.0.1", "-p", String(port)], {
      hostname: "127.0.0.1",
      port,
    });
  });
});
