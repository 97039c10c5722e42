// A program that takes one upload: what becomes of it is in the query.

import { Application } from "../../mod.ts";

class Program extends Application {
  override async service(): Promise<void> {
    const { request, response } = this;
    const { query } = request;
    // Once it is answered.
    if (query.has("exit")) this.exit();
    const directory = query.get("directory");
    const form = await request.form(directory ? { directory } : {});
    const file = form.files.get("f");
    if (file === null) {
      response.json([...form.fields]);
      return;
    }
    const { path } = file;
    if (query.has("stream")) {
      await new Response(file.stream()).text();
    }
    const to = query.get("move");
    if (to !== null) await file.move(to);
    const { rss } = Deno.memoryUsage();
    response.json({ path, size: file.size, rss });
  }
}

await new Program().run();
