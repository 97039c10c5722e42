// A program of its own for stop_queue_test.ts: its event loop stands still from
// a request for /block until a line comes on its standard input, and then it
// stops. What happens meanwhile, it finds in the queues of the system.

import { Application } from "../../mod.ts";

class Program extends Application {
  override service(): void {
    const { request, response } = this;
    if (request.url.pathname === "/block") {
      console.log("blocked");
      Deno.stdin.readSync(new Uint8Array(1));
      this.exit();
    }
    response.write("ok");
  }
}

const [path] = Deno.args;
const server = new Program().listen(
  path === undefined ? { hostname: "127.0.0.1", port: 0 } : { path },
);
console.log(`listening ${(server.addr as Deno.NetAddr).port}`);
await server.finished;
console.log(`served ${server.stats().served}`);
