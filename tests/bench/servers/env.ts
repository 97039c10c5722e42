// The hello, with every parameter decoded.

import { Application } from "../../../mod.ts";
import { serve } from "./address.ts";

class Env extends Application {
  override service() {
    const { env } = this.request;
    this.response.write(env.REQUEST_METHOD === "GET" ? "Hello World!" : "");
  }
}

serve(new Env());
