// Files for those who may have them: the program decides, the web server sends.
// Start it with:
//
//   deno run --allow-net --allow-read examples/sendfile/app.ts
//
// It listens for FastCGI on 127.0.0.1:9000. nginx and lighttpd, configured as
// their files here say, are handed the file's name; for any other web server
// the program sends the file itself.

import { Application, HttpError } from "@smisk/smisk";

const FILES = new URL("files", import.meta.url);

class Files extends Application {
  constructor() {
    super({
      handOver: {
        nginx: { [FILES.pathname]: "/protected/" },
        lighttpd: [FILES.pathname],
      },
    });
  }

  override async service() {
    const { request, response } = this;
    // A question of yours: who asks, and for what.
    if (request.query.get("key") !== "sesame") {
      throw new HttpError(403, "Say the magic word: ?key=sesame");
    }
    await response.sendFile(request.url, { root: FILES });
  }
}

await new Files().run();
