// The web-standard hello, over FastCGI or, with --http, on `Deno.serve`. With
// --request the handler takes its Request, which is made then by both.

import { Gateway } from "../../../mod.ts";
import { serve, serveHttp } from "./address.ts";

const handler = Deno.args.includes("--request")
  ? (_request: Request) => new Response("Hello World!")
  : () => new Response("Hello World!");

if (Deno.args.includes("--http")) serveHttp(handler);
else serve(new Gateway({ fetch: handler }));
