// One of several programs, on one machine or on many, behind one HAProxy: GET
// counts the visits of a session, POST its orders, and both say which of the
// programs answered. The sessions are in Redis, so that it does not matter
// which. README.md beside it says how to start it.
//
// INSTANCE names the program, REDIS says where Redis is.

import { Application, HttpError } from "@smisk/smisk";
import { RedisSessionStore } from "@smisk/smisk/sessions/redis";

const instance = Deno.env.get("INSTANCE") ?? "one";
const url = Deno.env.get("REDIS") ?? "redis://127.0.0.1:6379";

class Counter extends Application {
  constructor() {
    // Rather late than not at all: HAProxy waits for twice as long.
    super({ sessions: new RedisSessionStore({ url, timeoutMs: 30_000 }) });
  }

  override async service() {
    const { request, response } = this;
    if (request.url.pathname !== "/") throw new HttpError(404, "Nothing here");
    const key = request.method === "POST" ? "orders" : "visits";
    const session = await request.session();
    const count = await session.update<number>(key, (n = 0) => n + 1);
    response.json({ instance, pid: Deno.pid, [key]: count });
  }
}

await new Counter().run();
