// run() where it cannot be: what is said, and with which status it ends.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { isInstalled, Program } from "../support/program.ts";
import { deno, ended, HELLO, hello, program } from "./programs.ts";

for (const flag of ["--bind", "--http"]) {
  Deno.test(`run() says in one line that the address of ${flag} is in use, and leaves nothing behind`, async () => {
    const folder = await Deno.makeTempDir();
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const path = `${folder}/a.sock`;
      const taken = `127.0.0.1:${listener.addr.port}`;
      const { code, output, errors } = await ended(
        deno(["-A", HELLO, "--bind", path, flag, taken], {}),
      );
      assertEquals([code, output, errors.length], [1, [], 1]);
      assertMatch(errors[0]!, /^smisk: /);
      assert(errors[0]!.includes(`${taken}: the address is in use`), errors[0]);
      await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
    } finally {
      listener.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

const NO_PERMISSION: [
  name: string,
  allowed: string[],
  args: string[],
  flag: string,
][] = [
  ["nothing", [], ["--bind", "127.0.0.1:0"], "--allow-net=127.0.0.1:0"],
  [
    "another address",
    ["--allow-net=127.0.0.1:1"],
    [],
    "--allow-net=127.0.0.1:9000",
  ],
  [
    "the network alone, and a Unix socket is wanted",
    ["--allow-net"],
    ["--bind", "/nowhere/a.sock"],
    "--allow-read=/nowhere/a.sock --allow-write=/nowhere/a.sock",
  ],
  [
    "nothing, and a Unix socket with an odd name is wanted",
    [],
    ["--bind", "/no where/a'$.sock"],
    `'--allow-net=unix:/no where/a'\\''$.sock' '--allow-read=/no where/a'\\''$.sock' '--allow-write=/no where/a'\\''$.sock'`,
  ],
  [
    "nothing, and its name has a comma",
    ["--allow-net"],
    ["--bind", "/nowhere/a,b.sock"],
    "--allow-read --allow-write",
  ],
  [
    "nothing, and two addresses, a directory, a umask and a pid file are wanted",
    [],
    "--bind 127.0.0.1:0 --bind b.sock --bind /a.sock --chdir /no --umask 077 --pidfile p"
      .split(" ").map((word) => word === "b.sock" ? "unix:b.sock" : word),
    "--allow-read=/no,/no/b.sock,/a.sock,/no/p --allow-sys --allow-net=127.0.0.1:0,unix:/no/b.sock,unix:/a.sock --allow-write=/no/b.sock,/a.sock,/no/p",
  ],
  [
    "FastCGI alone, and HTTP is wanted",
    ["--allow-net=127.0.0.1:0"],
    ["--bind", "127.0.0.1:0", "--http", "127.0.0.1:1"],
    "--allow-net=127.0.0.1:1",
  ],
  [
    "nothing, and HTTP is wanted",
    [],
    ["--bind", "127.0.0.1:0", "--http", "127.0.0.1:1"],
    "--allow-net=127.0.0.1:0,127.0.0.1:1",
  ],
  [
    "nothing, and HTTP and a pid file are wanted, but no address is told",
    [],
    ["--http", "127.0.0.1:1", "--pidfile=/p"],
    "--allow-net=127.0.0.1:9000,127.0.0.1:1 --allow-read=/p --allow-write=/p",
  ],
  [
    "nothing, and HTTP is wanted, but no address is told",
    [],
    ["--http", "127.0.0.1:1"],
    "--allow-net=127.0.0.1:9000,127.0.0.1:1",
  ],
];

for (const [name, allowed, args, flag] of NO_PERMISSION) {
  Deno.test(`run() names the permission that is missing where it may use ${name}`, async () => {
    const { code, output, errors } = await ended(
      // Set, and not to be looked at without permission.
      deno([...allowed, HELLO, ...args], {
        env: { SMISK_BIND: "127.0.0.1:2" },
      }),
    );
    assertEquals([code, output, errors.length], [1, [], 1]);
    assert(errors[0]!.endsWith(`add ${flag}`), errors[0]);
  });
}

Deno.test({
  name: "run() does not prompt at a terminal",
  // script(1) gives a program a terminal.
  ignore: !isInstalled("script"),
  async fn() {
    const command = [Deno.execPath(), "run", "--no-check", HELLO].join(" ");
    await using running = new Program("script", {
      args: ["-qec", command, "/dev/null"],
    });
    const { code } = await running.end();
    assertEquals(code, 1);
    const said = running.said.replaceAll("\r", "").trim();
    assertEquals(
      said,
      "smisk: No permission to listen on 127.0.0.1:9000: add --allow-net=127.0.0.1:9000",
    );
  },
});

const WRONG: [args: string[], env: Record<string, string>, why: string][] = [
  [["--bogus"], {}, "Unknown option --bogus"],
  [["--bind", "nowhere"], {}, '--bind: "nowhere" is no address'],
  [[], { SMISK_BIND: "nowhere" }, 'SMISK_BIND: "nowhere" is no address'],
  [
    ["--bind", "127.0.0.1:0", "--mode", "0600"],
    {},
    "--mode is for a Unix socket",
  ],
  [["--bind", "/nowhere/a.sock", "--allow", "::1"], {}, "--allow is for TCP"],
  [["--chdir", "/nowhere", "--mode", "x"], {}, '--mode: "x" is no permission'],
];

for (const [args, env, why] of WRONG) {
  Deno.test(`run() exits with status 2 where it is told ${JSON.stringify([...args, env])}`, async () => {
    const { code, output, errors } = await ended(program(args, { env }));
    assertEquals([code, output, errors.length], [2, [], 1]);
    assert(errors[0]!.startsWith(`smisk: ${why}`), errors[0]);
  });
}

Deno.test("run() exits with status 2 at --mode where no address is told, before it listens", async () => {
  const { code, output, errors } = await ended(hello(["--mode", "0600"]));
  assertEquals([code, output, errors.length], [2, [], 1]);
  assert(
    errors[0]!.startsWith("smisk: --mode is for a Unix socket"),
    errors[0],
  );
});

Deno.test("run() passes on what applicationWillStart() throws, with all closed", async () => {
  const { code, output, errors } = await ended(
    program(["--bind", "127.0.0.1:0"], { env: { FAIL: "start" } }),
  );
  assertEquals(code, 1);
  assertEquals(output.includes("after run()"), false);
  // No fault of whoever started it: with its stack.
  assertMatch(
    errors.join("\n"),
    /Error: on purpose\n.*\n.*applicationWillStart/s,
  );
});

Deno.test("run() says in one line that FCGI_WEB_SERVER_ADDRS is malformed, and never listens", async () => {
  const { code, output, errors } = await ended(
    deno(["-A", HELLO, "--bind", "127.0.0.1:0"], {
      env: { FCGI_WEB_SERVER_ADDRS: "nonsense" },
    }),
  );
  assertEquals([code, output, errors.length], [1, [], 1]);
  assertMatch(errors[0]!, /^smisk: .*FCGI_WEB_SERVER_ADDRS.*"nonsense"/);
});
