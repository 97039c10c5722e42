// Guarded: a web server that asks an Authorizer about what is below `/guarded/`,
// and the program for the rest.

import { Folder } from "./folder.ts";
import { FREE_PORT, startedCommand, startOn } from "./program.ts";
import type { App } from "./program.ts";
import { startServer } from "./site.ts";
import type { Site } from "./site.ts";
import type { WebServer } from "./web_server.ts";

/** A web server with an Authorizer. */
export interface Guarded extends AsyncDisposable {
  readonly site: Site;
  /** The Authorizer, where the web server does not start it. */
  readonly authorizer: App | null;
}

/** Starts both. */
export async function startGuarded(
  webServer: WebServer,
): Promise<Guarded> {
  await using used = new AsyncDisposableStack();
  const { path } = used.use(new Folder());
  const { connects, asksAuthorizer } = webServer;
  let authorizer: App | null = null;
  if (asksAuthorizer === "TCP") authorizer = await startOn(FREE_PORT);
  if (asksAuthorizer === "Unix") authorizer = await startOn(`${path}/auth`);
  used.use(authorizer);
  const app = used.use(connects ? await startOn(`${path}/app`) : null);
  const site = used.use(
    await startServer(webServer, path, {
      authorizer: authorizer?.address ?? "",
      ...app === null
        ? { command: await startedCommand(webServer, path) }
        : { addresses: [app.address] },
    }),
  );
  const all = used.move();
  return {
    site,
    authorizer,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
