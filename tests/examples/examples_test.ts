// Every example, behind nginx and behind lighttpd, by the configurations of
// its folder.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Folder } from "../live/folder.ts";
import { Pieces } from "../live/pieces.ts";
import { isInstalled } from "../support/program.ts";
import { startExample } from "./example.ts";
import type { ExampleOptions, Server } from "./example.ts";

/** Registers the test of an example behind each web server. */
function example(
  name: string,
  check: (url: string, server: Server) => Promise<void>,
  options: ExampleOptions = {},
): void {
  for (const server of ["nginx", "lighttpd"] as const) {
    const isThere = isInstalled(server);
    Deno.test({
      name: `examples/${name} runs behind ${server}${
        isThere ? "" : ` (not run: ${server} is not installed)`
      }`,
      ignore: !isThere,
      async fn() {
        const folder = new Folder();
        await using _ = folder;
        const env = {
          STORE: `${folder.path}/store`,
          SESSIONS: `${folder.path}/sessions`,
        };
        await using site = await startExample(name, server, {
          ...options,
          env,
        });
        await check(site.url, server);
      },
    });
  }
}

async function textOf(response: Response | Promise<Response>): Promise<string> {
  return await (await response).text();
}

example("minimal", async (url) => {
  assertMatch(
    await textOf(fetch(url)),
    /^Hello 127\.0\.0\.1!\nYou are number \d+\.\n$/,
  );
  const missing = await fetch(`${url}/nowhere`);
  assertEquals(missing.status, 404);
  assertStringIncludes(await missing.text(), "There is no such page");
});

example("wsgi", async (url) => {
  assertEquals(await textOf(fetch(url)), "Hello, World!");
});

example("hono", async (url) => {
  assertEquals(await textOf(fetch(`${url}/hello/you`)), "Hello you!");
  const { address } = JSON.parse(await textOf(fetch(`${url}/whoami`)));
  assertEquals(address, "127.0.0.1");
});

example("streaming", async (url) => {
  assertStringIncludes(await textOf(fetch(`${url}/page`)), "you want /page");
  const pieces = new Pieces(await fetch(`${url}/time`));
  // The second comes a second after the first: nobody holds them back.
  await pieces.until("data: ");
  assertMatch(pieces.text, /^data: \S+Z\n\n$/);
  await pieces.until("\n\ndata: ");
  await pieces.cancel();
});

example("authorizer", async (url, server) => {
  const refused = await fetch(url);
  assertEquals(refused.status, 401);
  assertEquals(
    refused.headers.get("www-authenticate"),
    'Basic realm="Members"',
  );
  await refused.body?.cancel();
  const as = (user: string) =>
    fetch(url, { headers: { authorization: `Basic ${btoa(user)}` } });
  for (const wrong of ["ada:babbage", "nobody:", ":", "ada"]) {
    const response = await as(wrong);
    assertEquals(response.status, 401, wrong);
    await response.body?.cancel();
  }
  const welcome = await as("ada:lovelace");
  assertEquals(await welcome.text(), "<p>Welcome, member.</p>\n");
  if (server === "nginx") {
    assertEquals(welcome.headers.get("x-welcome"), "ada");
  }
}, { copies: ["members"] });

example("key_value", async (url) => {
  const at = `${url}/a%2Fb%20%C3%A9`;
  assertEquals((await fetch(at).then(drop)).status, 404);
  const put = (body: BodyInit) => fetch(at, { method: "PUT", body }).then(drop);
  assertEquals((await put("one")).status, 201);
  assertEquals((await put("two")).status, 204);
  assertEquals(await textOf(fetch(at)), "two");
  assertEquals(await textOf(fetch(url)), "a%2Fb%20%C3%A9\n");
  assertEquals((await put("x".repeat(70_000))).status, 413);
  assertEquals(await textOf(fetch(at)), "two");
  assertEquals(
    (await fetch(at, { method: "DELETE" }).then(drop)).status,
    204,
  );
  assertEquals((await fetch(at).then(drop)).status, 404);
  const refused = await fetch(at, { method: "PATCH" }).then(drop);
  assertEquals(refused.status, 405);
  assertEquals(refused.headers.get("allow"), "GET, HEAD, PUT, DELETE");
  // At once, so that both processes have some.
  const names = Array.from({ length: 20 }, (_, i) => String(100 + i));
  await Promise.all(
    names.map((name) =>
      fetch(`${url}/${name}`, { method: "PUT", body: name }).then(drop)
    ),
  );
  const values = names.map((name) => textOf(fetch(`${url}/${name}`)));
  assertEquals(await Promise.all(values), names);
  assertEquals(await textOf(fetch(url)), names.join("\n") + "\n");
});

example("input", async (url) => {
  const form = new FormData();
  form.set("text", "<b>é</b>");
  form.append("files", new File(["x".repeat(100_000)], "../a&b.txt"));
  const answer = await textOf(
    fetch(`${url}/?q=%3Cq%3E`, { method: "POST", body: form }),
  );
  for (
    const row of [
      "<tr><th>method<td>POST",
      "<tr><th>remoteAddr<td>127.0.0.1",
      "<tr><th>q<td>&lt;q&gt;",
      "<tr><th>text<td>&lt;b&gt;é&lt;/b&gt;",
      "a&amp;b.txt, application/octet-stream, 100000 bytes",
      "<tr><th>REQUEST_METHOD<td>POST",
    ]
  ) assertStringIncludes(answer, row);
});

example("sendfile", async (url) => {
  const refused = await fetch(`${url}/secret.txt`).then(drop);
  assertEquals(refused.status, 403);
  const file = await fetch(`${url}/secret.txt?key=sesame`);
  assertEquals(file.headers.get("content-type"), "text/plain; charset=utf-8");
  assertEquals(await file.text(), "It is a secret.\n");
  for (const path of ["/protected/secret.txt", "/%2e%2e/app.ts", "/none"]) {
    const { status } = await fetch(`${url}${path}?key=sesame`).then(drop);
    assertEquals(status, 404, path);
  }
  const part = await fetch(`${url}/secret.txt?key=sesame`, {
    headers: { range: "bytes=0-1" },
  });
  assertEquals([part.status, await part.text()], [206, "It"]);
}, { copies: ["files"] });

example("sessions", async (url) => {
  let cookie = "";
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(url + path, {
      redirect: "manual",
      headers: { cookie },
      ...init,
    });
    cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return response;
  };
  const hello = async () => await textOf(ask("/"));
  assertEquals(await hello(), "Hello stranger, this is visit 1.\n");
  assertEquals(await hello(), "Hello stranger, this is visit 2.\n");
  const before = cookie;
  const login = (name: string) =>
    ask("/login", { method: "POST", body: new URLSearchParams({ name }) })
      .then(drop);
  assertEquals((await login("no such name")).status, 400);
  assertEquals((await login("ada")).status, 303);
  assertEquals(cookie === before, false);
  assertEquals(await hello(), "Hello ada, this is visit 3.\n");
  assertEquals((await ask("/login").then(drop)).status, 405);
  const out = await ask("/logout", { method: "POST" }).then(drop);
  assertEquals(out.status, 303);
  assertEquals(await hello(), "Hello stranger, this is visit 1.\n");
});

/** A response without its body. */
async function drop(response: Response): Promise<Response> {
  await response.body?.cancel();
  return response;
}
