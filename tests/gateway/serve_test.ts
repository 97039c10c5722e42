// serve(): its overloads and options, as users of `Deno.serve` know them.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { FastCGIServer, serve, StartError } from "../../mod.ts";
import type { ServeHandler } from "../../mod.ts";
import { Peer, within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { request } from "../support/wire.ts";
import { askServer, QUIET } from "../support/serve.ts";

const hello: ServeHandler = (request) =>
  new Response(`Hello ${new URL(request.url).pathname}`);

/** The ways to call it, but the one without an address. */
const OVERLOADS: [string, () => FastCGIServer][] = [
  ["options and a handler", () => serve(QUIET, hello)],
  ["options with a handler", () => serve({ ...QUIET, handler: hello })],
  ["options with a fetch", () => serve({ ...QUIET, fetch: hello })],
  [
    "options and an async handler",
    () => serve(QUIET, async (request, info) => await hello(request, info)),
  ],
  [
    "options of no prototype",
    () => serve(Object.assign(Object.create(null), QUIET, { handler: hello })),
  ],
];

for (const [what, start] of OVERLOADS) {
  Deno.test(`serve() takes ${what}`, async () => {
    const server = start();
    assertInstanceOf(server, FastCGIServer);
    assertEquals((await askServer(server)).text, "Hello /");
  });
}

Deno.test("serve() calls fetch as a method of what it was given", async () => {
  const app = {
    ...QUIET,
    name: "app",
    fetch() {
      return new Response(this.name);
    },
  };
  assertEquals((await askServer(serve(app))).text, "app");
});

for (
  const [what, first] of [
    ["nothing", undefined],
    ["null", null],
    ["options alone", { port: 0 }],
    ["a handler that is none", { handler: "hello" }],
    ["a string", "hello"],
  ] as const
) {
  Deno.test(`serve() of ${what} is an error`, () => {
    assertThrows(() => serve(first as never), TypeError, "Cannot serve");
  });
}

Deno.test("serve() refuses limits that are out of bounds", () => {
  assertThrows(
    () => serve({ ...QUIET, maxBodyBytes: -1 }, hello),
    RangeError,
    "maxBodyBytes",
  );
});

Deno.test("serve() honours the limits and the mount", async () => {
  const server = serve({ ...QUIET, maxBodyBytes: 3, mount: "/app" }, hello);
  using peer = await Peer.to(server);
  const large = await peer.ask(request({ body: "large" }));
  assertEquals(large.status, 413);
  const page = await peer.ask(request({ params: { REQUEST_URI: "/app/x" } }));
  assertEquals(page.text, "Hello /x");
  peer.close();
  await server.shutdown();
});

Deno.test("serve() listens on a Unix socket, with its mode", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/app.sock`;
    const told: unknown[] = [];
    const server = serve({
      path,
      mode: 0o600,
      onListen: (addr) => told.push(addr),
    }, hello);
    assertEquals(told, [{ transport: "unix", path }]);
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    assertEquals((await askServer(server)).text, "Hello /");
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("serve() tells onListen the address before it returns", async () => {
  const told: (Deno.Addr | null)[] = [];
  const server = serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: (addr) => told.push(addr),
  }, hello);
  assertEquals(told, [server.addr]);
  assert((server.addr as Deno.NetAddr).port > 0);
  await server.shutdown();
});

Deno.test("serve() tells the kind of its address by its options", async () => {
  // Checked by the compiler: nothing here is asserted to be of a type.
  const ports: number[] = [];
  const onListen = ({ port }: { port: number }) => void ports.push(port);
  const tell: typeof onListen = ({ port }) => onListen({ port });
  for (
    const start of [
      () => serve({ port: 0, onListen }, hello),
      () =>
        serve({
          port: 0,
          onListen: ({ port }) => tell({ port }),
          fetch: hello,
        }),
    ]
  ) {
    const server = start();
    assertEquals(ports.pop(), server.addr.port);
    assertEquals(server.addr.hostname, "127.0.0.1");
    await server.shutdown();
  }
  const folder = await Deno.makeTempDir();
  try {
    const paths: string[] = [];
    const server = serve({
      path: `${folder}/app.sock`,
      onListen: ({ path }) => void paths.push(path),
      handler: hello,
    });
    assertEquals(paths, [server.addr.path]);
    await server.shutdown();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("serve() says on one line where it listens", async () => {
  const { log } = console;
  const lines: string[] = [];
  console.log = (...line) => lines.push(line.join(" "));
  try {
    const server = serve({ port: 0 }, hello);
    const { port } = server.addr as Deno.NetAddr;
    assertEquals(lines, [`Listening for FastCGI on 127.0.0.1:${port}`]);
    await server.shutdown();
  } finally {
    console.log = log;
  }
});

Deno.test("serve() on an address in use is a StartError", async () => {
  await using server = serve(QUIET, hello);
  const { port } = server.addr as Deno.NetAddr;
  const error = assertThrows(
    () => serve({ ...QUIET, port }, hello),
    StartError,
  );
  assertEquals(error.code, "ADDRESS_IN_USE");
});

Deno.test("serve() stops when its signal fires, after what is under way", async () => {
  const controller = new AbortController();
  const began = gate();
  const mayAnswer = gate();
  const server = serve(
    { ...QUIET, signal: controller.signal },
    async () => {
      began.resolve();
      await mayAnswer.promise;
      return new Response("done");
    },
  );
  using peer = await Peer.to(server);
  await peer.send(request());
  await within(began.promise, "the handler");
  controller.abort();
  mayAnswer.resolve();
  assertEquals((await peer.answer()).text, "done");
  await within(server.finished, "the server to stop");
  await assertRejects(() => Peer.to(server), Deno.errors.ConnectionRefused);
});

Deno.test("serve() lets nobody find its Unix socket while it stops", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/app.sock`;
    const began = gate();
    const mayAnswer = gate();
    const server = serve({ path, onListen() {} }, async () => {
      began.resolve();
      await mayAnswer.promise;
      return new Response("done");
    });
    using peer = await Peer.to(server);
    await peer.send(request());
    await within(began.promise, "the handler");
    const finished = server.shutdown();
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
    mayAnswer.resolve();
    assertEquals((await peer.answer()).text, "done");
    await within(finished, "the server to stop");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("serve() with a signal that has fired stops at once", async () => {
  const server = serve({ ...QUIET, signal: AbortSignal.abort() }, hello);
  await within(server.finished, "the server to stop");
});

Deno.test("a server that has stopped is not held by its signal", async () => {
  const controller = new AbortController();
  const server = serve({ ...QUIET, signal: controller.signal }, hello);
  await server.shutdown();
  controller.abort();
  await server.finished;
});

Deno.test("serve() gives a server that is disposed of", async () => {
  let finished: Promise<void>;
  {
    await using server = serve(QUIET, hello);
    finished = server.finished;
    server.unref();
    server.ref();
  }
  await finished;
});
