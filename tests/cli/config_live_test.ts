// smisk config: every configuration is checked by the server it is for, and
// serves requests.

import { assert, assertEquals } from "@std/assert";
import { afterAll, beforeAll, describe, it } from "@std/testing/bdd";
import { config } from "../../src/cli/config.ts";
import { FastCGIClient } from "../../src/client/client.ts";
import type { FastCGIServer } from "../../src/server/server.ts";
import {
  Folder,
  get,
  missing,
  startServer,
  suiteName,
  systemPath,
} from "../live/site.ts";
import { scriptOf } from "../live/web_server.ts";
import { appCommand, PERMISSIONS, startedCommand } from "../live/program.ts";
import { DEADLINE_MS, within } from "../support/peer.ts";
import { isInstalled } from "../support/program.ts";
import { check, Echo, printed, SERVERS } from "./printed.ts";

function listen(folder: string, name: string): [FastCGIServer, string] {
  const path = `${folder}/${name}.sock`;
  return [new Echo(name).listen({ path, mode: 0o666 }), path];
}

/** All that a path may have which each server can have in it. */
const ODD: Record<string, string> = {
  nginx: `a b"c'd;e{f}g$h#i\\j:k%l|m?n\`o\u00e9`,
  lighttpd: `a b"c'd;e{f}g$h#i\\j:k%l|m?n\`o\u00e9`,
  apache: `a b"c'd;e{f}g$h\\j:k%l\`o\u00e9`,
  caddy: `a b"c'd;eg$h#i\\jk%l|m?n\`o\u00e9`,
  h2o: `a b"c'd;e{f}g$h#i\\j:k%l|m?n\`o\u00e9`,
  haproxy: `a b"c'd;e{f}g#i\\j:k%l|m?n\`o\u00e9`,
};

for (const server of SERVERS) {
  const { name } = server;
  const isThere = missing([printed(server, [])]).length === 0;
  const suite = isThere ? describe : describe.skip;

  suite(suiteName(server.command, `smisk config ${name}`), () => {
    let folder: Folder;

    beforeAll(() => {
      folder = new Folder();
    });

    afterAll(async () => {
      await folder[Symbol.asyncDispose]();
    });

    it("serves a program on TCP", async () => {
      const app = new Echo("tcp").listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = app.addr as Deno.NetAddr;
      try {
        const args = ["--bind", `127.0.0.1:${port}`];
        await using site = await startServer(
          printed(server, args),
          folder.path,
          {},
        );
        await check(server, folder.path);
        for (const target of ["/", "/a%20b/c?d"]) {
          const response = await get(site, target);
          assertEquals(
            await response.text(),
            `tcp GET ${target.split("?")[0]}`,
          );
        }
        const post = await get(site, "/", { method: "POST", body: "abc" });
        assertEquals(await post.text(), "tcp POST /");
      } finally {
        await app.abort();
      }
    });

    it("serves a program on a socket of the oddest name, below a path and for a host", async () => {
      const odd = `${folder.path}/${ODD[name]}`;
      await Deno.mkdir(odd);
      await Deno.chmod(odd, 0o755);
      const [app, path] = listen(odd, "odd");
      try {
        const args = [
          `--bind=unix:${path}`,
          "--mount=/app",
          "--host=127.0.0.1",
          "--name=my-app_1",
        ];
        await using site = await startServer(
          printed(server, args),
          folder.path,
          {},
        );
        await check(server, folder.path);
        for (const target of ["/app", "/app/", "/app/x"]) {
          const response = await get(site, target);
          assertEquals(await response.text(), `odd GET ${target}`);
        }
        for (const target of ["/", "/application"]) {
          const response = await get(site, target);
          await response.body?.cancel();
          assertEquals(response.headers.get("x-app"), null, target);
        }
      } finally {
        await app.abort();
      }
    });

    if (name !== "h2o") {
      it("goes on with one of two programs where the other ends", async () => {
        const [one, first] = listen(folder.path, "one");
        const [two, second] = listen(folder.path, "two");
        try {
          const args = ["--bind", first, "--bind", second];
          await using site = await startServer(
            printed(server, args),
            folder.path,
            {},
          );
          await check(server, folder.path);
          const seen = new Set<string>();
          for (let i = 0; i < 20 && seen.size < 2; i++) {
            const response = await get(site, "/");
            seen.add((await response.text()).split(" ")[0]!);
          }
          assertEquals([...seen].sort(), ["one", "two"]);
          await within(one.shutdown(), "the program to stop");
          for (let i = 0; i < 4; i++) {
            const response = await get(site, "/");
            assertEquals(await response.text(), "two GET /");
          }
        } finally {
          await one.abort();
          await two.abort();
        }
      });
    }

    if (["apache", "h2o", "lighttpd"].includes(name)) {
      it("starts the program itself", async () => {
        const script = await scriptOf(
          folder.path,
          await startedCommand({
            ...printed(server, []),
            changesUser: name === "apache",
          }, folder.path),
        );
        const args = name === "lighttpd"
          ? [`--bind=${folder.path}/started.sock`, "--", script]
          : ["--", script];
        await using site = await startServer(
          printed(server, args),
          folder.path,
          {},
        );
        await check(server, folder.path);
        const response = await get(site, "/");
        assertEquals(await response.text(), "Hello World!");
      });
    }
  });
}

const haproxy = SERVERS.find(({ name }) => name === "haproxy")!;
const withHaproxy = isInstalled("haproxy") ? describe : describe.skip;

withHaproxy(suiteName("haproxy", "smisk config haproxy --ping"), () => {
  it("takes a program for there where the ping is answered, and only there", async () => {
    await using folder = new Folder();
    const path = (name: string) => `${folder.path}/${name}.sock`;
    const apps = [
      new Echo("there", { pingPath: "/ping" }),
      new (class extends Echo {
        override service() {
          super.service();
          this.response.status = 500;
        }
      })("sick"),
    ];
    const servers = apps.map((app) =>
      app.listen({ path: path(app.name), mode: 0o666 })
    );
    try {
      const args = apps.flatMap(({ name }) => ["--bind", path(name)]);
      await using site = await startServer(
        printed(haproxy, [...args, "--ping", "/ping"]),
        folder.path,
        {},
      );
      await check(haproxy, folder.path);
      // So many in a row that each would have had its turn.
      for (let good = 0, end = Date.now() + DEADLINE_MS; good < 6;) {
        assert(Date.now() < end, "the sick one is still asked");
        const response = await get(site, "/");
        good = await response.text() === "there GET /" ? good + 1 : 0;
      }
    } finally {
      for (const server of servers) await server.abort();
    }
  });
});

// systemd

const withSystemd = isInstalled("systemd-analyze") ? describe : describe.skip;

withSystemd(suiteName("systemd-analyze", "smisk config systemd"), () => {
  it("prints units that systemd has nothing to say against", async () => {
    await using folder = new Folder();
    const odd = [
      "--bind=/run/hello/a b\"c'd%e$f.sock",
      "--name=hello",
      "--user=root",
    ];
    const command = ["--", Deno.execPath(), "run", "a b\"c'd\\e%f$g"];
    const units: [file: string, args: string[]][] = [
      ["hello.service", [...odd, "--workers=2", ...command]],
      ["hello.socket", [...odd, "--unit=socket"]],
    ];
    const verify = async () => {
      const { success, stdout, stderr } = await new Deno.Command(
        "systemd-analyze",
        {
          args: [
            "verify",
            "--man=no",
            ...units.map(([file]) => `${folder.path}/${file}`),
          ],
          stdin: "null",
        },
      ).output();
      const decoder = new TextDecoder();
      const said = decoder.decode(stdout) + decoder.decode(stderr);
      return { success, said };
    };
    for (const [file, args] of units) {
      await Deno.writeTextFile(
        `${folder.path}/${file}`,
        config(["systemd", ...args]),
      );
    }
    assertEquals(await verify(), { success: true, said: "" });
    await Deno.writeTextFile(
      `${folder.path}/hello.service`,
      config(["systemd", ...odd, "--unit=socket-service", ...command]),
    );
    assertEquals(await verify(), { success: true, said: "" });
    // It does look.
    await Deno.writeTextFile(
      `${folder.path}/hello.service`,
      config(["systemd", ...odd, ...command]).replace(
        "Restart=on-failure",
        "Restart=perhaps",
      ),
    );
    assert((await verify()).said.includes("perhaps"));
  });
});

const withSpawnFcgi = isInstalled("spawn-fcgi") ? describe : describe.skip;

withSpawnFcgi(
  suiteName("spawn-fcgi", "smisk config systemd --unit socket-service"),
  () => {
    it("has the command that serves the socket of descriptor 0", async () => {
      await using folder = new Folder();
      const socket = `${folder.path}/app.sock`;
      const text = config([
        "systemd",
        `--bind=${socket}`,
        "--unit=socket-service",
        "--",
        ...appCommand({ permissions: PERMISSIONS.inherited }),
      ]);
      const words = wordsOf(/^ExecStart=(.*)$/m.exec(text)![1]!);
      const child = new Deno.Command("spawn-fcgi", {
        args: ["-n", "-s", socket, "--", ...words],
        env: { PATH: systemPath() },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        await untilServed(socket);
      } finally {
        child.kill("SIGTERM");
        await within(child.status, "the program to end");
      }
    });
  },
);

/** Asks until somebody answers: the socket is there before the program. */
async function untilServed(socket: string): Promise<void> {
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end;) {
    await using client = new FastCGIClient({ path: socket });
    try {
      const response = await within(
        client.fetch(new Request("http://test/")),
        "an answer",
      );
      assertEquals(await response.text(), "Hello World!");
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error("Nobody answered");
}

/** The words of a command line of systemd. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)) {
    words.push(
      (quoted?.replace(/\\(.)/g, "$1") ?? plain!)
        .replaceAll("%%", "%").replaceAll("$$", "$"),
    );
  }
  return words;
}
