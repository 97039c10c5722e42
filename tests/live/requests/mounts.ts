// A program below a path of its own: which path that is, and what follows it,
// is the same however a web server divides them.

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { Folder } from "../folder.ts";
import { askRaw, jsonOf, requestLines } from "../http.ts";
import type { Live } from "../live.ts";
import {
  appCommand,
  PERMISSIONS,
  startApp,
  startedCommand,
} from "../program.ts";
import { startServer } from "../site.ts";

/** A target below the mount, and URL and PATH_INFO that come of it. */
const TARGETS: [target: string, url: string, path: string][] = [
  ["/app/", "/", "/"],
  ["/app/a", "/a", "/a"],
  ["/app/a/b/?c=d&e", "/a/b/?c=d&e", "/a/b/"],
  ["/app/a%20b", "/a%20b", "/a b"],
  ["/app/%C3%A9", "/%C3%A9", "/\u00e9"],
  ["/app/app/a", "/app/a", "/app/a"],
];

/** Registers the tests. */
export function mountsAreTakenOff(live: () => Live): void {
  it("a mount is taken off, however the web server tells of it", async () => {
    const { webServer } = live();
    const file = "mounted.ts";
    await using used = new AsyncDisposableStack();
    const { path } = used.use(new Folder());
    const socket = `${path}/app.sock`;
    const connects = webServer.shown === "connects";
    if (connects) {
      const command = appCommand({ file, permissions: PERMISSIONS.unix });
      used.use(await startApp(socket, command));
    }
    const permissions = PERMISSIONS.inherited;
    const { port } = used.use(
      await startServer(webServer, path, {
        mount: "/app",
        ...connects ? { addresses: [socket] } : {
          command: await startedCommand(webServer, path, { file, permissions }),
        },
      }),
    );
    for (const [target, url, info] of TARGETS) {
      const answer = await askRaw(
        port,
        requestLines(`GET ${target} HTTP/1.1`, [`Host: 127.0.0.1:${port}`]),
      );
      assertEquals(answer.status, 200, target);
      assertEquals(jsonOf(answer), {
        url: `http://127.0.0.1:${port}${url}`,
        script: "/app",
        path: info,
        query: target.split("?")[1] ?? "",
      }, target);
    }
  });
}
