// Starting a program with workers: where it listens, with what permissions, and
// what is said where it cannot start.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { isInstalled, Program } from "../support/program.ts";
import { Group, PROGRAM } from "./group.ts";
import { inFolder } from "../support/folder.ts";

const DENO = Deno.execPath();
const HELLO = new URL("../../examples/hello.ts", import.meta.url).pathname;

Deno.test("--workers serves every address from as many processes, which are told once they are ready", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a.sock`;
    const args = ["--bind", path, "--bind", "127.0.0.1:0", "--mode", "0640"];
    await using group = await Group.start({
      workers: 3,
      args: [...args, "--bind", "[::1]:0", "--workers", "3"],
    });
    const { output } = group.program;
    assertEquals(output.filter((line) => line.startsWith("start ")).length, 3);
    assertMatch(
      output.slice(3).join("\n"),
      /^(Listening.*\n){3}3 workers are ready$/,
    );
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o640);
    const all = new Set<number>();
    for (const target of group.targets) {
      for (const { pid, peer } of await group.each(target)) {
        all.add(pid);
        peer.close();
      }
    }
    assertEquals(all.size, 3);
    assert(!all.has(group.program.pid));
    assertEquals((await group.program.stop()).code, 0);
    await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
  }));

Deno.test({
  name: "--workers shares a socket that was inherited",
  ignore: !isInstalled("spawn-fcgi"),
  fn: () =>
    inFolder(async (folder) => {
      const path = `${folder}/a.sock`;
      const command = [DENO, "run", "-A", "--no-check", PROGRAM];
      const program = new Program("spawn-fcgi", {
        args: ["-s", path, "-n", "--", ...command, "--workers", "2"],
      });
      await using group = await Group.of(program);
      group.targets[0] = { path };
      assertEquals(
        program.output.filter((line) => line.startsWith("Listening")),
        ["Listening for FastCGI on descriptor 0"],
      );
      assertEquals((await group.pids()).length, 2);
      assertEquals((await program.stop()).code, 0);
    }),
});

Deno.test("--spawn counts addresses up, and gives each its own processes", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a.sock`;
    // One of two ports in a row may be taken: then on to the next two.
    for (let attempt = 1;; attempt++) {
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      listener.close();
      const bind = ["--bind", path, "--bind", `127.0.0.1:${port}`];
      const program = Group.spawn({
        args: [...bind, "--spawn=2", "--workers=2"],
      });
      let group: Group;
      try {
        group = await Group.of(program, 2);
      } catch (error) {
        if (attempt < 5 && /in use/.test(program.said)) continue;
        throw error;
      }
      await using running = group;
      assertEquals(running.targets, [
        { path },
        { hostname: "127.0.0.1", port },
        { path: `${path}.1` },
        { hostname: "127.0.0.1", port: port + 1 },
      ]);
      await program.until(/^4 workers are ready$/);
      const found: number[][] = [];
      for (const target of running.targets) {
        const known = await running.each(target);
        for (const { peer } of known) peer.close();
        found.push(known.map(({ pid }) => pid).sort());
      }
      assertEquals(found[0], found[1]);
      assertEquals(found[2], found[3]);
      assertEquals(new Set(found.flat()).size, 4);
      return;
    }
  }));

// Permissions

Deno.test("--workers needs two permissions more, and gives workers no more than the program has", async () => {
  const needed = ["--allow-net=127.0.0.1:0", `--allow-run=${DENO}`];
  const missing = Group.spawn({
    flags: ["--allow-net=127.0.0.1:0"],
    main: HELLO,
  });
  await using _ = missing;
  assertEquals((await missing.end()).code, 1);
  assertEquals(missing.errors, [
    `smisk: No permission to start workers: add --allow-run=${DENO} --allow-env`,
  ]);
  await using group = await Group.start({ flags: [...needed, "--allow-env"] });
  assertEquals((await group.pids()).length, 2);
  assertEquals(JSON.parse(await group.ask("/permissions")), [
    "prompt",
    "prompt",
    "prompt",
    "prompt",
  ]);
});

Deno.test("--workers hands on what was permitted with its bounds, and the environment", () =>
  inFolder(async (folder) => {
    await using group = await Group.start({
      flags: ["--allow-net", `--allow-run=${DENO}`, "--allow-env"],
      env: { LD_SOMETHING: "which the runtime passes to nobody" },
    });
    assertEquals(JSON.parse(await group.ask("/permissions")), [
      "granted",
      "prompt",
      "prompt",
      "prompt",
    ]);
    // What makes a process a worker is not handed on.
    await using moved = await Group.start({
      args: ["--bind=127.0.0.1:0", "--workers=2", "--chdir", folder],
    });
    const [variable, directory] = JSON.parse(await moved.ask("/environment"));
    assertEquals([variable, directory], [null, await Deno.realPath(folder)]);
  }));

// Where it cannot start

async function failed(
  program: Program,
): Promise<{ code: number; output: string[]; errors: string[] }> {
  await using failing = program;
  const { code } = await failing.end();
  return { code, output: failing.output, errors: failing.errors };
}

Deno.test("--workers of a program that fails to start ends with status 1, and says why", async () => {
  const { code, output, errors } = await failed(
    Group.spawn({ env: { START: "fail" } }),
  );
  assertEquals([code, output], [1, []]);
  assertMatch(errors.join("\n"), /Error: on purpose\n.*applicationWillStart/s);
  assertMatch(
    errors.at(-1)!,
    /^smisk: Worker [12] \(process \d+\) ended with status 1 before it was ready$/,
  );
});

Deno.test("--workers says in one line that an address is in use, and leaves nothing behind", () =>
  inFolder(async (folder) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const taken = `127.0.0.1:${listener.addr.port}`;
      const { code, output, errors } = await failed(
        Group.spawn({
          args: ["--bind", `${folder}/a`, "--bind", taken, "--workers", "2"],
        }),
      );
      assertEquals([code, output, errors.length], [1, [], 1]);
      assert(errors[0]!.includes(`${taken}: the address is in use`), errors[0]);
      await assertRejects(() => Deno.lstat(`${folder}/a`));
    } finally {
      listener.close();
    }
  }));

for (
  const [args, code, why] of [
    [["--workers", "2", "--http"], 2, "--http serves from one process"],
    [["--spawn", "2", "--http"], 2, "--http serves from one process"],
    [["--workers", "2", "--mode", "0600"], 2, "--mode is for a Unix socket"],
    [
      ["--workers", "2", "--bind", ":0", "--watch"],
      2,
      "Unknown option --watch",
    ],
  ] as const
) {
  Deno.test(`run() exits with status ${code} where it is told ${args.join(" ")}`, async () => {
    const ended = await failed(Group.spawn({ args }));
    assertEquals([ended.code, ended.errors.length], [code, 1]);
    assert(ended.errors[0]!.startsWith(`smisk: ${why}`), ended.errors[0]);
  });
}

Deno.test("--workers under --watch is refused", async () => {
  await using program = Group.spawn({ flags: ["-A", "--watch"] });
  await program.until(
    /^smisk: Cannot start workers: there can be none under "--watch"$/,
  );
});

Deno.test("run() with workers starts them without a command line, and throws", async () => {
  const code = `
    import { Application, StartError } from "@smisk/smisk";
    const app = new Application();
    for (const workers of [0, 1.5]) {
      await app.run({ workers }).catch((error) => console.log(error.name));
    }
    await app.run({ bind: { port: 0 }, workers: 2 });
    await app.run({ bind: { hostname: "192.0.2.1", port: 1 }, workers: 1 })
      .catch((error) => console.log(error instanceof StartError, error.code));
  `;
  await using program = new Program(DENO, {
    args: ["eval", "--quiet", code, "--bogus"],
  });
  const group = await Group.of(program);
  assertMatch(await group.ask(), /No services available/);
  program.signal("SIGTERM");
  assertEquals((await program.end()).code, 0);
  const said = program.output.filter((line) => /^(Range|true)/.test(line));
  // Each process says the first two; this one all.
  assertEquals(said.filter((line) => line === "RangeError").length, 6);
  assertEquals(said.at(-1), "true CANNOT_LISTEN");
});

Deno.test("smisk serve starts workers of a module", async () => {
  const CLI = new URL("../../src/cli/cli.ts", import.meta.url).pathname;
  await inFolder(async (folder) => {
    const module = `${folder}/module.ts`;
    await Deno.writeTextFile(
      module,
      "export default { fetch: () => new Response(String(Deno.pid)) };",
    );
    const args = ["serve", module, "--bind=127.0.0.1:0", "--workers=2"];
    const config = new URL("../../deno.json", import.meta.url).pathname;
    await using group = await Group.start({
      main: CLI,
      flags: ["-A", "--config", config],
      args,
    });
    const pid = Number(await group.ask());
    assert(pid > 0 && pid !== group.program.pid, `${pid}`);
    assertEquals((await group.program.stop()).code, 0);
  });
});
