// The examples of web-standard applications, run as they say.

import { assertEquals, assertMatch } from "@std/assert";
import { Peer } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { request } from "../support/wire.ts";

const ANY_PORT = "127.0.0.1:0";

/** Runs an example with no permission but the network. */
function run(name: string, allow: string[], args: string[]): Program {
  return new Program(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-net",
      ...allow,
      new URL(`../../examples/${name}`, import.meta.url).pathname,
      ...args,
    ],
    env: { SMISK_BIND: ANY_PORT },
  });
}

async function connect(program: Program): Promise<Peer> {
  const [, port] = await program.until(/127\.0\.0\.1:(\d+)$/);
  return await Peer.connect({ hostname: "127.0.0.1", port: Number(port) });
}

const of = (REQUEST_URI: string) => request({ params: { REQUEST_URI } });

Deno.test("examples/hono/app.ts serves with no permission but the network", async () => {
  await using program = run("hono/app.ts", [], ["--bind", ANY_PORT]);
  using peer = await connect(program);
  assertEquals((await peer.ask(of("/hello/you"))).text, "Hello you!");
  assertMatch((await peer.ask(of("/"))).text, /Say hello/);
  const { text } = await peer.ask(of("/whoami"));
  assertEquals(JSON.parse(text).address, "192.0.2.1");
  assertEquals((await program.stop()).code, 0);
});

Deno.test("examples/streaming/app.ts serves with no permission but the network", async () => {
  // For the test alone: otherwise it listens on port 9000.
  await using program = run("streaming/app.ts", ["--allow-env=SMISK_BIND"], []);
  using peer = await connect(program);
  assertEquals(
    (await peer.ask(of("/page"))).text,
    "Hello 192.0.2.1, you want /page\n",
  );
  await peer.send(of("/time"));
  for (let i = 0; i < 2; i++) {
    await peer.until(({ content }) =>
      /data: /.test(`${new TextDecoder().decode(content)}`)
    );
    peer.take();
  }
});
