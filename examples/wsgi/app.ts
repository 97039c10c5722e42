// A WSGI-style application (PEP 3333). Start it with:
//
//   deno run --allow-net examples/wsgi/app.ts
//
// It listens for FastCGI on 127.0.0.1:9000. With `--http` after it, a browser
// can see it on http://127.0.0.1:8080/ too. While it is developed, wrap it:
// `new Gateway(validator(helloApp))` tells whatever it does against the rules.

import { Gateway } from "@smisk/smisk";
import type { StartResponse, WsgiEnvironment } from "@smisk/smisk";

function helloApp(_env: WsgiEnvironment, startResponse: StartResponse) {
  startResponse("200 OK", [["Content-type", "text/plain"]]);
  return ["Hello, World!"];
}

await new Gateway(helloApp).run();
