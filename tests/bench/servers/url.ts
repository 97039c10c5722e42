// The hello, with the URL rebuilt from the parameters.

import { Application } from "../../../mod.ts";
import { serve } from "./address.ts";

class Url extends Application {
  override service() {
    const { pathname } = this.request.url;
    this.response.write(pathname === "/articles/list" ? "Hello World!" : "");
  }
}

serve(new Url());
