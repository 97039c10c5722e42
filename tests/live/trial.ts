// Trial: what finds a web server's features out, for the README's table.

import { DEADLINE_MS, within } from "../support/peer.ts";
import { Folder } from "./folder.ts";
import type { Live } from "./live.ts";
import { startApp, startedCommand } from "./program.ts";
import { Relay } from "./relay.ts";
import { startServer } from "./site.ts";
import type { Site } from "./site.ts";
import type { WebServer } from "./web_server.ts";

/** A web server whose records are seen. */
export interface Wired {
  readonly site: Site;
  readonly relay: Relay;
}

/** A web server that is tried. */
export class Trial implements AsyncDisposable {
  readonly #used = new AsyncDisposableStack();
  #wired: Promise<Wired> | null = null;
  readonly live: Live;
  /** Milliseconds to wait for what may never happen. */
  hopeMs = DEADLINE_MS;

  constructor(live: Live) {
    this.live = live;
  }

  get webServer(): WebServer {
    return this.live.webServer;
  }

  /** The web server again, with a relay between it and the program. */
  wired(): Promise<Wired> {
    return this.#wired ??= this.#wire();
  }

  async #wire(): Promise<Wired> {
    const { webServer } = this;
    const { path } = this.#used.use(new Folder());
    const socket = `${path}/app.sock`;
    this.#used.use(await startApp(socket));
    const relay = this.#used.use(new Relay(`${path}/relay.sock`, socket));
    const behind = webServer.connects ? { addresses: [relay.path] } : {
      command: await startedCommand(webServer, path, {
        file: "forward.ts",
        permissions: ["--allow-all"],
        args: [relay.path],
      }),
    };
    const site = this.#used.use(await startServer(webServer, path, behind));
    return { site, relay };
  }

  /** What a promise gives, or null where hope is lost. */
  async hope<T>(promise: Promise<T>): Promise<T | null> {
    const { promise: lost, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(resolve, this.hopeMs, null);
    promise.catch(() => {});
    try {
      return await Promise.race([promise, lost]);
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await within(this.#used.disposeAsync(), "what was tried to end");
  }
}
