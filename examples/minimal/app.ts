// An application with all that most need. Start it with:
//
//   deno run --allow-net examples/minimal/app.ts
//
// It listens for FastCGI on 127.0.0.1:9000. With `--http` after it, a browser
// can see it on http://127.0.0.1:8080/ too.

import { Application, HttpError } from "@smisk/smisk";

class Minimal extends Application {
  #served = 0;

  override service() {
    const { request, response } = this;
    if (request.url.pathname !== "/") {
      throw new HttpError(404, "There is no such page");
    }
    response.headers.set("content-type", "text/plain; charset=utf-8");
    response.write(`Hello ${request.remoteAddr}!\n`);
    response.write(`You are number ${++this.#served}.\n`);
  }
}

await new Minimal().run();
