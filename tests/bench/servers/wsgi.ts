// The WSGI-style hello.

import { Gateway } from "../../../mod.ts";
import type { StartResponse, WsgiEnvironment } from "../../../mod.ts";
import { serve } from "./address.ts";

function hello(_: WsgiEnvironment, startResponse: StartResponse) {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ["Hello World!"];
}

serve(new Gateway(hello));
