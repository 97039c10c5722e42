// run(): programs as a user starts and stops them, seen from outside.

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { Peer, refused, within } from "../support/peer.ts";
import { Program } from "../support/program.ts";
import { begin, request } from "../support/wire.ts";
import { deno, ended, HELLO, hello, listening, program } from "./programs.ts";

async function ask(
  address: ConstructorParameters<typeof FastCGIClient>[0],
  path = "/",
): Promise<string> {
  await using client = new FastCGIClient(address);
  const response = await within(
    client.fetch(new Request(`http://test${path}`)),
    "the header",
  );
  return await response.text();
}

// Starting and stopping

for (const signal of ["SIGTERM", "SIGINT", "SIGUSR1"] as const) {
  Deno.test(`run() prints one line, serves, and stops with status 0 at ${signal}`, async () => {
    await using running = hello(["--bind", "127.0.0.1:0"]);
    const address = await listening(running);
    assertEquals(await ask(address), "Hello World!");
    const { code } = await running.stop(signal);
    assertEquals(code, 0);
    assertEquals(running.lines, [
      `Listening for FastCGI on 127.0.0.1:${address.port}`,
    ]);
    await assertRejects(() => Peer.connect(address));
  });
}

Deno.test("run() stops with status 0 at a signal that follows its line at once", async () => {
  // A few times, for it takes luck to be between the two.
  for (let i = 0; i < 5; i++) {
    await using running = hello(["--bind", "127.0.0.1:0"]);
    await listening(running);
    running.signal("SIGTERM");
    const { code, signal } = await running.end();
    assertEquals([code, signal], [0, null]);
  }
});

Deno.test("run() listens on every address, gives a Unix socket its mode, and removes it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/a.sock`;
    await using running = deno([
      "-A",
      HELLO,
      "--bind=127.0.0.1:0",
      `--bind=unix:${path}`,
      "--bind=[::1]:0",
      "--mode=0600",
    ], {});
    await running.until(/\[::1\]:\d+$/);
    assertEquals(running.lines.length, 3);
    assertMatch(
      running.lines[0]!,
      /^Listening for FastCGI on 127\.0\.0\.1:\d+$/,
    );
    assertEquals(running.lines[1], `Listening for FastCGI on ${path}`);
    assertMatch(running.lines[2]!, /^Listening for FastCGI on \[::1\]:\d+$/);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    assertEquals(await ask({ path }), "Hello World!");
    for (const line of [running.lines[0]!, running.lines[2]!]) {
      assertEquals(await ask(line.replace(/.* /, "")), "Hello World!");
    }
    assertEquals((await running.stop()).code, 0);
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("run() finishes what is in flight after a signal, and takes nothing more", async () => {
  await using running = program(["--bind", "127.0.0.1:0"]);
  const address = await listening(running);
  await using client = new FastCGIClient(address);
  // A connection that is there already, for after the signal.
  using late = await Peer.connect(address);
  await late.send(begin());
  const waiting = await client.fetch(new Request("http://test/wait"));
  const reader = waiting.body!.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value, "waiting");
  running.signal("SIGTERM");
  // The listener goes first of all.
  await refused(address);
  await late.send(request({ params: { REQUEST_URI: "/go-on" } }).subarray(16));
  assertEquals((await late.answer()).status, 200);
  late.close();
  assertEquals((await within(reader.read(), "the rest")).value, " over");
  assertEquals((await reader.read()).done, true);
  assertEquals((await running.end()).code, 0);
  assertEquals(running.lines.slice(1), ["applicationDidStop", "after run()"]);
});

Deno.test("run() gives up what is in flight at a second signal", async () => {
  await using running = program(["--bind", "127.0.0.1:0"]);
  const address = await listening(running);
  await using client = new FastCGIClient(address);
  const waiting = await client.fetch(new Request("http://test/wait"));
  const body = assertRejects(() => waiting.text());
  running.signal("SIGTERM");
  await refused(address);
  running.signal("SIGTERM");
  await within(body, "the response to be broken off");
  assertEquals((await running.end()).code, 0);
  assertEquals(running.lines.slice(1), ["applicationDidStop", "after run()"]);
});

Deno.test("run() ends the process at a second signal, whatever a service still does", async () => {
  await using running = program(["--bind", "127.0.0.1:0"]);
  const address = await listening(running);
  using peer = await Peer.connect(address);
  await peer.send(request({ params: { REQUEST_URI: "/forever" } }));
  await running.until(/^Forever has begun$/);
  running.signal("SIGINT");
  await refused(address);
  running.signal("SIGINT");
  assertEquals((await running.end()).code, 0);
  assertEquals(running.output.slice(1), ["applicationDidStop", "after run()"]);
});

Deno.test("run() settles when the application exits by itself", async () => {
  await using running = program(["--bind", "127.0.0.1:0"]);
  assertEquals(await ask(await listening(running), "/exit"), "exiting");
  assertEquals((await running.end()).code, 0);
  assertEquals(running.lines.slice(1), ["applicationDidStop", "after run()"]);
});

Deno.test("run() leaves no signal handler behind", async () => {
  const code = `
    import { Application } from "@smisk/smisk";
    const app = new Application();
    app.run({ bind: { port: 0 } }).then(() => {
      console.log("over");
      setInterval(() => {}, 1000);
    });
    setTimeout(() => app.exit(), 100);
  `;
  await using running = new Program(Deno.execPath(), {
    args: ["eval", "--quiet", code],
  });
  await running.until(/^over$/);
  assertEquals((await running.stop("SIGTERM")).signal, "SIGTERM");
});

// Printing and the environment

Deno.test("run() prints its help and its version, and listens to nothing", async () => {
  const help = await ended(deno([HELLO, "--help"], {}));
  assertEquals([help.code, help.errors], [0, []]);
  assertMatch(help.output.join("\n"), /^ {2}--bind ADDR/m);
  const version = await ended(deno([HELLO, "--version"], {}));
  assertEquals([version.code, version.errors], [0, []]);
  assertEquals(version.output.length, 1);
  assertMatch(
    version.output[0]!,
    /^Smisk \d+\.\d+\.\d+, Deno \d+\.\d+\.\d+$/,
  );
});

Deno.test("run() listens where SMISK_BIND says, if it may be read and --bind says nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/a.sock`;
    const env = { SMISK_BIND: path };
    await using one = program(["--mode=0640"], { env });
    await one.until(new RegExp(`^Listening for FastCGI on ${path}$`));
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o640);
    await using two = program(["--bind", "127.0.0.1:0"], { env });
    await listening(two);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("run() lets none but the allowed clients connect", async () => {
  const only = (address: string) =>
    program(["--bind=127.0.0.1:0", "--allow=::1", `--allow=${address}`]);
  await using open = only("127.0.0.0/8");
  assertEquals(await ask(await listening(open)), "GET /");
  await using shut = only("192.0.2.0/24");
  using peer = await Peer.connect(await listening(shut));
  await peer.send(request()).catch(() => {});
  const end = peer.toEnd().catch(() => []);
  assertEquals(await within(end, "the connection to be closed"), []);
});

Deno.test("run() with options takes nothing from the command line, and throws", async () => {
  const code = `
    import { Application, StartError } from "@smisk/smisk";
    const app = new Application();
    const running = app.run({ bind: [{ port: 0 }, { port: 0 }] });
    setTimeout(() => app.exit(), 100);
    await running;
    const taken = Deno.listen({ port: 0 });
    try {
      await app.run({ bind: { port: taken.addr.port } });
    } catch (error) {
      console.log(error instanceof StartError, error.code);
    }
    taken.close();
  `;
  const { code: status, output, errors } = await ended(
    new Program(Deno.execPath(), {
      args: ["eval", "--quiet", code, "--bogus", "--help"],
    }),
  );
  assertEquals([status, errors], [0, []]);
  assertEquals(output.length, 3);
  assertMatch(output[1]!, /^Listening for FastCGI on 127\.0\.0\.1:\d+$/);
  assertEquals(output[2], "true ADDRESS_IN_USE");
});
