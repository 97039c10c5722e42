// A body of one megabyte, written at once.

import { Application } from "../../../mod.ts";
import { serve } from "./address.ts";

const body = new Uint8Array(1_000_000).fill(0x78);

class Download extends Application {
  override service() {
    this.response.write(body);
  }
}

serve(new Download());
