// Live: a web server with the program behind it, as the README has them.

import { Folder } from "./folder.ts";
import { startApp, startedCommand } from "./program.ts";
import { get, startServer } from "./site.ts";
import type { Site } from "./site.ts";
import type { WebServer } from "./web_server.ts";

/** A web server with the program. */
export class Live implements AsyncDisposable {
  readonly #used: AsyncDisposableStack;
  readonly webServer: WebServer;
  readonly site: Site;

  private constructor(
    used: AsyncDisposableStack,
    webServer: WebServer,
    site: Site,
  ) {
    this.#used = used;
    this.webServer = webServer;
    this.site = site;
  }

  /** Starts both. */
  static async start(webServer: WebServer): Promise<Live> {
    await using used = new AsyncDisposableStack();
    const { path } = used.use(new Folder());
    const socket = `${path}/app.sock`;
    if (webServer.shown === "connects") used.use(await startApp(socket));
    const behind = webServer.shown === "connects"
      ? { addresses: [socket] }
      : { command: await startedCommand(webServer, path) };
    // That it ends says as well that what it started has, with its outputs.
    const site = used.use(await startServer(webServer, path, behind));
    return new Live(used.move(), webServer, site);
  }

  /** Asks for a path. */
  ask(path: string, init?: RequestInit): Promise<Response> {
    return get(this.site, path, init);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#used[Symbol.asyncDispose]();
  }
}
