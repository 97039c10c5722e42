// A program that is mounted below /app: it tells where it is, as a WSGI-style
// application is told.

import { Gateway } from "../../mod.ts";

const gateway: Gateway = new Gateway((env, startResponse) => {
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return [JSON.stringify({
    url: gateway.request.url.href,
    script: env.SCRIPT_NAME,
    path: env.PATH_INFO,
    query: env.QUERY_STRING,
  })];
}, { mount: "/app" });

await gateway.run();
