// The hello, with both every parameter decoded and the URL rebuilt.

import { Application } from "../../../mod.ts";
import { serve } from "./address.ts";

class EnvUrl extends Application {
  override service() {
    const { env, url } = this.request;
    const isRight = env.REQUEST_METHOD === "GET" &&
      url.pathname === "/articles/list";
    this.response.write(isRight ? "Hello World!" : "");
  }
}

serve(new EnvUrl());
