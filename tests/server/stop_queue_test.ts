// A graceful stop and what is under way to the server at that moment: in the
// system's queue of connections, unread in a socket, or not sent yet.

import { assertEquals } from "@std/assert";
import { Peer, within } from "../support/peer.ts";
import type { Target } from "../support/peer.ts";
import { Running } from "../support/running.ts";
import type { Service } from "../support/running.ts";
import {
  begin,
  GET,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
} from "../support/wire.ts";

const ok: Service = (_, response) => void response.write("ok");
const PROGRAM = new URL("blocked_program.ts", import.meta.url).pathname;

/** The program, whose standard input ends its standstill. */
class Blocked implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(path?: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", PROGRAM, ...path ? [path] : []],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(
      new TextDecoderStream() as TransformStream<Uint8Array, string>,
    ).getReader();
  }

  /** Its next line. */
  async line(): Promise<string> {
    while (!this.#text.includes("\n")) {
      const { done, value } = await within(this.#lines.read(), "a line");
      if (done) throw new Error(`It ended with "${this.#text}"`);
      this.#text += value;
    }
    const [line, ...rest] = this.#text.split("\n");
    this.#text = rest.join("\n");
    return line!;
  }

  /** Lets it go on: it stops. */
  async goOn(): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(new Uint8Array([10]));
    await writer.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await within(this.#child.status, "the program to end");
    await this.#lines.cancel();
    if (!this.#child.stdin.locked) await this.#child.stdin.close();
  }
}

for (const isUnix of [false, true]) {
  const socket = isUnix ? "a Unix socket" : "TCP";

  Deno.test(`shutdown() answers who waits in the queue of ${socket}, and what has come unread`, async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/a.sock`;
    const peers: Peer[] = [];
    try {
      await using program = new Blocked(isUnix ? path : undefined);
      const port = Number((await program.line()).split(" ")[1]);
      const target: Target = isUnix
        ? { path }
        : { hostname: "127.0.0.1", port };
      const kept = await Peer.connect(target);
      peers.push(kept);
      assertEquals((await kept.ask(request())).text, "ok");
      const blocking = await Peer.connect(target);
      peers.push(blocking);
      await blocking.send(request({ params: { REQUEST_URI: "/block" } }));
      assertEquals(await program.line(), "blocked");

      await kept.send(request());
      const waiting: Peer[] = [];
      for (let i = 0; i < 30; i++) {
        const peer = await Peer.connect(target);
        waiting.push(peer);
        peers.push(peer);
        await peer.send(request());
      }
      await program.goOn();
      for (const peer of [...waiting, kept, blocking]) {
        assertEquals((await peer.answer()).text, "ok");
        assertEquals(await peer.toEnd(), []);
        peer.close();
      }
      assertEquals(await program.line(), "served 33");
    } finally {
      for (const peer of peers) peer.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("shutdown() answers a connection that was accepted and asks only then", async () => {
  await using host = new Running(ok);
  using peer = await host.connect();
  await host.goOn(5);
  const stopping = host.server.shutdown();
  await peer.send(request());
  assertEquals((await peer.answer()).text, "ok");
  assertEquals(await peer.toEnd(), []);
  peer.close();
  await within(stopping, "the server to stop");
});

/** Sends what follows the first five bytes of a request; its answer is the last. */
async function askRest(peer: Peer): Promise<void> {
  await peer.send(
    begin().subarray(5),
    stream(PARAMS, 1, pairs(GET)),
    record(STDIN, 1),
  );
  assertEquals((await peer.answer()).text, "ok");
  assertEquals(await peer.toEnd(), []);
  peer.close();
}

Deno.test("shutdown() waits for a request of which part of the first record has come", async () => {
  await using host = new Running(ok);
  using idle = await host.connect();
  await idle.ask(request());
  using peer = await host.connect();
  await peer.ask(request());
  await peer.send(begin().subarray(0, 5));
  await host.goOn(5);
  const stopping = host.server.shutdown();
  // Past the moment when connections without a request are closed.
  assertEquals(await idle.toEnd(), []);
  idle.close();
  await askRest(peer);
  await within(stopping, "the server to stop");
});

Deno.test("shutdown() waits for a request of which part comes while it looks for more", async () => {
  await using host = new Running(ok);
  using idle = await host.connect();
  await idle.ask(request());
  using peer = await host.connect();
  await peer.ask(request());
  // In the socket, and not read yet, when the stop begins.
  const sending = peer.send(begin().subarray(0, 5));
  const stopping = host.server.shutdown();
  await sending;
  assertEquals(await idle.toEnd(), []);
  idle.close();
  await askRest(peer);
  await within(stopping, "the server to stop");
});

Deno.test("shutdown() waits no longer than for the rest of a record of no request", async () => {
  await using host = new Running(ok);
  using peer = await host.connect();
  await peer.ask(request());
  // Of a request that has ended already.
  const late = record(STDIN, 1);
  await peer.send(late.subarray(0, 4));
  await host.goOn(5);
  using unused = await host.connect();
  await host.goOn(5);
  const stopping = host.server.shutdown();
  // The last connections to be closed without having been asked anything.
  assertEquals(await unused.toEnd(), []);
  unused.close();
  await peer.send(late.subarray(4));
  assertEquals(await peer.toEnd(), []);
  peer.close();
  await within(stopping, "the server to stop");
});
