// The web-standard hello, over FastCGI or, with --http, on `Deno.serve`.

import { Gateway } from "../../../mod.ts";
import { serve, serveHttp } from "./address.ts";

const handler = () => new Response("Hello World!");

if (Deno.args.includes("--http")) serveHttp(handler);
else serve(new Gateway({ fetch: handler }));
