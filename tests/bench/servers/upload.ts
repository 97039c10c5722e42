// A body read whole into memory.

import { Application } from "../../../mod.ts";
import { serve } from "./address.ts";

class Upload extends Application {
  override async service() {
    const { response } = this;
    const body = await this.request.bytes();
    await response.write(body.length === 1_000_000 ? "Hello World!" : "");
  }
}

serve(new Upload());
