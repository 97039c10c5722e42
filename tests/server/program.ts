// A program of its own for process_test.ts: an application that listens on a
// free port, which it prints, and does as its argument says.

import { Application } from "../../mod.ts";

class Program extends Application {
  override service(): void | Promise<void> {
    const { request, response } = this;
    switch (request.url.pathname) {
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

const server = new Program().listen({ hostname: "127.0.0.1", port: 0 });
console.log((server.addr as Deno.NetAddr).port);
if (Deno.args[0] === "unref") server.unref();
if (Deno.args[0] === "ref") {
  server.unref();
  server.ref();
}
