// smisk serve: what a module may export, and what is said where it does not.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { FastCGIClient } from "../../src/client/client.ts";
import { listening } from "../command/programs.ts";
import { inFolder } from "../support/folder.ts";
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

Deno.test("smisk serve shows a module in a browser with --http", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/app.js`;
    await Deno.writeTextFile(
      path,
      'export default { fetch: (r) => new Response("seen " + r.method) };',
    );
    await using running = smisk([
      "serve",
      path,
      "--bind=127.0.0.1:0",
      "--http=0",
    ]);
    const [, url] = await running.until(/^Listening for HTTP on (http:.*)$/);
    const response = await within(fetch(url!), "an answer");
    assertEquals(await within(response.text(), "the body"), "seen GET");
    assertEquals((await running.stop()).code, 0);
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
    /^smisk: Cannot load .*app\.js: Module not found "file:.*none\.js", at file:.*app\.js:1:8$/,
  ],
  [
    "is malformed",
    "export default {\n  fetch( };",
    1,
    /^smisk: Cannot load .*app\.js: .*SyntaxError: .*, at file:.*app\.js:2:\d+$/,
  ],
  [
    "imports a name that is not exported",
    'import { none } from "./app.js"; export default none;',
    1,
    /^smisk: Cannot load .*app\.js: The requested module '\.\/app\.js' does not provide an export named 'none' at file:.*:1:\d+$/,
  ],
  [
    "imports a package that nothing names",
    'import none from "no-such-name"; export default none;',
    1,
    /^smisk: Cannot load .*app\.js: .*no-such-name.*, at file:.*app\.js:1:18$/,
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
      assertEquals(
        [ended.code, ended.output, ended.errors.length],
        [status, [], 1],
        ended.errors.join("\n"),
      );
      assertMatch(ended.errors[0]!, why);
    });
  });
}

const ELSEWHERE: [module: string, why: RegExp][] = [
  ["npm:@smisk/no-such-package", /not found in cache/],
  ["http://127.0.0.1:9/app.ts", /not found in cache: "http:\/\/127/],
  ["https://127.0.0.1:9/app.ts", /not found in cache: "https:\/\/127/],
  ["node:none", /No such built-in module/],
  ["ftp://127.0.0.1/app.ts", /Unsupported scheme "ftp"/],
];

for (const [module, why] of ELSEWHERE) {
  Deno.test(`smisk serve says in one line that ${module} is not to be had`, async () => {
    const { code, errors, output } = await ran(["serve", module], {
      // Nobody is asked.
      permissions: ["-A", "--cached-only"],
    });
    assertEquals([code, output, errors.length], [1, [], 1], errors.join("\n"));
    assert(errors[0]!.startsWith(`smisk: Cannot load ${module}: `), errors[0]);
    assertMatch(errors[0]!, why);
  });
}

Deno.test("smisk serve says in one line why a module of HTTP does not come", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const { code, errors } = await ran([
    "serve",
    `http://127.0.0.1:${port}/app.ts`,
  ]);
  assertEquals(code, 1);
  assertMatch(errors.at(-1)!, /^smisk: Cannot load http:.*: .*refused/i);
  assertEquals(errors.filter((line) => /^ +at /.test(line)), []);
});

Deno.test("smisk serve serves a module of HTTP, with the permission to", async () => {
  const code = 'export default { fetch: () => new Response("remote") };';
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () =>
      new Response(code, { headers: { "content-type": "text/javascript" } }),
  );
  const host = `127.0.0.1:${http.addr.port}`;
  const args = ["serve", `http://${host}/app.js`, "--bind=127.0.0.1:0"];
  try {
    const refused = await ran(args, { permissions: [] });
    assertEquals([refused.code, refused.errors], [1, [
      `smisk: No permission to load http://${host}/app.js and to listen on 127.0.0.1:0: add --allow-import=${host} --allow-net=127.0.0.1:0`,
    ]]);
    await inFolder(async (folder) => {
      await using running = smisk(args, {
        permissions: [`--allow-import=${host}`, "--allow-net=127.0.0.1"],
        env: { DENO_DIR: folder },
      });
      await using client = new FastCGIClient(await listening(running));
      const response = await within(
        client.fetch(new Request("http://test/")),
        "an answer",
      );
      assertEquals(await response.text(), "remote");
    });
  } finally {
    await http.shutdown();
  }
});

const FAULTS: [name: string, code: string][] = [
  ["throws", 'throw new Error("on purpose");'],
  [
    "exports a class that throws",
    'export default class { constructor() { throw new Error("on purpose"); } }',
  ],
];

for (const [name, code] of FAULTS) {
  Deno.test(`smisk serve tells the fault of a module that ${name} with its stack`, async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/app.js`;
      await Deno.writeTextFile(path, code);
      const { code: status, errors } = await ran(["serve", path]);
      assertEquals(status, 1);
      assertMatch(errors.join("\n"), /on purpose[^]*app\.js:1/);
    });
  });
}

// A module that is a whole program

const PROGRAM = `import { Application } from "${MOD}";
class Own extends Application {
  service() { this.response.write("by itself"); }
}
console.log("before");
await new Own().run();
console.log("behind");`;

for (const workers of [[], ["--workers=2"]]) {
  Deno.test(`smisk serve serves a program that runs by itself ${workers}`, async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/a.sock`;
      await Deno.writeTextFile(`${folder}/app.js`, PROGRAM);
      await using running = smisk([
        "serve",
        "--bind",
        path,
        `${folder}/app.js`,
        ...workers,
      ]);
      await running.until(
        workers.length > 0 ? /workers are ready/ : /^Listening for FastCGI/,
      );
      {
        await using client = new FastCGIClient({ path });
        const response = await within(
          client.fetch(new Request("http://test/")),
          "an answer",
        );
        assertEquals(await response.text(), "by itself");
      }
      const { code } = await running.stop();
      assertEquals([code, running.errors], [0, []]);
      assertEquals(running.output[0], "before");
      assertEquals(running.output.at(-1), "behind");
    });
  });
}

Deno.test("smisk serve says what is wrong with the arguments of a program that runs by itself", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/app.js`, PROGRAM);
    const { code, errors, output } = await ran([
      "serve",
      `${folder}/app.js`,
      "--bind=127.0.0.1:0",
      "--mode=0660",
    ]);
    assertEquals([code, output, errors.length], [2, ["before"], 1]);
    assertMatch(errors[0]!, /^smisk: --mode is for a Unix socket/);
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
