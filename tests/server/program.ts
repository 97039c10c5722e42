// A program of its own: an application that listens on a free port, which it
// prints, or on a Unix socket, and does as its arguments say.

import { Application } from "../../mod.ts";
import { InheritedListener } from "../../src/server/inherited.ts";
import { serveOn } from "../../src/server/server.ts";

class Program extends Application {
  override service(): void | Promise<void> {
    const { request, response } = this;
    switch (request.url.pathname) {
      case "/echo":
        return request.bytes().then((bytes) => response.write(bytes));
      case "/forgetful":
        // Nothing of this is awaited, and all of it will fail.
        request.signal.addEventListener("abort", () => {
          response.write("late");
          response.flush();
          response.writeLines(["late"]);
        });
        response.write("x".repeat(10_000_000));
        response.writeLines(["x".repeat(10_000_000)]);
        response.flush();
        return new Promise(() => {});
      case "/unref":
        server.unref();
        break;
      case "/unref_ref":
        server.unref();
        server.ref();
        break;
      case "/wait":
        return new Promise(() => {});
    }
    response.write("ok");
  }
}

const [argument, path] = Deno.args;
const app = new Program();
const inherited = argument === "net"
  ? new InheritedListener(
    path ? { path } : { host: "127.0.0.1", port: 0 },
    "a socket",
  )
  : null;
await inherited?.ready;
const server = inherited !== null
  ? app[serveOn](inherited)
  : app.listen(path ? { path } : { hostname: "127.0.0.1", port: 0 });
console.log((server.addr as Deno.NetAddr | null)?.port ?? 0);
if (argument === "unref") server.unref();
if (argument === "ref") {
  server.unref();
  server.ref();
}
