// The hello of Hono, over FastCGI or, with --http, on `Deno.serve`.

import { Hono } from "hono";
import { Gateway } from "../../../mod.ts";
import { serve, serveHttp } from "./address.ts";

const app = new Hono();
app.get("/articles/:name", (c) => c.text("Hello World!"));

if (Deno.args.includes("--http")) serveHttp(app.fetch);
else serve(new Gateway(app));
