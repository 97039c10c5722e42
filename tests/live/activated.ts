// A program for systemd's socket activation: the listening socket is
// descriptor 3.

import { Application } from "../../mod.ts";

class ActivatedApp extends Application {
  override service() {
    this.response.write("Hello World!");
  }
}

await new ActivatedApp().run({ bind: { fd: 3 } });
