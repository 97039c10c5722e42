// serve() where nothing tells where to listen.

import { assertEquals } from "@std/assert";
import { freePorts } from "../live/site.ts";
import { Peer, within } from "../support/peer.ts";
import { isInstalled, Program } from "../support/program.ts";
import { request } from "../support/wire.ts";
import { inFolder } from "../support/folder.ts";

/** Programs that serve without being told where. */
const PROGRAMS: [what: string, start: string][] = [
  ["a handler", "serve(() => new Response('Hello'))"],
  [
    "an application of a class, whatever its properties are called",
    `serve(new class {
      port = 1;
      path = "/nowhere";
      #text = "Hello";
      onError() {
        throw new Error("not an option");
      }
      fetch() {
        return new Response(this.#text);
      }
    }())`,
  ],
];

/** Writes a program, and gives the arguments that run it. */
async function written(folder: string, start: string): Promise<string[]> {
  await Deno.writeTextFile(
    `${folder}/program.ts`,
    `import { serve } from ${
      JSON.stringify(import.meta.resolve("../../mod.ts"))
    };
const server = ${start};
Deno.addSignalListener("SIGTERM", () => server.shutdown());
await server.finished;
Deno.exit();
`,
  );
  return ["run", "-A", "--no-config", "--no-check", `${folder}/program.ts`];
}

for (const [what, start] of PROGRAMS) {
  Deno.test(`serve() of ${what} listens where SMISK_BIND tells`, () =>
    inFolder(async (folder) => {
      const path = `${folder}/app.sock`;
      await using program = new Program(Deno.execPath(), {
        args: await written(folder, start),
        env: { SMISK_BIND: path },
      });
      await program.until(new RegExp(`^Listening for FastCGI on ${path}$`));
      using peer = await Peer.connect({ path });
      assertEquals((await peer.ask(request())).text, "Hello");
      peer.close();
      const { code } = await program.stop();
      assertEquals(code, 0);
    }));
}

Deno.test({
  name: "serve() passes over a descriptor 0 that is a connection",
  ignore: !isInstalled("bash"),
  fn: () =>
    inFolder(async (folder) => {
      const path = `${folder}/app.sock`;
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      const args = await written(folder, PROGRAMS[0]![1]);
      await using program = new Program("bash", {
        args: [
          "-c",
          `exec 0<>/dev/tcp/127.0.0.1/${port}; exec "$@"`,
          "bash",
          Deno.execPath(),
          ...args,
        ],
        env: { SMISK_BIND: path },
      });
      using _conn = await within(listener.accept(), "the connection");
      await program.until(new RegExp(`^Listening for FastCGI on ${path}$`));
      using peer = await Peer.connect({ path });
      assertEquals((await peer.ask(request())).text, "Hello");
    }),
});

Deno.test({
  name: "serve() listens on an inherited socket, and tells its address",
  ignore: !isInstalled("spawn-fcgi"),
  fn: () =>
    inFolder(async (folder) => {
      const [port, program] = await spawned(
        await written(
          folder,
          `serve({
            onListen: (addr) => console.log(\`told \${JSON.stringify(addr)}\`),
          }, () => {
            console.log(\`is at \${server.addr.port}\`);
            return new Response("Hello");
          })`,
        ),
      );
      await using _program = program;
      const [, told] = await program.until(/^told (.*)$/);
      const addr = { transport: "tcp", hostname: "127.0.0.1", port };
      assertEquals(JSON.parse(told!), addr);
      using peer = await Peer.connect(addr);
      assertEquals((await peer.ask(request())).text, "Hello");
      await program.until(new RegExp(`^is at ${port}$`));
    }),
});

/** Runs Deno by spawn-fcgi, on a free port. */
async function spawned(args: string[]): Promise<[number, Program]> {
  for (let attempt = 1;; attempt++) {
    const [port] = freePorts(1) as [number];
    const program = new Program("spawn-fcgi", {
      args: [
        ...["-n", "-a", "127.0.0.1", "-p", `${port}`, "--"],
        ...[Deno.execPath(), ...args],
      ],
    });
    try {
      await program.until(/^told /);
      return [port, program];
    } catch (error) {
      await program.stop();
      // Another was faster to take it.
      if (attempt === 5 || !/in use/.test(program.said)) throw error;
    }
  }
}
