// Connections by the handles below `node:net`, and by what is used where there
// are none: whole either way.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
} from "@std/assert";
import { Application, ClosedError } from "../../mod.ts";
import type { ServiceResponse } from "../../mod.ts";
import { nextTurn } from "../../src/server/deferred.ts";
import { InheritedListener } from "../../src/server/inherited.ts";
import { serveOn } from "../../src/server/server.ts";
import { Peer, within } from "../support/peer.ts";
import { randomBytes, seeded } from "../support/random.ts";
import { concat, request } from "../support/wire.ts";
import { ServerProcess } from "./server_process.ts";

const ALL = ["--allow-net", "--allow-env", "--allow-read", "--allow-write"];

async function withFolder(test: (path: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/socket`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const isSame = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

/** What a kept connection is used for, and more of it than buffers hold. */
async function useWell(program: ServerProcess): Promise<void> {
  using peer = await program.connect();
  using other = await program.connect();
  for (let i = 0; i < 8; i++) {
    assertEquals((await peer.ask(request())).text, "ok");
  }
  const random = seeded(20261123);
  for (const length of [1, 70_000, 3_000_000, 8, 400_000]) {
    const body = randomBytes(random, length);
    const echo = { params: { REQUEST_URI: "/echo" }, body };
    // Sent while the answer to the last comes, which nobody reads meanwhile.
    const sent = peer.send(
      concat([request(echo), request({ ...echo, id: 2 })]),
    );
    const answers = [await peer.answer(1), await peer.answer(2)];
    await sent;
    for (const answer of answers) {
      assert(isSame(answer.body, body), `${length} bytes differ`);
    }
  }
  // The other end closes its writing side, and still reads.
  await peer.send(request());
  await peer.conn.closeWrite();
  assertEquals((await peer.answer()).text, "ok");
  assertEquals(await peer.toEnd(), []);
  // What it does not keep is closed.
  for (let i = 0; i < 6; i++) {
    assertEquals((await other.ask(request())).text, "ok");
  }
  assertEquals((await other.ask(request({ keep: false }))).text, "ok");
  assertEquals(await other.toEnd(), []);
}

Deno.test("connections of TCP are whole", async () => {
  await using program = new ServerProcess();
  await useWell(program);
  assertEquals(await program.stop(), "");
});

for (const hasHandles of [true, false]) {
  const how = hasHandles ? "by handles" : "where there are no handles";

  Deno.test(`connections of a Unix socket are whole ${how}`, async () => {
    await withFolder(async (path) => {
      await using program = new ServerProcess({
        hasHandles,
        path,
        permissions: ALL,
      });
      await useWell(program);
      assertEquals(await program.stop(), "");
    });
  });

  for (const socket of ["a Unix socket", "TCP"]) {
    Deno.test(`connections of node:net over ${socket} are whole ${how}`, async () => {
      await withFolder(async (path) => {
        await using program = new ServerProcess({
          argument: "net",
          hasHandles,
          permissions: ALL,
          ...socket === "TCP" ? {} : { path },
        });
        await useWell(program);
        assertEquals(await program.stop(), "");
      });
    });
  }
}

Deno.test("requests that come in slices by turns are kept apart by handles", async () => {
  await withFolder(async (path) => {
    const listener = new InheritedListener({ path }, "a socket");
    await listener.ready;
    const app = new (class extends Application {
      override async service() {
        const { request, response } = this;
        const body = await request.text();
        await nextTurn();
        response.write(`${request.param("HTTP_X_NAME")} ${body}`);
      }
    })();
    const server = app[serveOn](listener);
    const random = seeded(20261124);
    const peers = await Promise.all(
      Array.from({ length: 16 }, () => Peer.connect({ path })),
    );
    for (let round = 0; round < 8; round++) {
      const sent = peers.map((_, i) => {
        const name = `${round}.${i}.${"n".repeat(random() * 3_000)}`;
        const body = `${i}`.repeat(random() * 3_000);
        const params = { REQUEST_METHOD: "POST", HTTP_X_NAME: name };
        const bytes = request({ params, body: new TextEncoder().encode(body) });
        return { bytes, at: 0, answer: `${name} ${body}` };
      });
      while (sent.some(({ bytes, at }) => at < bytes.length)) {
        await Promise.all(sent.map((one, i) => {
          const { bytes, at } = one;
          one.at += 1 + Math.floor(random() * 1_500);
          return peers[i]!.send(bytes.subarray(at, one.at));
        }));
        await nextTurn();
      }
      for (const [i, peer] of peers.entries()) {
        assertEquals((await peer.answer()).text, sent[i]!.answer);
      }
    }
    for (const peer of peers) peer[Symbol.dispose]();
    await server.shutdown();
  });
});

/** Waits until a file is another than it was. */
async function replaced(path: string, inode: number | null): Promise<void> {
  const folder = path.replace(/[^/]*$/, "");
  using watcher = Deno.watchFs(folder);
  for (;;) {
    if (Deno.lstatSync(path).ino !== inode) return;
    await within(watcher[Symbol.asyncIterator]().next(), "the file to change");
  }
}

/** Asks, and reads as fast as it can to the end, in a thread of its own. */
const GREEDY = `
  onmessage = async ({ data: { path, asked } }) => {
    const conn = await Deno.connect({ transport: "unix", path });
    await conn.write(asked);
    const buffer = new Uint8Array(1 << 20);
    let length = 0;
    for (let read; (read = await conn.read(buffer)) !== null;) length += read;
    conn.close();
    postMessage(length);
  };
`;

const PIECE = 64 * 1024;
const PIECES = 4_096;

for (
  const [how, write] of [
    ["at once", (response: ServiceResponse) => {
      return response.write(new Uint8Array(PIECE * PIECES));
    }],
    ["piece by piece", async (response: ServiceResponse) => {
      const piece = new Uint8Array(PIECE);
      for (let i = 0; i < PIECES; i++) await response.write(piece);
    }],
  ] as const
) {
  Deno.test(`who reads as fast as we write what is written ${how} leaves others their turn`, async () => {
    await withFolder(async (path) => {
      const listener = new InheritedListener({ path }, "a socket");
      await listener.ready;
      const app = new (class extends Application {
        override service() {
          return write(this.response);
        }
      })();
      const server = app[serveOn](listener);
      const source = `data:application/javascript,${
        encodeURIComponent(GREEDY)
      }`;
      const reader = new Worker(source, { type: "module" });
      const ended = Promise.withResolvers<number>();
      reader.onmessage = ({ data }) => ended.resolve(data);
      reader.postMessage({ path, asked: request({ keep: false }) });

      let isDone = false;
      let before = 0;
      let most = 0;
      const count = () => {
        const { bytesOut } = server.stats();
        most = Math.max(most, bytesOut - before);
        before = bytesOut;
        if (!isDone) setImmediate(count);
      };
      setImmediate(count);
      const length = await within(ended.promise, "the end of the answer");
      isDone = true;
      reader.terminate();
      await server.shutdown();
      assert(length > PIECE * PIECES, `${length} bytes came`);
      assert(most < 1 << 20, `${most} bytes left in one turn`);
    });
  });
}

for (const isPending of [false, true]) {
  Deno.test(`a handle that is closed tells of a ${isPending ? "pending" : "new"} write and read that they fail`, async () => {
    await withFolder(async (path) => {
      const listener = new InheritedListener({ path }, "a socket");
      await listener.ready;
      const accepting = listener.accept();
      using _peer = await Peer.connect({ path });
      const wire = await accepting;
      assert("start" in wire, "by its handle");
      const read = Promise.withResolvers<unknown>();
      const written = Promise.withResolvers<unknown>();
      wire.start(
        { onRead: read.reject, onReadFailed: read.resolve },
        { onWritten: written.reject, onWriteFailed: written.resolve },
      );
      const use = () => {
        wire.read(new Uint8Array(10));
        assertEquals(wire.write(new Uint8Array(10_000_000)), false);
      };
      if (isPending) use();
      wire.close();
      if (!isPending) use();
      assertInstanceOf(await within(read.promise, "the read"), ClosedError);
      assertInstanceOf(await within(written.promise, "the write"), ClosedError);
      listener.close();
    });
  });
}

class Hello extends Application {
  override service() {
    this.response.write("ok");
  }
}

Deno.test("a Unix socket is soon replaced, with its rights, and who came before is served", async () => {
  await withFolder(async (path) => {
    const server = new Hello().listen({ path, mode: 0o640 });
    // As a script does that waits for the file.
    Deno.chmodSync(path, 0o622);
    const { ino } = Deno.lstatSync(path);
    const connecting = Array.from({ length: 20 }, () => Peer.connect({ path }));
    await replaced(path, ino);
    assertEquals(Deno.lstatSync(path).mode! & 0o777, 0o622);
    for (let i = 0; i < 40; i++) connecting.push(Peer.connect({ path }));
    for (const connected of connecting) {
      using peer = await connected;
      assertEquals((await peer.ask(request())).text, "ok");
    }
    const names = (path: string) =>
      [...Deno.readDirSync(path)].map((e) => e.name);
    const folder = path.replace(/\/[^/]*$/, "");
    assertEquals(names(folder), ["socket"]);
    await server.shutdown();
    assertEquals(names(folder), []);
  });
});

Deno.test("a Unix socket whose file is another's by now is left alone", async () => {
  await withFolder(async (path) => {
    await using server = new Hello().listen({ path });
    const moved = `${path}.moved`;
    Deno.renameSync(path, moved);
    using _other = Deno.listen({ transport: "unix", path });
    const { ino } = Deno.lstatSync(path);
    // An answer says that the server accepts, and has looked before.
    using peer = await Peer.connect({ path: moved });
    assertEquals((await peer.ask(request())).text, "ok");
    assertEquals(Deno.lstatSync(path).ino, ino);
    await server.abort();
  });
});

for (const what of ["net", "file", "net and file"]) {
  Deno.test(`a Unix socket is served where its own ${what} alone may be used`, async () => {
    await withFolder(async (path) => {
      const folder = path.replace(/\/[^/]*$/, "");
      const files = what.includes("file") ? path : folder;
      await using program = new ServerProcess({
        path,
        permissions: [
          what.includes("net") ? `--allow-net=unix:${path}` : "--allow-net",
          "--allow-env",
          `--allow-read=${files}`,
          `--allow-write=${files}`,
        ],
      });
      await useWell(program);
      assertEquals(await program.stop(), "");
    });
  });
}

for (const argument of ["", "net"]) {
  const what = argument === "" ? "A Unix socket" : "A Unix socket of node:net";
  Deno.test(`${what} that has no descriptor left goes on once there is one`, async () => {
    await withFolder(async (path) => {
      await using program = new ServerProcess({
        argument,
        path,
        permissions: ALL,
        descriptors: 60,
      });
      // The runtime itself ends where it finds none as it starts.
      const peers = [await program.connect()];
      assertEquals((await peers[0]!.ask(request())).text, "ok");
      for (let i = 0; i < 100; i++) peers.push(await program.connect());
      const last = peers.pop()!;
      await last.send(request());
      for (const peer of peers) peer.close();
      assertEquals((await last.answer()).text, "ok");
      last.close();
      // Whether it is noticed depends on how long it was so.
      for (const line of (await program.stop()).split("\n")) {
        if (line !== "") assertStringIncludes(line, "Too many open files");
      }
    });
  });
}
