// The smallest application. Start it with:
//
//   deno run --allow-net examples/hello.ts
//
// It listens for FastCGI on 127.0.0.1:9000. With `--http` after it, a browser
// can see it on http://127.0.0.1:8080/ too.

import { Application } from "@smisk/smisk";

class MyApp extends Application {
  override service() {
    this.response.write("Hello World!");
  }
}

await new MyApp().run();
