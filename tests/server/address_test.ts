// Addresses: reading and writing them, and listening on each kind, with
// whatever stands in a socket file's place.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import {
  formatAddress,
  listen,
  parseAddress,
} from "../../src/server/address.ts";
import type { ListenOptions } from "../../src/server/listen_options.ts";
import { Peer } from "../support/peer.ts";
import { Running } from "../support/running.ts";
import { request } from "../support/wire.ts";

const ADDRESSES: [text: string, options: ListenOptions, shown?: string][] = [
  ["127.0.0.1:9000", { hostname: "127.0.0.1", port: 9000 }],
  ["localhost:0", { hostname: "localhost", port: 0 }],
  [":9000", { hostname: "0.0.0.0", port: 9000 }, "0.0.0.0:9000"],
  ["*:9000", { hostname: "0.0.0.0", port: 9000 }, "0.0.0.0:9000"],
  ["[::1]:9000", { hostname: "::1", port: 9000 }],
  ["/run/a.sock", { path: "/run/a.sock" }],
  ["./a.sock", { path: "./a.sock" }],
  ["unix:/run/a.sock", { path: "/run/a.sock" }, "/run/a.sock"],
  ["unix:a.sock", { path: "a.sock" }],
];

for (const [text, options, shown = text] of ADDRESSES) {
  Deno.test(`parseAddress() reads "${text}", and formatAddress() writes it`, () => {
    assertEquals<ListenOptions>(parseAddress(text), options);
    assertEquals(formatAddress(options), shown);
  });
}

for (
  const text of [
    "",
    "9000",
    "localhost",
    "localhost:",
    "localhost:65536",
    "localhost:1e3",
    "::1:9000",
    "[::1]",
    "[]:1",
    "unix:",
    "a b]:1",
  ]
) {
  Deno.test(`parseAddress() refuses "${text}", and names it`, () => {
    const error = assertThrows(() => parseAddress(text), StartError);
    assertEquals(error.code, "BAD_ADDRESS");
    assert(error.message.includes(`"${text}"`), error.message);
  });
}

/** Runs with the path of a socket that is not there. */
async function withPath(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/a.sock`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Whether a file is there. */
function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The code that listening is refused with. */
function refusal(options: ListenOptions): string {
  const error = assertThrows(() => listen(options), StartError);
  const where = "path" in options ? options.path : formatAddress(options);
  assert(error.message.includes(where), error.message);
  assert(!error.message.includes("\n"), error.message);
  return error.code;
}

Deno.test("listen() on a Unix socket answers there, and removes the file at the stop", async () => {
  await withPath(async (path) => {
    const host = new Running((_, response) => void response.write("ok"));
    const server = host.app.listen({ path });
    using peer = await Peer.to(server);
    assertEquals((await peer.ask(request())).text, "ok");
    peer.close();
    await server.shutdown();
    assertEquals(exists(path), false);
    await host[Symbol.asyncDispose]();
  });
});

for (const mode of [0o600, 0o660, 0o666]) {
  Deno.test(`listen() gives a socket the mode ${mode.toString(8)}`, async () => {
    await withPath((path) => {
      const listener = listen({ path, mode });
      assertEquals(Deno.statSync(path).mode! & 0o777, mode);
      listener.close();
      return Promise.resolve();
    });
  });
}

Deno.test("listen() gives a socket its owner and group, by number and by name", async () => {
  const isRoot = Deno.uid() === 0;
  const [uid, gid] = isRoot ? [1, 1] : [Deno.uid()!, Deno.gid()!];
  const name = (file: string, id: number) =>
    Deno.readTextFileSync(file).split("\n").map((line) => line.split(":"))
      .find((fields) => fields[2] === String(id))![0]!;
  for (
    const [owner, group] of [
      [uid, gid],
      [String(uid), String(gid)],
      [name("/etc/passwd", uid), name("/etc/group", gid)],
    ] as [string | number, string | number][]
  ) {
    await withPath((path) => {
      const listener = listen({ path, owner, group });
      const { uid: u, gid: g } = Deno.statSync(path);
      assertEquals([u, g], [uid, gid]);
      listener.close();
      return Promise.resolve();
    });
  }
});

Deno.test("listen() refuses an owner that there is not, and leaves no file", async () => {
  await withPath((path) => {
    const error = assertThrows(
      () => listen({ path, owner: "nobody-of-this-name" }),
      StartError,
      '"nobody-of-this-name"',
    );
    assertEquals(error.code, "CANNOT_LISTEN");
    assertEquals(exists(path), false);
    return Promise.resolve();
  });
});

Deno.test("listen() replaces a socket file whose listener is gone", async () => {
  await withPath(async (path) => {
    // A process that is killed leaves its file behind.
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        "const l = Deno.listen({ transport: 'unix', path: Deno.args[0] }); console.log(1); await l.accept();",
        path,
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    assertEquals(exists(path), true);

    const listener = listen({ path });
    const conn = await Deno.connect({ transport: "unix", path });
    (await listener.accept()).close();
    conn.close();
    listener.close();
  });
});

Deno.test("listen() leaves a socket file alone whose listener lives", async () => {
  await withPath(async (path) => {
    const live = Deno.listen({ transport: "unix", path });
    assertEquals(refusal({ path }), "ADDRESS_IN_USE");
    // The one connection that it was asked with, and another.
    (await live.accept()).close();
    const accepted = live.accept();
    (await Deno.connect({ transport: "unix", path })).close();
    (await accepted).close();
    live.close();
  });
});

Deno.test("listen() never replaces a file that is no socket", async () => {
  await withPath(async (path) => {
    await Deno.writeTextFile(path, "precious");
    assertEquals(refusal({ path }), "ADDRESS_IN_USE");
    assertEquals(await Deno.readTextFile(path), "precious");
    await Deno.remove(path);
    await Deno.mkdir(path);
    assertEquals(refusal({ path }), "ADDRESS_IN_USE");
    assertEquals((await Deno.stat(path)).isDirectory, true);
  });
});

Deno.test("listen() says what is wrong with a path", async () => {
  await withPath((path) => {
    assertEquals(refusal({ path: `${path}/below` }), "CANNOT_LISTEN");
    assertEquals(
      refusal({ path: `${path}${"x".repeat(200)}` }),
      "CANNOT_LISTEN",
    );
    return Promise.resolve();
  });
});

Deno.test("listen() says that a port is in use, or that there is no such address", () => {
  const taken = listen({ port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  assertEquals((taken.addr as Deno.NetAddr).hostname, "127.0.0.1");
  assertEquals(refusal({ hostname: "127.0.0.1", port }), "ADDRESS_IN_USE");
  taken.close();
  // An address of documentation (RFC 5737), which no machine has.
  assertEquals(
    refusal({ hostname: "192.0.2.1", port: 0 }),
    "CANNOT_LISTEN",
  );
  assertEquals(refusal({ port: 65536 }), "BAD_ADDRESS");
  assertEquals(refusal({ port: 1.5 }), "BAD_ADDRESS");
});
