// The hello with an `async` service, which goes on in a later microtask.

import { Application } from "../../../mod.ts";
import { serve } from "./address.ts";

class AsyncHello extends Application {
  override async service() {
    await null;
    await this.response.write("Hello World!");
  }
}

serve(new AsyncHello());
