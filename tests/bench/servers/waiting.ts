// Requests that wait, as for a database, once their response has begun.

import { Application } from "../../../mod.ts";
import { serve } from "./address.ts";

class Waiting extends Application {
  override async service() {
    await this.response.write("Hello ");
    await this.response.flush();
    await new Promise(() => {});
  }
}

serve(new Waiting());
