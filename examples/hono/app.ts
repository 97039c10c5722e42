// An application of Hono, which knows nothing of what serves it. Start it with:
//
//   deno run --allow-net examples/hono/app.ts
//
// It listens for FastCGI on 127.0.0.1:9000. With `--http` after it, a browser
// can see it on http://127.0.0.1:8080/ too.

import { Gateway } from "@smisk/smisk";
import { Hono } from "hono";
import { getConnInfo } from "hono/deno";

const app = new Hono();

app.get("/", (c) => c.html('<p>Say hello: <a href="/hello/you">you</a></p>'));
app.get("/hello/:name", (c) => c.text(`Hello ${c.req.param("name")}!`));
app.get("/whoami", (c) => c.json(getConnInfo(c).remote));

await new Gateway(app).run();
