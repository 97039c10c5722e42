// Started with a listening socket by what is no web server: spawn-fcgi, and
// systemd's socket activation.

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { DEADLINE_MS, Peer, within } from "../support/peer.ts";
import type { Target } from "../support/peer.ts";
import { gone } from "../support/processes.ts";
import { Program } from "../support/program.ts";
import { request } from "../support/wire.ts";
import { Control, saying } from "./control.ts";
import { Folder } from "./folder.ts";
import { appCommand, PERMISSIONS } from "./program.ts";
import { freePorts } from "./site.ts";
import { suiteWith } from "./suite.ts";
import { denoCache } from "./web_server.ts";

const COMMAND = appCommand({ permissions: PERMISSIONS.inherited });

/** Asks for a path on a connection of its own. */
async function ask(target: Target, path: string): Promise<string> {
  using peer = await Peer.connect(target);
  const answer = await peer.ask(request({ params: { REQUEST_URI: path } }));
  assertEquals(answer.status, 200);
  return answer.text;
}

/** Starts the program with spawn-fcgi, which becomes it once it listens. */
async function withSpawned(
  listen: readonly string[],
  test: (spawned: Program) => Promise<void>,
): Promise<void> {
  const spawned = new Program("spawn-fcgi", {
    args: [...listen, "-n", "--", ...COMMAND],
  });
  try {
    await spawned.until(/Listening for FastCGI on descriptor 0/);
    await test(spawned);
  } finally {
    await spawned.stop();
  }
}

suiteWith(["spawn-fcgi"], "Application started by spawn-fcgi", () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGUSR1"] as const) {
    it(`finishes what is under way at ${signal}`, async () => {
      await using folder = new Folder();
      const path = `${folder.path}/app.sock`;
      await withSpawned(["-s", path], async (spawned) => {
        using control = new Control();
        const answers = Array.from(
          { length: 3 },
          () => ask({ path }, `/stream?${control.query}`),
        );
        for (const answer of answers) answer.catch(() => {});
        const lines = [];
        for (const _ of answers) lines.push(await control.line());
        for (const line of lines) {
          assertEquals(await saying(line, "that it began"), "flushed");
        }
        spawned.signal(signal);
        for (const line of lines) await line.say("go on");
        for (const answer of answers) {
          assertEquals(await answer, "first\nsecond\n");
        }
        const status = await spawned.end();
        assertEquals([status.code, status.signal], [0, null]);
      });
    });
  }

  it("serves on a TCP socket", async () => {
    for (let attempt = 1;; attempt++) {
      const [port] = freePorts(1) as [number];
      const target = { hostname: "127.0.0.1", port };
      const listen = ["-a", target.hostname, "-p", `${port}`];
      try {
        return await withSpawned(listen, async (spawned) => {
          for (let i = 0; i < 3; i++) {
            assertEquals(await ask(target, "/"), "Hello World!");
          }
          const status = await spawned.stop("SIGTERM");
          assertEquals([status.code, status.signal], [0, null]);
        });
      } catch (error) {
        // Another program was faster.
        if (attempt === 5 || !/already in use/.test(`${error}`)) throw error;
      }
    }
  });

  it("runs in several processes that share a socket", async () => {
    await using folder = new Folder();
    const path = `${folder.path}/app.sock`;
    const { stdout, success } = await new Deno.Command("spawn-fcgi", {
      args: ["-s", path, "-F", "3", "--", ...COMMAND],
    }).output();
    assert(success);
    const said = new TextDecoder().decode(stdout);
    const pids = new Set(
      Array.from(said.matchAll(/PID: (\d+)/g), ([, pid]) => Number(pid)),
    );
    assertEquals(pids.size, 3, said);
    try {
      // One that ends leaves the others their socket, to the last.
      while (pids.size > 0) {
        const pid = Number(await ask({ path }, "/pid"));
        assert(pids.delete(pid), `${pid} is none of ${[...pids]}`);
        Deno.kill(pid, "SIGTERM");
        await gone(pid, DEADLINE_MS);
      }
    } finally {
      for (const pid of pids) Deno.kill(pid, "SIGKILL");
    }
  });
});

/** How a program is given the socket by systemd's tool. */
const ACTIVATED: [how: string, command: readonly string[]][] = [
  [
    "as descriptor 3",
    appCommand({
      file: "activated.ts",
      permissions: PERMISSIONS.inherited,
    }),
  ],
  // As of a unit with StandardInput=socket.
  ["as descriptor 0", [
    "/bin/sh",
    "-c",
    'exec "$@" 0<&3 3<&-',
    "sh",
    ...COMMAND,
  ]],
];

suiteWith(
  ["systemd-socket-activate"],
  "Application started by systemd's socket activation",
  () => {
    for (const [how, command] of ACTIVATED) {
      it(`takes the socket ${how}`, async () => {
        await using folder = new Folder();
        const path = `${folder.path}/app.sock`;
        await using activated = new Program("systemd-socket-activate", {
          args: [
            `--listen=${path}`,
            `--setenv=DENO_DIR=${await denoCache()}`,
            ...command,
          ],
        });
        await activated.until(/Listening on /);
        // It is started by the first connection, which waits for it.
        using peer = await Peer.connect({ path });
        for (let i = 0; i < 3; i++) {
          assertEquals((await peer.ask(request())).text, "Hello World!");
        }
        peer.close();
        const status = await activated.stop("SIGTERM");
        assertEquals([status.code, status.signal], [0, null]);
        // It was made by systemd, and is not the program's to remove.
        assert((await within(Deno.lstat(path), "the file")).isSocket);
      });
    }
  },
);
