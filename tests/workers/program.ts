// A program for the tests of workers: what it does is in the path asked for,
// and how it is set up in its environment.

import process from "node:process";
import { Application } from "../../mod.ts";

function numberOf(name: string): Record<string, number> {
  const text = Deno.env.get(name);
  return text === undefined ? {} : { [name]: Number(text) };
}

/** Waits until a test closes the connection. */
async function waitAt(port: number): Promise<void> {
  using connection = await Deno.connect({ port });
  await connection.write(new TextEncoder().encode(String(Deno.pid)));
  await connection.read(new Uint8Array(1));
}

class Program extends Application {
  #goOn = Promise.withResolvers<void>();

  constructor() {
    super({
      statusPath: "/status",
      ...numberOf("maxRequests"),
      ...numberOf("stuckTimeoutMs"),
      ...numberOf("startTimeoutMs"),
      ...numberOf("shutdownTimeoutMs"),
    });
  }

  override async service(): Promise<void> {
    const { request, response } = this;
    switch (request.url.pathname) {
      case "/wait":
        // Until told to go on, by another request to this very process.
        await response.write("waiting");
        await response.flush();
        await this.#goOn.promise;
        response.write(" over");
        return;
      case "/go-on":
        this.#goOn.resolve();
        this.#goOn = Promise.withResolvers();
        break;
      case "/exit":
        Deno.exit(7);
        break;
      case "/throw":
        setTimeout(() => {
          throw new Error("on purpose");
        });
        await new Promise(() => {});
        break;
      case "/memory": {
        const all: unknown[] = [];
        for (;;) all.push(new Array(100_000).fill(all.length));
      }
      case "/loop":
        for (;;);
      case "/spin": {
        const end = performance.now() + 100;
        while (performance.now() < end);
        break;
      }
      case "/version":
        response.write(String((globalThis as { version?: string }).version));
        return;
      case "/post": {
        const body = await request.text();
        Deno.writeTextFileSync(Deno.env.get("SEEN")!, `${body}\n`, {
          append: true,
        });
        response.write(body);
        return;
      }
      case "/leave":
        this.exit();
        break;
      case "/send":
        // As a worker of `node:cluster` or pm2 may.
        for (const message of [null, "ready", { type: "beat" }]) {
          process.send!(message);
        }
        break;
      case "/permissions":
        response.json(
          (["net", "read", "run", "ffi"] as const).map((name) =>
            Deno.permissions.querySync({ name }).state
          ),
        );
        return;
      case "/environment":
        response.json([Deno.env.get("SMISK_WORKER") ?? null, Deno.cwd()]);
        return;
    }
    response.write(String(Deno.pid));
  }

  override async applicationWillStart(): Promise<void> {
    const gate = Deno.env.get("GATE");
    if (gate !== undefined) await waitAt(Number(gate));
    switch (Deno.env.get("START")) {
      case "fail":
        throw new Error("on purpose");
      case "never":
        await new Promise(() => setInterval(() => {}, 1000));
    }
    console.log(`start ${Deno.pid}`);
  }

  override applicationDidStop(): void {
    console.log(`stop ${Deno.pid}`);
  }
}

await new Program().run();
console.log(`after run() ${Deno.pid}`);
