// A program for tests of several processes: an application whose sessions are
// in a store that others use as well. Its arguments are the kind of store and
// where that is. `write` in place of an application writes without end.

import { Application } from "@smisk/smisk";
import type { SessionStore } from "@smisk/smisk";
import { FileSessionStore } from "@smisk/smisk/sessions/file";
import { KvSessionStore } from "@smisk/smisk/sessions/kv";
import { RedisSessionStore } from "@smisk/smisk/sessions/redis";

/** Opens a store. */
function open(kind: string, place: string): SessionStore {
  if (kind === "files") return new FileSessionStore({ directory: place });
  if (kind === "KV") return new KvSessionStore({ path: place });
  return new RedisSessionStore({ url: place });
}

class Program extends Application {
  override async service(): Promise<void> {
    const { request, response } = this;
    const session = await request.session();
    const { pathname, searchParams } = request.url;
    switch (pathname) {
      case "/set":
        for (const [key, value] of searchParams) session.set(key, value);
        break;
      case "/get":
        for (const key of searchParams.keys()) {
          response.write(`${session.get(key)}\n`);
        }
        break;
      case "/update":
        await session.update<number>("n", (n = 0) => n + 1);
        break;
      case "/increase":
        session.set("n", (session.get<number>("n") ?? 0) + 1);
        break;
      case "/regenerate":
        await session.regenerate();
        break;
      case "/destroy":
        await session.destroy();
        break;
    }
  }
}

const [kind = "", place = "", id] = Deno.args;
const store = open(kind, place);
if (id === undefined) {
  const bind = { hostname: "127.0.0.1", port: 0 };
  await new Program({ sessions: store }).run({ bind });
} else {
  // Values of one letter, so that half of one and half of another shows.
  for (let i = 0;; i++) {
    const value = JSON.stringify("ab"[i % 2]!.repeat(30_000));
    const changes = new Map([["value", { value }]]);
    const result = await store.write(id, { from: id, changes });
    console.log(`${result} ${i}`);
  }
}
