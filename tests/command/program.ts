// A program for the tests of run(): what it does is in the path asked for.

import { Application } from "@smisk/smisk";

class Program extends Application {
  override async service(): Promise<void> {
    const { request, response } = this;
    switch (request.url.pathname) {
      case "/wait":
        // Until told to go on by another request, or given up.
        await response.write("waiting");
        await response.flush();
        await Promise.race([this.#goOn.promise, aborted(request.signal)]);
        response.write(" over");
        break;
      case "/go-on":
        this.#goOn.resolve();
        break;
      case "/until-signal": {
        const signalled = Promise.withResolvers<void>();
        Deno.addSignalListener("SIGTERM", signalled.resolve);
        await response.write("waiting");
        await response.flush();
        await signalled.promise;
        Deno.removeSignalListener("SIGTERM", signalled.resolve);
        response.write(" over");
        break;
      }
      case "/forever":
        // Deaf to its signal.
        console.error("Forever has begun");
        setInterval(() => {}, 1000);
        await new Promise(() => {});
        break;
      case "/end":
        // Once it is answered, and in a way that nothing can wait for.
        setTimeout(() => {
          switch (Deno.env.get("END")) {
            case "exit":
              Deno.exit(0);
              break;
            case "throw":
              throw new Error("on purpose");
            default:
              Promise.reject(new Error("on purpose"));
          }
        }, 100);
        break;
      case "/exit":
        this.exit();
        response.write("exiting");
        break;
      default:
        response.write(`${request.method} ${request.url.pathname}`);
    }
  }

  readonly #goOn = Promise.withResolvers<void>();

  override applicationWillStart(): void {
    if (Deno.env.get("FAIL") === "start") throw new Error("on purpose");
  }

  override applicationDidStop(): void {
    console.log("applicationDidStop");
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve())
  );
}

await new Program().run();
console.log("after run()");
