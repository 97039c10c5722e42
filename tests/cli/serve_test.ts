// smisk serve: what a module may export, and what is said where it does not.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { listening } from "../command/programs.ts";
import { inFolder } from "../observe/folder.ts";
import { within } from "../support/peer.ts";
import { ran, smisk } from "./smisk.ts";

const MOD = new URL("../../mod.ts", import.meta.url).href;

const MODULES: [name: string, code: string, expected: string][] = [
  [
    "a class of application",
    `import { Application } from "${MOD}";
     export default class extends Application {
       service() { this.response.write("class " + this.request.url.pathname); }
     }`,
    "class /a",
  ],
  [
    "an application",
    `import { Application } from "${MOD}";
     class Own extends Application {
       service() { this.response.write("instance " + this.request.url.pathname); }
     }
     export default new Own({ mount: "/a" });`,
    "instance /",
  ],
  [
    "an object with fetch",
    `export default { fetch: (request) => new Response("fetch " + new URL(request.url).pathname) };`,
    "fetch /a",
  ],
  [
    "an object of a class with fetch",
    `class Router { #name = "router"; fetch(request) { return new Response(this.#name + new URL(request.url).pathname); } }
     export default new Router();`,
    "router/a",
  ],
  [
    "a class with fetch",
    `export default class Router { #name = "new router"; fetch(request) { return new Response(this.#name + new URL(request.url).pathname); } }`,
    "new router/a",
  ],
  [
    "a WSGI-style function",
    `export default function (env, startResponse) {
       startResponse("200 OK", [["Content-Type", "text/plain"]]);
       return ["wsgi ", env.PATH_INFO];
     }`,
    "wsgi /a",
  ],
];

for (const [name, code, expected] of MODULES) {
  Deno.test(`smisk serve serves ${name}`, async () => {
    await inFolder(async (folder) => {
      // A path that is none in a URL.
      const path = `${folder}/a b#c%20d?.js`;
      await Deno.writeTextFile(path, code);
      await using running = smisk(["serve", path, "--bind=127.0.0.1:0"]);
      await using client = new FastCGIClient(await listening(running));
      const response = await within(
        client.fetch(new Request("http://test/a")),
        "an answer",
      );
      assertEquals(await response.text(), expected);
      assertEquals((await running.stop()).code, 0);
      assertEquals([running.output.length, running.errors], [1, []]);
    });
  });
}

Deno.test("smisk serve takes every option of a program, and a module from where --chdir leads", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(
      `${folder}/app.js`,
      `setInterval(() => {}, 1000);
       export default { fetch: () => new Response("here") };`,
    );
    await using running = smisk([
      "serve",
      "--chdir",
      folder,
      "--bind=unix:a.sock",
      "app.js",
      "--mode=0600",
      "--pidfile=own.pid",
      "--access-log=access.log",
      "--access-format=%s",
      "--ping=/ping",
    ]);
    await running.until(/^Listening for FastCGI on unix:a\.sock$/);
    const path = `${folder}/a.sock`;
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    assertEquals(
      await Deno.readTextFile(`${folder}/own.pid`),
      `${running.pid}\n`,
    );
    {
      await using client = new FastCGIClient({ path });
      for (const [target, text] of [["/", "here"], ["/ping", "pong\n"]]) {
        const response = await within(
          client.fetch(new Request(`http://test${target}`)),
          "an answer",
        );
        assertEquals(await response.text(), text);
      }
    }
    // Whatever the module still does.
    assertEquals((await running.stop()).code, 0);
    assertEquals(await Deno.readTextFile(`${folder}/access.log`), "200\n");
    assertEquals(
      Array.from(Deno.readDirSync(folder), ({ name }) => name).sort(),
      ["access.log", "app.js"],
    );
  });
});

const UNFIT: [
  name: string,
  code: string | null,
  status: number,
  why: RegExp,
][] = [
  ["is not there", null, 1, /^smisk: Cannot load .*app\.js: /],
  [
    "imports what is not there",
    'import "./none.js"; export default { fetch() {} };',
    1,
    /none\.js/,
  ],
  [
    "exports nothing",
    "export const app = 1;",
    2,
    /^smisk: Cannot serve .*app\.js: its default export is missing: write export default/,
  ],
  [
    "exports something else",
    "export default 42;",
    2,
    /^smisk: Cannot serve .*app\.js: its default export is none of these/,
  ],
  [
    "exports a class of something else",
    "export default class { fetches() {} }",
    2,
    /its default export is none of these/,
  ],
];

for (const [name, code, status, why] of UNFIT) {
  Deno.test(`smisk serve says what is wrong with a module that ${name}`, async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/app.js`;
      if (code !== null) await Deno.writeTextFile(path, code);
      const ended = await ran(["serve", path, "--bind=127.0.0.1:0"]);
      assertEquals([ended.code, ended.output], [status, []]);
      assertMatch(ended.errors[0]!, why);
    });
  });
}

Deno.test("smisk serve tells the fault of a module with its stack", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/app.js`;
    await Deno.writeTextFile(path, 'throw new Error("on purpose");');
    const { code, errors } = await ran(["serve", path]);
    assertEquals(code, 1);
    assertMatch(errors.join("\n"), /on purpose[^]*app\.js:1/);
  });
});

Deno.test("smisk serve says in one line that the address is in use", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/app.js`;
    await Deno.writeTextFile(
      path,
      'export default { fetch: () => new Response("x") };',
    );
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const { code, errors, output } = await ran([
        "serve",
        path,
        `--bind=127.0.0.1:${listener.addr.port}`,
      ]);
      assertEquals([code, output, errors.length], [1, [], 1]);
      assert(errors[0]!.includes("the address is in use"), errors[0]);
    } finally {
      listener.close();
    }
  });
});
