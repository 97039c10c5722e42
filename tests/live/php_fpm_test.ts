// FastCGIClient in front of a real PHP-FPM.

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { it } from "@std/testing/bdd";
import { FastCGIClient } from "../../src/client/client.ts";
import type {
  FastCGIClientOptions,
  FastCGIFetchOptions,
} from "../../src/client/client.ts";
import { within } from "../support/peer.ts";
import { PHP_FPM, phpFpmOf } from "./php_fpm.ts";
import { suiteWith } from "./suite.ts";

const CONFIGURATION = `
[global]
error_log = /dev/stderr
[www]
listen = x
listen.mode = 0660
pm = static
pm.max_children = 2
pm.max_requests = 40
php_admin_value[error_log] =
php_admin_flag[log_errors] = on
php_admin_flag[display_errors] = off
php_admin_value[output_buffering] = 0
`;

const SCRIPT = `<?php
switch ($_SERVER['PATH_INFO'] ?? '') {
case '/echo':
  header('X-Length: ' . ($_SERVER['CONTENT_LENGTH'] ?? 'none'));
  echo file_get_contents('php://input');
  break;
case '/form':
  setcookie('a', '1'); setcookie('b', '2');
  echo json_encode([$_POST, $_GET, $_COOKIE, $_FILES['file']['size'] ?? null]);
  break;
case '/server':
  echo json_encode($_SERVER);
  break;
case '/large':
  for ($i = 0; $i < 100; $i++) echo str_repeat(chr(97 + $i % 26), 100000);
  break;
case '/log':
  error_log('first line');
  error_log('second line');
  echo 'logged';
  break;
case '/fatal':
  undefined_function();
case '/status':
  header('HTTP/1.1 418 Short');
  header('X-A: b');
  break;
case '/slow':
  echo 'begun'; flush();
  usleep(150000);
  echo ' over';
  break;
case '/gate':
  echo 'begun'; flush();
  for ($i = 0; $i < 2000 && !file_exists($_GET['file']); $i++) {
    usleep(5000);
    clearstatcache();
  }
  echo ' over';
  break;
case '/endless':
  while (!connection_aborted()) { echo str_repeat('x', 8192); flush(); }
  break;
case '/pid':
  echo getmypid();
  break;
case '/ignored':
  echo 'not read';
  break;
}
`;

suiteWith([PHP_FPM], "FastCGIClient in front of PHP-FPM", () => {
  const php = phpFpmOf(CONFIGURATION, { "script.php": SCRIPT });
  const script = () => `${php().folder}/script.php`;

  function open(options: FastCGIClientOptions = {}): FastCGIClient {
    return new FastCGIClient(php().socket, options);
  }

  function ask(
    client: FastCGIClient,
    path: string,
    init: RequestInit = {},
    options: FastCGIFetchOptions = {},
  ): Promise<Response> {
    const request = new Request(`http://test${path}`, init);
    const params = { SCRIPT_FILENAME: script(), SCRIPT_NAME: "/script.php" };
    return within(client.fetch(request, params, options), path);
  }

  async function textOf(
    client: FastCGIClient,
    path: string,
    init: RequestInit = {},
    options: FastCGIFetchOptions = {},
  ): Promise<string> {
    const response = await ask(client, path, init, options);
    return await within(response.text(), `the body of ${path}`);
  }

  it("values() gives that it does not multiplex", async () => {
    await using client = open();
    const values = await within(client.values(), "the values");
    assertEquals({ ...values }, { FCGI_MPXS_CONNS: "0" });
    assertMatch(await textOf(client, "/pid"), /^\d+$/);
    assertEquals(client.stats().connections, 1);
  });

  it("fetch() sends forms, files, queries and cookies as PHP has them", async () => {
    await using client = open();
    const body = new FormData();
    body.set("name", "Ada äöü");
    body.set("file", new File(["x".repeat(5000)], "x.txt"));
    const response = await ask(client, "/form?q=1&r=%C3%A4", {
      method: "POST",
      body,
      headers: { cookie: "c=3; d=4" },
    });
    assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assertEquals(await response.json(), [
      { name: "Ada äöü" },
      { q: "1", r: "ä" },
      { c: "3", d: "4" },
      5000,
    ]);
  });

  it("fetch() sends the variables of a request", async () => {
    await using client = open();
    const server = JSON.parse(
      await textOf(client, "/server?a=b", {
        headers: { "x-some": "thing", proxy: "http://evil/" },
      }),
    );
    assertEquals(server.REQUEST_METHOD, "GET");
    assertEquals(server.REQUEST_URI, "/server?a=b");
    assertEquals(server.QUERY_STRING, "a=b");
    assertEquals(server.SCRIPT_NAME, "/script.php");
    assertEquals(server.PATH_INFO, "/server");
    assertEquals(server.HTTP_X_SOME, "thing");
    assertEquals(server.HTTP_HOST, "test");
    assertEquals("HTTP_PROXY" in server, false);
  });

  it("fetch() carries 3 MB there and back", async () => {
    await using client = open();
    const body = new Uint8Array(3_000_000).map((_, i) => i * 7);
    const response = await ask(client, "/echo", { method: "POST", body });
    assertEquals(response.headers.get("x-length"), "3000000");
    assertEquals(await response.bytes(), body);
  });

  it("fetch() tells the length of a body of unknown length where it may hold it", async () => {
    await using client = open();
    const body = () =>
      ReadableStream.from((async function* () {
        for (const part of ["ab", "c"]) {
          await new Promise((resolve) => setTimeout(resolve, 2));
          yield new TextEncoder().encode(part);
        }
      })());
    const init = () => ({ method: "POST", body: body() });
    assertEquals(await textOf(client, "/echo", init()), "");
    assertEquals(
      await textOf(client, "/echo", init(), { bufferBytes: 100 }),
      "abc",
    );
  });

  it("fetch() goes on with a connection whose body was not read", async () => {
    await using client = open();
    const body = new Uint8Array(2_000_000);
    for (let i = 0; i < 3; i++) {
      assertEquals(
        await textOf(client, "/ignored", { method: "PUT", body }),
        "not read",
      );
    }
  });

  it("fetch() streams 10 MB, and what comes bit by bit", async () => {
    await using client = open();
    assertEquals((await textOf(client, "/large")).length, 10_000_000);
    const file = `${php().folder}/gate`;
    const reader = (await ask(client, `/gate?file=${file}`)).body!
      .pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await reader.read()).value, "begun");
    await Deno.writeTextFile(file, "");
    assertEquals((await reader.read()).value, " over");
    assertEquals((await reader.read()).done, true);
  });

  it("fetch() gives no body to HEAD, and the status PHP sets", async () => {
    await using client = open();
    const head = await ask(client, "/pid", { method: "HEAD" });
    assertEquals([head.status, head.body], [200, null]);
    const teapot = await ask(client, "/status");
    assertEquals(
      [teapot.status, teapot.headers.get("x-a")],
      [418, "b"],
    );
    await teapot.body?.cancel();
  });

  it("fetch() tells what PHP logs, and what a fatal error is", async () => {
    const lines: string[] = [];
    await using client = open({ onStderr: (line) => lines.push(line) });
    assertEquals(await textOf(client, "/log"), "logged");
    assertEquals(lines, [
      "PHP message: first line; PHP message: second line",
    ]);
    lines.length = 0;
    const fatal = await ask(client, "/fatal");
    assertEquals([fatal.status, await fatal.text()], [500, ""]);
    assertStringIncludes(lines.join("\n"), "undefined_function");
  });

  it("fetch() gives the answer for a script that does not exist, and the reason", async () => {
    const lines: string[] = [];
    await using client = open({ onStderr: (line) => lines.push(line) });
    const response = await within(
      client.fetch(new Request("http://test/"), {
        SCRIPT_FILENAME: `${script()}.none`,
      }),
      "an answer",
    );
    assertEquals([response.status, await response.text()], [
      404,
      "File not found.\n",
    ]);
    assertEquals(lines, ["Primary script unknown"]);
  });

  it("fetch() keeps a connection, and with it the process", async () => {
    await using client = open();
    const pids = new Set<string>();
    for (let i = 0; i < 10; i++) pids.add(await textOf(client, "/pid"));
    assert(pids.size <= 2, `${[...pids]}`);
    assertEquals(client.stats().connections, 1);
  });

  it("fetch() makes new connections where processes end after so many requests", async () => {
    await using client = open();
    const pids = new Set<string>();
    for (let i = 0; i < 100; i++) pids.add(await textOf(client, "/pid"));
    assert(pids.size >= 2, `${pids.size} process`);
  });

  it("fetch() answers more at once than there are processes, however many connections are kept", async () => {
    for (const options of [{}, { maxConnections: 2 }]) {
      await using client = open(options);
      const texts = await Promise.all(
        Array.from({ length: 12 }, () => textOf(client, "/slow")),
      );
      assertEquals(new Set(texts), new Set(["begun over"]));
    }
  });

  it("fetch() gives a request up, and the process is free", async () => {
    await using client = open();
    for (let i = 0; i < 4; i++) {
      const endless = await ask(client, "/endless");
      await endless.body!.cancel();
      const controller = new AbortController();
      const { signal } = controller;
      const slow = await ask(client, "/endless", { signal });
      controller.abort();
      await assertRejects(() => slow.text(), DOMException);
    }
    assertMatch(await textOf(client, "/pid"), /^\d+$/);
  });

  it("send() gives what PHP sends, as it is", async () => {
    await using client = open();
    const { stdout, end } = await client.send({
      REQUEST_METHOD: "GET",
      SCRIPT_FILENAME: script(),
      PATH_INFO: "/ignored",
    });
    assertMatch(
      await new Response(stdout).text(),
      /^[^]*Content-type: text\/html[^]*\r\n\r\nnot read$/,
    );
    assertEquals(await end, { appStatus: 0, protocolStatus: 0 });
  });
});
