// examples/php: a PHP application behind Deno.serve, run as it says, and what
// must never be executed or shown.

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { afterAll, beforeAll, it } from "@std/testing/bdd";
import { Folder } from "../live/folder.ts";
import { PHP_FPM, PhpFpm } from "../live/php_fpm.ts";
import { suiteWith } from "../live/suite.ts";
import { latin1 } from "../support/ask.ts";
import { within } from "../support/peer.ts";
import { Program } from "../support/program.ts";

const EXAMPLE = new URL("../../examples/php/", import.meta.url).pathname;

/** What a script answers that must not be executed, in two parts. */
const EXECUTED = "<?php echo 'EXEC', 'UTED';";

/** Files beside those of the example, by their paths below the root. */
const FILES: Record<string, string> = {
  "info.php":
    "<?php echo json_encode($_SERVER + ['body' => strlen(file_get_contents('php://input'))]);",
  "log.php": "<?php error_log('logged by PHP');",
  "fatal.php": "<?php undefined_function();",
  "photo.jpg": EXECUTED,
  "photo.php.jpg": EXECUTED,
  "old.php5": EXECUTED,
  "loud.PHP": EXECUTED,
  "index.php~": EXECUTED,
  "config.inc": EXECUTED,
  ".env": "SECRET",
  ".git/config": "SECRET",
  "folder/index.html": "<p>a folder</p>",
  "script/index.php": "<?php echo 'script folder ', $_SERVER['SCRIPT_NAME'];",
  "empty/x.txt": "x",
  "pages/ä b.txt": "umlaut",
  "uploads/evil.php": EXECUTED,
  "uploads/photo.jpg": EXECUTED,
  "uploads/page.html": "<p>by a stranger</p>",
  "uploads/deep/evil.php": EXECUTED,
};

suiteWith([PHP_FPM], "examples/php", () => {
  let used: AsyncDisposableStack;
  let app: Program;
  let fpm: PhpFpm;
  let url = "";

  beforeAll(async () => {
    used = new AsyncDisposableStack();
    const { path } = used.use(new Folder());
    const root = `${path}/public`;
    await copy(`${EXAMPLE}public`, root);
    for (const [name, text] of Object.entries(FILES)) {
      const file = `${root}/${name}`;
      await Deno.mkdir(file.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(file, text);
    }
    // Whoever PHP runs as is to store uploads.
    await Deno.chmod(`${root}/uploads`, 0o777);
    await Deno.writeTextFile(`${path}/secret.txt`, "SECRET");
    await Deno.writeTextFile(`${path}/secret.php`, EXECUTED);
    await Deno.symlink(`${path}/secret.txt`, `${root}/link.txt`);
    await Deno.symlink(`${path}/secret.php`, `${root}/link.php`);
    await Deno.symlink(`${root}/uploads/evil.php`, `${root}/alias.php`);
    fpm = used.use(
      await PhpFpm.start(
        path,
        await Deno.readTextFile(`${EXAMPLE}fpm.conf`),
      ),
    );
    app = used.use(
      new Program(Deno.execPath(), {
        args: [
          "run",
          "--no-prompt",
          "--allow-net",
          "--allow-read",
          `--allow-write=${fpm.socket}`,
          "--unstable-no-legacy-abort",
          `${EXAMPLE}app.ts`,
          fpm.socket,
          root,
          "0",
        ],
      }),
    );
    [, url] = await app.until(/^(http:\/\/127\.0\.0\.1:\d+)\/$/) as unknown as [
      string,
      string,
    ];
  });
  afterAll(async () => {
    await used.disposeAsync();
  });

  const ask = (path: string, init: RequestInit = {}) =>
    within(fetch(url + path, { redirect: "manual", ...init }), path);
  const textOf = async (path: string, init: RequestInit = {}) =>
    await (await ask(path, init)).text();

  /** Asks for a target that no URL can have. */
  async function raw(target: string): Promise<string> {
    using conn = await Deno.connect({ port: Number(new URL(url).port) });
    await conn.write(latin1(
      `GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
    ));
    return await within(new Response(conn.readable).text(), target);
  }

  it("runs scripts, and index.php for what no file answers for", async () => {
    assertStringIncludes(await textOf("/"), "Hello from PHP");
    const missing = await ask("/no/such/page?a=b");
    assertEquals(missing.status, 404);
    assertStringIncludes(await missing.text(), "<code>/no/such/page</code>");
    assertEquals(await textOf("/script/"), "script folder /script/index.php");
    const server = JSON.parse(await textOf("/info.php?q=1"));
    assertEquals(server.SCRIPT_NAME, "/info.php");
    assertMatch(server.SCRIPT_FILENAME, /\/public\/info\.php$/);
    assertEquals(server.QUERY_STRING, "q=1");
    assertEquals(server.REQUEST_URI, "/info.php?q=1");
    assertEquals(server.REMOTE_ADDR, "127.0.0.1");
    assertEquals("PATH_INFO" in server, false);
  });

  it("tells what follows a script as PATH_INFO", async () => {
    const server = JSON.parse(await textOf("/info.php/a%20b/c.php/?q"));
    assertEquals(
      [server.SCRIPT_NAME, server.PATH_INFO],
      ["/info.php", "/a b/c.php/"],
    );
  });

  it("serves static files, streamed and once", async () => {
    const style = await ask("/style.css");
    assertEquals(style.headers.get("content-type"), "text/css; charset=utf-8");
    assertEquals(style.headers.get("x-content-type-options"), "nosniff");
    assertStringIncludes(await style.text(), "font-family");
    const modified = style.headers.get("last-modified")!;
    const again = await ask("/style.css", {
      headers: { "if-modified-since": modified },
    });
    assertEquals([again.status, await again.text()], [304, ""]);
    const head = await ask("/style.css", { method: "HEAD" });
    assertEquals(
      head.headers.get("content-length"),
      style.headers.get("content-length"),
    );
    assertEquals(await head.text(), "");
    const posted = await ask("/style.css", { method: "POST", body: "x" });
    assertEquals([posted.status, posted.headers.get("allow")], [
      405,
      "GET, HEAD",
    ]);
    await posted.body?.cancel();
    assertEquals(await textOf("/folder/"), "<p>a folder</p>");
    assertEquals(await textOf("/pages/%C3%A4%20b.txt"), "umlaut");
  });

  it("sends a folder without its slash to itself, and nowhere else", async () => {
    for (const path of ["/folder", "//folder", "///folder"]) {
      const answer = await raw(`${path}?q`);
      assertMatch(answer, /^HTTP\/1\.1 301 /);
      assertMatch(answer, /\r\nlocation: \/folder\/\?q\r\n/i);
    }
  });

  it("takes uploads, and serves them as a stranger's", async () => {
    const body = new FormData();
    body.set("file", new File(["<p>mine</p>"], "../../mine.html"));
    const posted = await ask("/upload", { method: "POST", body });
    await posted.body?.cancel();
    assertEquals(
      [posted.status, posted.headers.get("location")],
      [303, "/uploads/mine.html"],
    );
    const page = await ask("/uploads/mine.html");
    assertEquals(await page.text(), "<p>mine</p>");
    assertEquals(page.headers.get("content-security-policy"), "sandbox");
  });

  it("never executes or shows what was uploaded as a script", async () => {
    const body = new FormData();
    body.set("file", new File([EXECUTED], "new.php"));
    const posted = await ask("/upload", { method: "POST", body });
    await posted.body?.cancel();
    assertEquals(posted.headers.get("location"), "/uploads/new.php");
    for (
      const path of [
        "/uploads/new.php",
        "/uploads/evil.php",
        "/uploads/evil.php/",
        "/uploads/evil.php/x.jpg",
        "/uploads/deep/evil.php",
        "/uploads/photo.jpg/x.php",
        "/uploads/none.php",
        "/alias.php",
        "/alias.php/x",
      ]
    ) {
      const answer = await ask(path);
      assertEquals([answer.status, await answer.text()], [
        404,
        "Not found\n",
      ], path);
    }
  });

  it("executes no file but those named .php, and shows no source", async () => {
    // An image is an image, whatever is in it and whatever follows it.
    assertEquals(await textOf("/photo.jpg"), EXECUTED);
    for (
      const path of [
        "/photo.jpg/x.php",
        "/photo.php.jpg",
        "/old.php5",
        "/loud.PHP",
        "/index.php~",
        "/config.inc",
        "/photo.jpg%00.php",
      ]
    ) {
      const text = await textOf(path);
      assert(!text.includes("EXECUTED"), `${path}: ${text}`);
      assert(!text.includes("<?php"), `${path}: ${text}`);
    }
  });

  it("leads nowhere out of its root", async () => {
    for (
      const target of [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/folder/../../secret.txt",
        "/folder/%2e%2e/%2e%2e/secret.txt",
        "/folder/..%5c..%5csecret.txt",
        "/..\\secret.txt",
        "/.%00./secret.txt",
        "//secret.txt",
        "/link.txt",
        "/link.php",
        "/../secret.php",
        "/%2e%2e/secret.php",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/uploads/../.env",
        "http://h/../secret.txt",
        "/%ff",
        "/%zz",
      ]
    ) {
      const answer = await raw(target);
      assertMatch(answer, /^HTTP\/1\.1 4\d\d /, target);
      assert(!answer.includes("SECRET"), `${target}: ${answer}`);
      assert(!answer.includes("EXECUTED"), `${target}: ${answer}`);
    }
  });

  it("hands on no method and no coding that is not meant for it", async () => {
    for (const method of ["CONNECT", "TRACE", "GARBAGE"]) {
      using conn = await Deno.connect({ port: Number(new URL(url).port) });
      await conn.write(latin1(
        `${method} /info.php HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
      ));
      const answer = await within(new Response(conn.readable).text(), method);
      assertMatch(answer, /^HTTP\/1\.1 (?:400|501) /, method);
    }
  });

  it("tells PHP the length of every body, and refuses what is too long for that", async () => {
    const chunks = (count: number) =>
      ReadableStream.from((async function* () {
        for (let i = 0; i < count; i++) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          yield new Uint8Array(100_000);
        }
      })());
    const post = (body: BodyInit) => ({ method: "POST", body });
    const length = async (body: BodyInit) =>
      JSON.parse(await textOf("/info.php", post(body))).body;
    assertEquals(await length("abc"), 3);
    assertEquals(await length(chunks(10)), 1_000_000);
    const refused = await ask("/info.php", post(chunks(90)));
    await refused.body?.cancel();
    assertEquals(refused.status, 413);
  });

  it("answers many at once", async () => {
    const texts = await Promise.all(
      Array.from({ length: 30 }, (_, i) => textOf(`/info.php?${i}`)),
    );
    const queries = texts.map((text) => JSON.parse(text).QUERY_STRING);
    assertEquals(queries, Array.from(queries, (_, i) => `${i}`));
  });

  it("shows what PHP logs, and no error to the browser", async () => {
    await textOf("/log.php");
    await app.until(/logged by PHP/);
    const fatal = await ask("/fatal.php");
    assertEquals([fatal.status, await fatal.text()], [500, ""]);
    await app.until(/undefined_function/);
  });

  it("answers 502 where PHP is gone, serves files, and stops", async () => {
    await fpm[Symbol.asyncDispose]();
    const answer = await ask("/info.php");
    assertEquals([answer.status, await answer.text()], [
      502,
      "PHP did not answer\n",
    ]);
    assertStringIncludes(await textOf("/style.css"), "font-family");
    app.signal("SIGTERM");
    assertEquals((await app.end()).code, 0);
    assertEquals(app.errors.filter((line) => /legacy/.test(line)), []);
  });
});

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
