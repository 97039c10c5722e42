// The hello of the README.

import { Application } from "../../../mod.ts";
import { serve } from "./address.ts";

class Hello extends Application {
  override service() {
    this.response.write("Hello World!");
  }
}

serve(new Hello());
