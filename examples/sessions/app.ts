// A login, and a counter of visits, in sessions that outlive the program.
// Start it with:
//
//   deno run --allow-net --allow-env=SESSIONS --allow-read --allow-write \
//     examples/sessions/app.ts
//
// It listens for FastCGI on 127.0.0.1:9000. SESSIONS names the directory they
// are kept in, `sessions` in the working directory by default: any number of
// processes may share it.

import { Application, HttpError } from "@smisk/smisk";
import { FileSessionStore } from "@smisk/smisk/sessions/file";

class Members extends Application {
  constructor() {
    const directory = Deno.env.get("SESSIONS") ?? "sessions";
    super({ sessions: new FileSessionStore({ directory, ttl: 3600 }) });
  }

  override async service() {
    const { request, response } = this;
    response.headers.set("content-type", "text/plain; charset=utf-8");
    const { pathname } = request.url;
    if (pathname === "/") return await this.#greet();
    // What changes something is no link that somebody else can make.
    if (request.method !== "POST") throw new HttpError(405, "Send a form");
    const session = await request.session();
    if (pathname === "/login") {
      const { fields } = await request.form();
      const name = fields.get("name") ?? "";
      if (!/^\w{1,20}$/.test(name)) throw new HttpError(400, "Who are you?");
      // Whoever knew the id before must not be logged in with it.
      await session.regenerate();
      session.set("name", name);
    } else if (pathname === "/logout") {
      await session.destroy();
    } else {
      throw new HttpError(404, "There is no such page");
    }
    response.redirect("/", 303);
  }

  async #greet() {
    const session = await this.request.session();
    const visits = await session.update<number>("visits", (n = 0) => n + 1);
    const name = session.get("name") ?? "stranger";
    this.response.write(`Hello ${name}, this is visit ${visits}.\n`);
  }
}

await new Members().run();
