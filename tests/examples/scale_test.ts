// examples/scale keeps what its README promises, under load.

import { assert, assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { config } from "../../src/cli/config.ts";
import { haproxy } from "../live/servers/haproxy.ts";
import { Folder } from "../live/site.ts";
import { suiteWith } from "../live/suite.ts";
import { NAMES, Scaled } from "./scaled.ts";
import type { Name } from "./scaled.ts";
import { Load } from "./visitors.ts";

const EXAMPLE = new URL("../../examples/scale/", import.meta.url);

/** Kills an instance, and waits until HAProxy has taken it out. */
async function kill(scaled: Scaled, name: Name): Promise<void> {
  await scaled.program(name).stop("SIGKILL");
  await scaled.until(name, "down", ({ status }) => status === "DOWN");
}

/** Starts one again, and waits until HAProxy has brought it back. */
async function bringBack(scaled: Scaled, name: Name): Promise<void> {
  await scaled.run(name);
  await scaled.until(name, "up", ({ status }) => status === "UP");
}

suiteWith([haproxy, "redis-server"], "examples/scale", () => {
  it("answers every GET while one instance is killed, one reloaded, one stopped", async () => {
    await using folder = new Folder();
    await using scaled = await Scaled.start(folder.path);
    await using load = new Load(scaled.port, Array(8).fill("GET"));
    for (const name of NAMES) await load.another(name);
    await load.more(200);
    assertEquals(load.beyond, 0);
    // Connections to the instances are kept.
    const { reuse, stot } = await scaled.told("BACKEND");
    assert(Number(reuse) > Number(stot) / 2, `${reuse} of ${stot}`);

    const killed = load.pids.get("one");
    await kill(scaled, "one");
    load.pids.delete("one");
    await load.more(200);
    assertEquals([...load.pids.keys()].sort(), ["three", "two"]);
    // What it had counted and not answered was counted again.
    const repeated = load.beyond;
    const { wretr } = await scaled.told("BACKEND");
    const most = Number(wretr) + load.again;
    assert(repeated <= most, `${repeated} of ${most} repeated`);
    await bringBack(scaled, "one");
    await load.another("one", killed);

    // Nobody answers and counts twice from here on.
    const reloaded = load.pids.get("two");
    scaled.program("two").signal("SIGHUP");
    await scaled.program("two").until(/^smisk: Reloaded 2 workers$/);
    await load.another("two", reloaded);
    await load.more(200);

    const stopped = load.pids.get("three");
    scaled.program("three").signal("SIGTERM");
    assertEquals((await scaled.program("three").end()).code, 0);
    await load.more(200);
    await bringBack(scaled, "three");
    await load.another("three", stopped);
    await load.more(200);

    if (load.count < 2000) await load.more(2000 - load.count);
    await load.end();
    assertEquals([load.beyond, load.failed], [repeated, 0]);
    // HAProxy asks again by itself, nearly always.
    assert(load.again <= 8, `${load.again} asked again`);
    // They kept their connections.
    const front = await scaled.told("FRONTEND");
    const connections = Number(front.conn_tot);
    assert(connections < load.count / 10, `${connections} connections`);
  });

  it("loses no POST where an instance is drained first, and what a killed one has at most", async () => {
    await using folder = new Folder();
    await using scaled = await Scaled.start(folder.path);
    await using load = new Load(scaled.port, [
      ...Array(4).fill("GET"),
      ...Array(4).fill("POST"),
    ]);
    for (const name of NAMES) await load.another(name);
    for (const name of ["one", "two"] as const) {
      const before = load.pids.get(name);
      await scaled.set(name, "drain");
      await scaled.until(name, "drained", ({ scur }) => scur === "0");
      const program = scaled.program(name);
      if (name === "one") {
        program.signal("SIGTERM");
        assertEquals((await program.end()).code, 0);
        await load.more(200);
        await scaled.run(name);
      } else {
        program.signal("SIGHUP");
        await program.until(/^smisk: Reloaded 2 workers$/);
      }
      // Whom the connections led to is gone.
      await scaled.until(name, "left", (told) => told.srv_icur === "0");
      await scaled.set(name, "ready");
      await load.another(name, before);
      await load.more(200);
    }
    assertEquals([load.beyond, load.failed], [0, 0]);

    await kill(scaled, "three");
    const lost = load.failed;
    // Each of the four what it was asking, and once more at the most, on a
    // connection that was not quite dead.
    assert(lost <= 8, `${lost} lost`);
    await load.more(200);
    await load.end();
    assertEquals(load.failed, lost);
    for (const { method, beyond, failed } of load.visitors) {
      // A POST is never repeated: one more only for one that was lost.
      if (method === "POST") assert(beyond <= failed, `${beyond}, ${failed}`);
    }
  });

  it("is configured by what smisk config prints, and a socket", () => {
    const shown = Deno.readTextFileSync(new URL("haproxy.cfg", EXAMPLE));
    const [, command] = /^# {3}smisk config (.*?)\n\n/ms.exec(shown)!;
    const lines = shown.split("\n").filter((line) =>
      !line.startsWith("#") && line !== "" && !line.includes("stats socket")
    );
    assertEquals(
      lines,
      config(command!.replaceAll(/\\\n#/g, "").split(/\s+/)).trim().split("\n"),
    );
  });
});
