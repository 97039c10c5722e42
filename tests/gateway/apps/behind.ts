// Applications behind real web servers: how they are started, and what each of
// them is asked.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, beforeAll, it } from "@std/testing/bdd";
import { Pieces } from "../../live/pieces.ts";
import { Folder, get, startApp, startNginx } from "../../live/site.ts";
import type { Site } from "../../live/site.ts";
import type { Program } from "../../support/program.ts";

/** An application that runs behind a web server. */
export interface Behind {
  /** The web server. */
  readonly site: Site;
  /** The application, with its log; null where the web server started it. */
  readonly app: Program | null;
}

/** The command that runs an application of this folder. */
export function command(
  name: string,
  env: Record<string, string> = {},
): string[] {
  const main = new URL("main.ts", import.meta.url).pathname;
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  return [
    "env",
    ...Object.entries({ APP: name, ...env }).map((pair) => pair.join("=")),
    Deno.execPath(),
    "run",
    "-A",
    "--no-check",
    "--config",
    config,
    main,
  ];
}

/** Registers the start and the stop of an application behind nginx. */
export function behindNginx(
  name: string,
  env: Record<string, string> = {},
): () => Behind {
  let folder: Folder;
  let behind: Behind;
  beforeAll(async () => {
    folder = new Folder();
    const socket = `${folder.path}/app.sock`;
    const app = await startApp(socket, command(name, env));
    try {
      behind = { app, site: await startNginx(folder.path, socket) };
    } catch (error) {
      await app.stop();
      throw error;
    }
  });
  afterAll(async () => {
    await behind?.site.server.stop();
    await behind?.app?.stop();
    await folder[Symbol.asyncDispose]();
  });
  return () => behind;
}

/** Sends a text to a channel of the application. */
export async function pulse(
  site: Site,
  key: string,
  text: string,
): Promise<void> {
  const response = await get(site, `/pulse/${key}/${text}`, {
    method: "POST",
  });
  await response.body?.cancel();
  assert(response.ok, `pulse answered ${response.status}`);
}

/** Server-sent events arrive one by one, and their end is noticed. */
export async function eventsArrive(site: Site, key: string): Promise<void> {
  const response = await get(site, `/events?key=${key}`);
  assertEquals(response.status, 200);
  assertMatch(response.headers.get("content-type")!, /^text\/event-stream/);
  const pieces = new Pieces(response);
  for (const text of ["one", "two", "three"]) {
    await pulse(site, key, text);
    await pieces.until(`data: ${text}`);
  }
  await pulse(site, key, "end");
  const all = await pieces.until();
  assertEquals(all.match(/^data: .*$/gm), [
    "data: one",
    "data: two",
    "data: three",
  ]);
}

/**
 * A client that goes away is noticed by who sends events to it: as soon as the
 * web server notices, which some do only when there is something to send.
 */
export async function leavingIsNoticed(
  site: Site,
  key: string,
  noticesBySending = false,
): Promise<void> {
  const response = await get(site, `/events?key=${key}`);
  const pieces = new Pieces(response);
  await pulse(site, key, "one");
  await pieces.until("data: one");
  await pieces.cancel();
  let isLeft = false;
  const left = get(site, `/left/${key}`).then((response) => {
    isLeft = true;
    return response.text();
  });
  while (noticesBySending && !isLeft) await pulse(site, key, "more");
  assertEquals(await left, "left");
}

/** Registers what every application is asked, whatever it is made with. */
export function answersAlike(hello: string, behind: () => Behind): void {
  const ask = (path: string, init?: RequestInit) =>
    get(behind().site, path, init);
  const key = (name: string) => `${name}-${hello.replace(/\W/g, "")}`;

  it("says hello", async () => {
    const response = await ask("/");
    assertEquals(response.status, 200);
    assertEquals(await response.text(), hello);
  });

  it("routes by path and query", async () => {
    const response = await ask("/user/juergen?page=2&x");
    assertMatch(response.headers.get("content-type")!, /^application\/json/);
    assertEquals(await response.json(), { name: "juergen", page: "2" });
    const none = await ask("/user/me");
    assertEquals(await none.json(), { name: "me", page: null });
  });

  it("is told method, URL, headers and body", async () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const response = await ask("/echo?a=b%20c", {
        method,
        body: "h\u00e9llo",
        headers: { "content-type": "text/x-test" },
      });
      assertEquals(await response.json(), {
        method,
        url: `http://127.0.0.1:${behind().site.port}/echo?a=b%20c`,
        type: "text/x-test",
        text: "h\u00e9llo",
      });
    }
  });

  it("reads and sets cookies, several at once", async () => {
    const response = await ask("/cookies", { headers: { cookie: "one=1" } });
    assertEquals(await response.text(), "set");
    const cookies = response.headers.getSetCookie();
    assertMatch(cookies[0]!, /^first=1%20%26%202;.*HttpOnly/);
    assertMatch(cookies[1]!, /^second=1;.*Path=\/deep/);
  });

  it("redirects, answers without a body, and with statuses of its own", async () => {
    const away = await ask("/away");
    assertEquals(
      [away.status, away.headers.get("location")],
      [303, "/elsewhere?a=b"],
    );
    await away.body?.cancel();
    const nothing = await ask("/nothing");
    assertEquals([nothing.status, await nothing.text()], [204, ""]);
    const teapot = await ask("/teapot");
    assertEquals(teapot.status, 418);
    assertMatch(await teapot.text(), /short and stout/);
    const missing = await ask("/no/such/page");
    assertEquals(missing.status, 404);
    await missing.body?.cancel();
  });

  it("streams", async () => {
    const name = key("words");
    for (const text of ["a", "b", "end"]) {
      await pulse(behind().site, name, text);
    }
    const response = await ask(`/words?key=${name}`);
    assertEquals(await response.text(), "a;b;");
  });

  it("sends events one by one", () =>
    eventsArrive(behind().site, key("events")));

  it("notices that a client has gone", () =>
    leavingIsNoticed(behind().site, key("leave")));
}
