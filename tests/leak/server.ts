// The server under the leak check, in a process of its own: it listens on the
// Unix socket and the TCP port it prints, and tells its memory when asked.

import { Application } from "../../src/application.ts";

class App extends Application {
  override async service() {
    const { pathname } = this.request.url;
    switch (pathname) {
      case "/memory":
        this.response.json(await memory());
        return;
      case "/body":
        this.response.write(await this.request.bytes());
        return;
      case "/wait":
        await new Promise((resolve) =>
          this.request.signal.addEventListener("abort", resolve)
        );
        return;
      case "/endless":
        for (;;) {
          await this.response.write(new Uint8Array(64 * 1024));
        }
    }
    this.response.write(`Hello ${this.request.method}`);
  }
}

/** Memory after all that can be collected was. */
async function memory(): Promise<Record<string, number>> {
  const { gc } = globalThis as unknown as { gc(): void };
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    gc();
  }
  const { rss, heapUsed, external } = Deno.memoryUsage();
  return { rss, heapUsed, external };
}

const app = new App();
app.listen({ path: Deno.args[0]! });
const { addr } = app.listen({ hostname: "127.0.0.1", port: 0 });
console.log((addr as Deno.NetAddr).port);
