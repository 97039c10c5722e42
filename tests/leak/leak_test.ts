// Memory and descriptors stay where they are over 100,000 requests, and over
// 10,000 connections dropped in every phase. The server runs in a process of
// its own, so that nothing of the test is counted.

import { assert, assertEquals } from "@std/assert";
import { DEADLINE_MS, Peer, within } from "../support/peer.ts";
import type { Target } from "../support/peer.ts";
import {
  BEGIN,
  begin,
  concatLarge,
  GET,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
} from "../support/wire.ts";

const MIB = 1 << 20;

interface Memory {
  rss: number;
  heapUsed: number;
  external: number;
}

/** The server's process. */
class Host implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #directory: string;
  readonly unix: Target;
  readonly tcp: Target;

  private constructor(
    child: Deno.ChildProcess,
    directory: string,
    port: number,
  ) {
    this.#child = child;
    this.#directory = directory;
    this.unix = { path: `${directory}/socket` };
    this.tcp = { hostname: "127.0.0.1", port };
  }

  static async start(): Promise<Host> {
    const directory = await Deno.makeTempDir();
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        "--no-check",
        "--v8-flags=--expose-gc",
        new URL("./server.ts", import.meta.url).pathname,
        `${directory}/socket`,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    const { value } = await within(reader.read(), "the server's port");
    await reader.cancel();
    return new Host(child, directory, Number(value));
  }

  /** What it holds after a full collection. */
  async memory(): Promise<Memory> {
    using peer = await Peer.connect(this.unix);
    const params = { REQUEST_URI: "/memory" };
    return JSON.parse((await peer.ask(request({ params }))).text);
  }

  /** How many descriptors it has open. */
  descriptors(): number {
    return [...Deno.readDirSync(`/proc/${this.#child.pid}/fd`)].length;
  }

  /**
   * Waits until no more are open than there were: a connection that is
   * dropped over TCP is taken for lost after a grace alone, and the runtime
   * opens a few descriptors of its own.
   */
  async settled(before: number): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (this.descriptors() > before + 16) {
      assert(
        performance.now() < deadline,
        `${this.descriptors()} descriptors are open, ${before} were before`,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** What the pools of buffers keep at the most, once they are full. */
const POOLED = 12 * MIB;

/**
 * Runs to warm up, and again: the second time must leave nothing. What
 * JavaScript holds is told exactly, after a collection; the process grows by
 * what the collector keeps for itself, some 64 MiB, before it stands.
 */
async function assertFlat(
  host: Host,
  run: (times: number) => Promise<void>,
  times: number,
): Promise<void> {
  const idle = host.descriptors();
  await run(Math.ceil(times / 4));
  await host.settled(idle);
  const before = await host.memory();
  await run(times);
  await host.settled(idle);
  const after = await host.memory();
  const told = `${JSON.stringify(before)} became ${JSON.stringify(after)}`;
  assert(after.heapUsed - before.heapUsed < times * 10 + MIB, told);
  assert(after.external - before.external < POOLED, told);
  assert(after.rss - before.rss < 128 * MIB, told);
}

/** Reads until so many bytes have come. */
async function skip(conn: Deno.Conn, length: number): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let left = length; left > 0;) {
    const n = await conn.read(buffer);
    assert(n !== null, "closed");
    left -= n;
  }
}

/** Connects, also where the server's queue is full for the moment. */
async function connect(target: Target): Promise<Deno.Conn> {
  for (;;) {
    try {
      return "path" in target
        ? await Deno.connect({ transport: "unix", path: target.path })
        : await Deno.connect(target);
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

const ignore = Deno.build.os !== "linux";

/** Requests: the bytes of a hundred of them, with ids 1 to 100. */
const BATCHES: [name: string, batch: Uint8Array][] = [
  ["of GET", ids((id) => request({ id }))],
  [
    "with a body",
    ids((id) =>
      request({ id, body: "x".repeat(200), params: { REQUEST_URI: "/body" } })
    ),
  ],
];

function ids(make: (id: number) => Uint8Array): Uint8Array {
  return concatLarge(Array.from({ length: 100 }, (_, i) => make(i + 1)));
}

for (const [name, batch] of BATCHES) {
  Deno.test({
    name: `100,000 requests ${name} leave memory as it was`,
    ignore,
    async fn() {
      await using host = await Host.start();
      using peer = await Peer.connect(host.unix);
      await peer.send(batch);
      for (let id = 1; id <= 100; id++) {
        assertEquals((await peer.answer(id)).status, 200);
      }
      const length = peer.reads.reduce((sum, n) => sum + n, 0);
      await assertFlat(host, async (times) => {
        for (let i = 0; i < times; i += 100) {
          await peer.send(batch);
          await skip(peer.conn, length);
        }
      }, 100_000);
    },
  });
}

const params = pairs({ ...GET, REQUEST_URI: "/body", CONTENT_LENGTH: "500" });

/** Phases in which a connection is dropped, and how much is read before. */
const PHASES: [name: string, sent: Uint8Array, read: number][] = [
  ["with nothing sent", new Uint8Array(0), 0],
  ["amid a record header", begin(1).subarray(0, 5), 0],
  [
    "amid the parameters",
    concatLarge([begin(1), record(PARAMS, 1, params).subarray(0, 50)]),
    0,
  ],
  [
    "amid the body",
    concatLarge([
      begin(1),
      stream(PARAMS, 1, params),
      record(STDIN, 1, "x".repeat(100)),
    ]),
    0,
  ],
  ["while the service runs", request({ params: { REQUEST_URI: "/wait" } }), 0],
  [
    "while the response is written",
    request({ params: { REQUEST_URI: "/endless" } }),
    1,
  ],
  ["after the answer", request(), 1],
];

Deno.test({
  name:
    "10,000 connections dropped in every phase leave memory and descriptors as they were",
  ignore,
  async fn(test) {
    await using host = await Host.start();
    for (const [name, sent, read] of PHASES) {
      await test.step(name, async () => {
        await assertFlat(host, async (times) => {
          let left = times;
          await Promise.all(Array.from({ length: 20 }, async () => {
            const buffer = new Uint8Array(1024);
            while (left-- > 0) {
              // Most over a Unix socket: ports of TCP would run out.
              const conn = await connect(
                left % 50 === 0 ? host.tcp : host.unix,
              );
              if (sent.length > 0) await conn.write(sent);
              if (read > 0) await conn.read(buffer);
              conn.close();
            }
          }));
        }, 10_000);
      });
    }
  },
});

Deno.test({
  name: "buffers that had to grow are kept no larger than they were",
  ignore,
  async fn() {
    await using host = await Host.start();
    const malformed = record(BEGIN, 1);
    const times = 10_000;
    using first = await Peer.connect(host.unix);
    await first.ask(malformed);
    const length = times * first.reads.reduce((sum, n) => sum + n, 0);
    const flood = concatLarge(new Array(times).fill(malformed));
    const { external } = await host.memory();
    // All at once, for what one gives back the next would take.
    const conns: Deno.Conn[] = [];
    for (let i = 0; i < 32; i++) {
      const conn = await connect(host.unix);
      conns.push(conn);
      for (let at = 0; at < flood.length;) {
        at += await within(conn.write(flood.subarray(at)), "bytes to be taken");
      }
    }
    const held = (await host.memory()).external - external;
    assert(held > 2 * POOLED, `${held} bytes are held, which shows nothing`);
    for (const conn of conns) await within(skip(conn, length), "answers");
    const kept = (await host.memory()).external - external;
    for (const conn of conns) conn.close();
    assert(kept < POOLED, `${kept} bytes are kept`);
  },
});

Deno.test({
  name: "idle connections keep none of the buffers that bodies come in with",
  ignore,
  async fn() {
    await using host = await Host.start();
    const stdin = "x".repeat(2_500);
    const of = (CONTENT_LENGTH: string) =>
      pairs({ ...GET, REQUEST_URI: "/body", CONTENT_LENGTH });
    const { external } = await host.memory();
    const peers: Peer[] = [];
    // As many at once as are lent, and again.
    for (let waves = 0; waves < 3; waves++) {
      const wave = await Promise.all(
        Array.from({ length: 64 }, () => Peer.connect(host.unix)),
      );
      peers.push(...wave);
      for (const peer of wave) {
        await peer.send(
          begin(1),
          stream(PARAMS, 1, of("5000")),
          record(STDIN, 1, stdin),
        );
      }
      for (const peer of wave) {
        await peer.ask(
          concatLarge([begin(2), stream(PARAMS, 2, of("0"))]),
          2,
        );
      }
      for (const peer of wave) await peer.ask(record(STDIN, 1, stdin));
    }
    const kept = (await host.memory()).external - external;
    for (const peer of peers) peer.close();
    assert(kept < POOLED, `${kept} bytes are kept`);
  },
});

Deno.test({
  name:
    "a body in records of one byte that nobody reads takes memory within bounds",
  ignore,
  async fn() {
    await using host = await Host.start();
    const { heapUsed, external } = await host.memory();
    const peers: Peer[] = [];
    const piece = concatLarge(new Array(25_000).fill(record(STDIN, 1, "x")));
    const head = pairs({
      ...GET,
      REQUEST_URI: "/wait",
      CONTENT_LENGTH: "300000",
    });
    for (let i = 0; i < 8; i++) {
      const peer = await Peer.connect(host.unix);
      peers.push(peer);
      await peer.send(begin(1), stream(PARAMS, 1, head));
      for (let sent = 0; sent < 250_000; sent += 25_000) await peer.send(piece);
    }
    const after = await host.memory();
    for (const peer of peers) peer.close();
    const each = (after.heapUsed + after.external - heapUsed - external) / 8;
    assert(each < 2 * MIB, `${each} bytes for each body of 250,000`);
  },
});
