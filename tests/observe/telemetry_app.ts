// A program for the tests of telemetry: what it does is in the path asked for.

import { Application } from "@smisk/smisk";

interface Api {
  trace: {
    getTracer(name: string): {
      startSpan(name: string): { end(): void };
    };
  };
}

class Traced extends Application {
  override async service(): Promise<void> {
    const { request, response } = this;
    switch (request.url.pathname) {
      case "/child": {
        await new Promise((resolve) => setTimeout(resolve, 1));
        const key = Symbol.for("opentelemetry.js.api.1");
        const api = (globalThis as unknown as Record<symbol, Api>)[key]!;
        api.trace.getTracer("app").startSpan("child").end();
        response.write("child");
        break;
      }
      case "/throw":
        throw new Error("on purpose");
      case "/wait": {
        const aborted = new Promise((resolve) =>
          request.signal.addEventListener("abort", resolve)
        );
        response.write("begun");
        await response.flush();
        await aborted;
        break;
      }
      default:
        response.write("hello");
    }
  }
}

await new Traced().run();
