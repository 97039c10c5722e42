// What sendFile() needs of --allow-read, and says where it lacks.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Program } from "../support/program.ts";
import { Peer } from "../support/peer.ts";
import { request } from "../support/wire.ts";
import { Files } from "./folder.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** A program that sends the files it is asked for. */
function program(root: string | null): string {
  return `
import { Application } from "${ROOT}mod.ts";
await new class extends Application {
  override service() {
    const { request, response } = this;
    const root = ${JSON.stringify(root)};
    return root === null
      ? response.sendFile(request.url.pathname)
      : response.sendFile(request.url, { root });
  }
}().run({ bind: { hostname: "127.0.0.1", port: 0 } });
`;
}

/** Runs it with permissions, and asks it for paths. */
async function ask(
  { root = null, allowed, paths }: {
    root?: string | null;
    allowed: string[];
    paths: string[];
  },
): Promise<{ answers: [status: number, text: string][]; log: string }> {
  using code = new Files();
  const main = code.write("main.ts", program(root));
  await using running = new Program(Deno.execPath(), {
    args: [
      "run",
      "--config",
      `${ROOT}deno.json`,
      "--no-prompt",
      "--allow-net=127.0.0.1",
      ...allowed.map((path) => `--allow-read=${path}`),
      main,
    ],
  });
  const [, port] = await running.until(/127\.0\.0\.1:(\d+)/);
  using peer = await Peer.connect({
    hostname: "127.0.0.1",
    port: Number(port),
  });
  const answers: [number, string][] = [];
  let log = "";
  for (const path of paths) {
    const { status, text, stderr } = await peer.ask(
      request({ params: { REQUEST_URI: path } }),
    );
    answers.push([status, text]);
    log += stderr;
  }
  peer.close();
  await running.stop();
  return { answers, log: log + running.said };
}

Deno.test("sendFile() needs --allow-read of the file alone", async () => {
  using files = new Files();
  const path = files.write("a.txt", "found");
  const { answers } = await ask({ allowed: [path], paths: [path] });
  assertEquals(answers, [[200, "found"]]);
});

Deno.test("sendFile() needs --allow-read of the root alone, as it was given", async () => {
  using files = new Files();
  files.write("real/sub/a.txt", "found");
  files.write("secret.txt", "secret");
  const root = `${files.path}/root`;
  Deno.symlinkSync(`${files.path}/real`, root);
  Deno.symlinkSync(`${files.path}/real/sub/a.txt`, `${root}/link.txt`);
  Deno.symlinkSync(`${files.path}/secret.txt`, `${root}/out.txt`);
  Deno.symlinkSync("/dev/zero", `${root}/zero`);
  Deno.symlinkSync("/proc/self/environ", `${root}/environ`);
  const { answers } = await ask({
    root,
    allowed: [root],
    paths: ["/sub/a.txt", "/link.txt", "/out.txt", "/zero", "/environ", "/no"],
  });
  assertEquals(answers.map(([status]) => status), [
    200,
    200,
    404,
    404,
    404,
    404,
  ]);
});

Deno.test("sendFile() without --allow-read is a 500 whose log names the flag", async () => {
  using files = new Files();
  const path = files.write("a.txt", "found");
  const { answers, log } = await ask({ allowed: [], paths: [path] });
  assertEquals(answers.map(([status]) => status), [500]);
  assertStringIncludes(
    log,
    `FastCgiError: Cannot read ${path}: run with --allow-read=${path}`,
  );
  assertEquals(answers[0]![1].includes(path), false, "the client is told");
});

Deno.test("sendFile() without --allow-read of the root names that", async () => {
  using files = new Files();
  files.write("root/a.txt", "found");
  const root = `${files.path}/root`;
  const { answers, log } = await ask({
    root,
    allowed: [`${root}/a.txt`],
    paths: ["/a.txt"],
  });
  assertEquals(answers.map(([status]) => status), [500]);
  assertStringIncludes(log, `--allow-read=${root}\n`);
});
