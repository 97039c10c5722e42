// A program that sends the files it is asked for, below the folder that FILES
// names, which the web servers of servers/ may send from as well.

import { Application } from "../../mod.ts";
import type { SendFileOptions } from "../../mod.ts";

const root = Deno.env.get("FILES")!;

class Downloads extends Application {
  override async service(): Promise<void> {
    const { request, response } = this;
    const { query } = request;
    const options: SendFileOptions = { root, handOver: !query.has("own") };
    const download = query.get("download");
    if (download !== null) options.download = download;
    const header = query.get("header");
    if (header !== null) response.headers.set("x-mine", header);
    if (query.has("cookie")) response.setCookie("a", "b");
    await response.sendFile(request.url, options);
  }
}

await new Downloads({
  handOver: {
    nginx: { [root]: "/protected/" },
    lighttpd: [root],
    apache: [root],
    caddy: { [root]: "/" },
    h2o: { [root]: `http://[unix:${root}.sock]/` },
  },
}).run();
