// Where the access log goes, as whoever runs a program sees it.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import {
  deno,
  ended,
  listening,
  PROGRAM,
  program,
} from "../command/programs.ts";
import { within } from "../support/peer.ts";
import type { Program } from "../support/program.ts";
import { Running } from "../support/running.ts";
import { inFolder } from "../support/folder.ts";

const FORMAT = "--access-format=%m %r %s";

async function get(running: Program, ...paths: string[]): Promise<void> {
  await using client = new FastCGIClient(await listening(running));
  for (const path of paths) {
    const response = await within(
      client.fetch(new Request(`http://test${path}`)),
      "an answer",
    );
    await response.text();
  }
}

Deno.test("--access-log has every line when the program has stopped, and its file is nobody else's", async () => {
  await inFolder(async (folder) => {
    const log = `${folder}/access.log`;
    await using running = deno([
      "--allow-net",
      "--allow-env",
      `--allow-write=${log}`,
      PROGRAM,
      "--bind=127.0.0.1:0",
      `--access-log=${log}`,
      FORMAT,
    ], {});
    const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
    await get(running, ...paths);
    assertEquals((await running.stop()).code, 0);
    assertEquals(running.errors, []);
    assertEquals(
      await Deno.readTextFile(log),
      paths.map((path) => `GET ${path} 200\n`).join(""),
    );
    assertEquals((await Deno.stat(log)).mode! & 0o007, 0);
  });
});

Deno.test("--access-log has every line when the program exits by itself, in whatever way", async () => {
  await inFolder(async (folder) => {
    for (const how of ["exit", "throw", "reject"]) {
      const log = `${folder}/${how}.log`;
      await using running = program(
        ["--bind=127.0.0.1:0", "--access-log", log, FORMAT],
        { env: { END: how } },
      );
      await get(running, "/", "/end");
      await running.end();
      assertEquals(
        await Deno.readTextFile(log),
        "GET / 200\nGET /end 200\n",
        how,
      );
    }
  });
});

for (
  const [name, output] of [
    ["stdout", "output"],
    ["-", "output"],
    ["/dev/stderr", "errors"],
  ] as const
) {
  Deno.test(`--access-log ${name} writes to the ${output} of the program, with no permission`, async () => {
    await using running = deno([
      "--allow-net",
      "--allow-env",
      PROGRAM,
      "--bind=127.0.0.1:0",
      "--access-log",
      name,
      FORMAT,
    ], {});
    await get(running, "/a");
    // It needs no stop.
    await running.until(/^GET \/a 200$/);
    assert(running[output].includes("GET /a 200"));
    assertEquals((await running.stop()).code, 0);
  });
}

Deno.test("--access-log goes on in a new file when its own was renamed", async () => {
  await inFolder(async (folder) => {
    const accessLog = `${folder}/access.log`;
    const running = new Running((_, response) => {
      response.write("hello");
    }, { accessLog, accessFormat: "%r" });
    const { app } = running;
    const get = async (path: string) => {
      const server = app.listen({ hostname: "127.0.0.1", port: 0 });
      await using client = new FastCGIClient({
        port: (server.addr as Deno.NetAddr).port,
      });
      await (await client.fetch(new Request(`http://test${path}`))).text();
      // A stop writes what waits.
      await within(server.shutdown(), "the server to stop");
    };
    try {
      await get("/1");
      await Deno.rename(accessLog, `${accessLog}.1`);
      await get("/2");
      await Deno.remove(accessLog);
      await get("/3");
    } finally {
      await running[Symbol.asyncDispose]();
    }
    assertEquals(await Deno.readTextFile(`${accessLog}.1`), "/1\n");
    assertEquals(await Deno.readTextFile(accessLog), "/3\n");
    assertEquals(running.logged, []);
  });
});

Deno.test("--access-log says what keeps it from being written, and loses nothing of a pause", async () => {
  await inFolder(async (folder) => {
    const log = `${folder}/logs/access.log`;
    await Deno.mkdir(`${folder}/logs`);
    await using running = program([
      "--bind=127.0.0.1:0",
      "--access-log",
      log,
      FORMAT,
    ]);
    await listening(running);
    await Deno.rename(`${folder}/logs`, `${folder}/away`);
    await get(running, "/1");
    await running.until(
      /^smisk: Cannot write the log .*, trying again: .*No such file/,
    );
    await get(running, "/2");
    await Deno.mkdir(`${folder}/logs`);
    await running.until(/^smisk: Writes the log .*access\.log again$/);
    await get(running, "/3");
    assertEquals((await running.stop()).code, 0);
    assertEquals(
      await Deno.readTextFile(log),
      "GET /1 200\nGET /2 200\nGET /3 200\n",
    );
    assertEquals(running.errors.length, 2);
  });
});

Deno.test("--access-log says how many lines a stop has lost that could not be written", async () => {
  await inFolder(async (folder) => {
    const log = `${folder}/logs/access.log`;
    await Deno.mkdir(`${folder}/logs`);
    await using running = program(["--bind=127.0.0.1:0", "--access-log", log]);
    await listening(running);
    await Deno.remove(`${folder}/logs`, { recursive: true });
    await get(running, "/1", "/2");
    assertEquals((await running.stop()).code, 0);
    assertMatch(
      running.errors.at(-1)!,
      /^smisk: 2 lines of the log .* were lost$/,
    );
  });
});

const WRONG: [args: string[], status: number, why: RegExp][] = [
  [
    ["--access-log=/nowhere/access.log"],
    1,
    /^smisk: Cannot write the log \/nowhere\/access\.log: .*No such file/,
  ],
  [["--access-log=/"], 1, /^smisk: Cannot write the log \/: /],
  [["--access-log", "-", "--access-format", "%y"], 2, /%y is no token/],
  [
    ["--access-format=json"],
    2,
    /accessFormat to "json": there is no accessLog/,
  ],
  [
    ["--ping=/x", "--status=/x"],
    2,
    /statusPath to "\/x": that is the pingPath/,
  ],
];

for (const [args, status, why] of WRONG) {
  Deno.test(`run() exits with status ${status} before it listens where it is told ${args.join(" ")}`, async () => {
    const { code, output, errors } = await ended(
      program(["--bind=127.0.0.1:0", ...args]),
    );
    assertEquals([code, output, errors.length], [status, [], 1]);
    assertMatch(errors[0]!, why);
  });
}

Deno.test("run() names the permission that --access-log needs, with all others", async () => {
  const { code, errors } = await ended(
    deno(
      [PROGRAM, "--bind=127.0.0.1:0", "--access-log=a.log", "--chdir=/no"],
      {},
    ),
  );
  assertEquals([code, errors], [
    1,
    [
      "smisk: No permission to go to /no and to listen on 127.0.0.1:0 and to write the log /no/a.log: add --allow-read=/no --allow-net=127.0.0.1:0 --allow-write=/no/a.log",
    ],
  ]);
});
