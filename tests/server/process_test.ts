// The server as a process: what its environment and its permissions change,
// when it ends by itself, and what must not end it.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { within } from "../support/peer.ts";
import type { Peer } from "../support/peer.ts";
import { END, request, STDOUT } from "../support/wire.ts";
import { ServerProcess } from "./server_process.ts";

const ADDRS = "FCGI_WEB_SERVER_ADDRS";

for (
  const [list, isServed] of [
    ["127.0.0.1", true],
    ["10.0.0.1,127.0.0.1", true],
    ["10.0.0.1,10.0.0.2", false],
  ] as const
) {
  Deno.test(`${ADDRS} of ${list} ${isServed ? "serves" : "closes"} a connection from 127.0.0.1`, async () => {
    await using program = new ServerProcess({ env: { [ADDRS]: list } });
    using peer = await program.connect();
    if (isServed) {
      assertEquals((await peer.ask(request())).text, "ok");
      return;
    }
    assertEquals(await peer.toEnd(), []);
    assertStringIncludes(await program.stop(), "127.0.0.1");
  });
}

Deno.test(`${ADDRS} that cannot be read is passed over without a prompt`, async () => {
  await using program = new ServerProcess({
    env: { [ADDRS]: "10.0.0.1" },
    permissions: ["--allow-net"],
  });
  using peer = await program.connect();
  assertEquals((await peer.ask(request())).text, "ok");
  assertEquals(await program.stop(), "");
});

Deno.test(`${ADDRS} that is malformed is an error that shows it`, async () => {
  await using program = new ServerProcess({
    env: { [ADDRS]: "127.0.0.1,nowhere" },
  });
  const { success } = await within(program.status, "the program to end");
  assertEquals(success, false);
  assertStringIncludes(await program.stop(), '"nowhere"');
});

Deno.test("a server keeps the process, after unref() it does not", async () => {
  await using kept = new ServerProcess({ argument: "ref" });
  await using free = new ServerProcess({ argument: "unref" });
  const { success } = await within(free.status, "the program to end");
  assertEquals(success, true);
  using peer = await kept.connect();
  assertEquals((await peer.ask(request())).text, "ok");
});

Deno.test("unref() lets a process end whose connections wait for requests", async () => {
  const asked = (path: string) => request({ params: { REQUEST_URI: path } });
  await using kept = new ServerProcess();
  await using free = new ServerProcess();
  using held = await free.connect();
  assertEquals((await held.ask(request())).text, "ok");
  using asking = await free.connect();
  assertEquals((await asking.ask(asked("/unref"))).text, "ok");
  const { success } = await within(free.status, "the program to end");
  assertEquals(success, true);
  using peer = await kept.connect();
  for (const path of ["/unref_ref", "/"]) {
    assertEquals((await peer.ask(asked(path))).text, "ok");
  }
});

Deno.test("promises that nobody awaits do not end the process when the client goes away", async () => {
  await using program = new ServerProcess();
  for (let i = 0; i < 5; i++) {
    using peer = await program.connect();
    await peer.send(request({ params: { REQUEST_URI: "/forgetful" } }));
    await peer.until(({ type }) => type === STDOUT);
  }
  // Each has been noticed once the descriptors are gone.
  const open = () => [...Deno.readDirSync(`/proc/${program.pid}/fd`)].length;
  using peer = await program.connect();
  // An answer says that this connection has been accepted, and so is counted.
  assertEquals((await peer.ask(request())).text, "ok");
  const before = open();
  using other = await program.connect();
  assertEquals((await other.ask(request())).text, "ok");
  assert(open() <= before + 1, `${open()} descriptors after ${before}`);
  assertEquals((await peer.ask(request({ id: 2 }), 2)).text, "ok");
  assertEquals(await program.stop(), "");
});

Deno.test("FCGI_ABORT_REQUEST with promises that nobody awaits does not end the process", async () => {
  await using program = new ServerProcess();
  using peer = await program.connect();
  for (let id = 1; id <= 5; id++) {
    await peer.send(request({ id, params: { REQUEST_URI: "/forgetful" } }));
    await peer.until((record) => record.id === id && record.type === STDOUT);
    await peer.send(new Uint8Array([1, 2, 0, id, 0, 0, 0, 0]));
    await peer.until((record) => record.id === id && record.type === END);
  }
  assertEquals((await peer.ask(request({ id: 9 }), 9)).text, "ok");
  assertEquals(await program.stop(), "");
});

Deno.test("a server that has no descriptor left goes on once there is one", async () => {
  await using program = new ServerProcess({ descriptors: 60 });
  const peers: Peer[] = [];
  for (let i = 0; i < 100; i++) peers.push(await program.connect());
  // The first were accepted before there was none.
  assertEquals((await peers[0]!.ask(request())).text, "ok");
  const last = peers.pop()!;
  await last.send(request());
  for (const peer of peers) peer.close();
  assertEquals((await last.answer()).text, "ok");
  last.close();
  const log = await program.stop();
  assertStringIncludes(log, "Cannot accept a connection");
  assertEquals(log.trim().split("\n").length, 1);
});
