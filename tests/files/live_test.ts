// Files through real web servers: handed over to them, and sent by the program.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, beforeAll, it } from "@std/testing/bdd";
import { digest } from "../live/content.ts";
import { Folder } from "../live/folder.ts";
import { appCommand, PERMISSIONS, startApp } from "../live/program.ts";
import { get, startServer } from "../live/site.ts";
import type { Site } from "../live/site.ts";
import { suiteWith } from "../live/suite.ts";
import { within } from "../support/peer.ts";
import { LONG_AGO, LONG_AGO_TEXT, noise } from "./folder.ts";
import { FILE_SERVERS } from "./web_servers.ts";
import type { FileServer } from "./web_servers.ts";

const DIGITS = "0123456789";
const LARGE = noise(20_000_000);

/** A web server with a program behind it and files to be sent. */
class Running implements AsyncDisposable {
  readonly #used: AsyncDisposableStack;
  readonly site: Site;

  private constructor(used: AsyncDisposableStack, site: Site) {
    this.#used = used;
    this.site = site;
  }

  static async start(server: FileServer): Promise<Running> {
    await using used = new AsyncDisposableStack();
    const folder = used.use(new Folder());
    const path = await Deno.realPath(folder.path);
    await makeFiles(path);
    const socket = `${path}/app.sock`;
    const permissions = [...PERMISSIONS.unix, "--allow-env=FILES"];
    used.use(
      await startApp(socket, [
        "env",
        `FILES=${path}/files`,
        ...appCommand({ file: "../files/app.ts", permissions }),
      ]),
    );
    const site = used.use(
      await startServer(server, path, { addresses: [socket] }),
    );
    return new Running(used.move(), site);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#used[Symbol.asyncDispose]();
  }
}

async function makeFiles(path: string): Promise<void> {
  const files = `${path}/files`;
  await Deno.mkdir(`${files}/sub`, { recursive: true });
  await Deno.writeTextFile(`${path}/secret.txt`, "the secret");
  await Deno.symlink(`${path}/secret.txt`, `${files}/link.txt`);
  await Deno.writeTextFile(`${files}/digits.txt`, DIGITS);
  await Deno.writeTextFile(`${files}/sub/a b+c é%20.txt`, "a funny name");
  await Deno.writeFile(`${files}/large.bin`, LARGE);
  await Deno.writeTextFile(`${files}/empty.txt`, "");
  for (const name of ["digits.txt", "large.bin", "empty.txt"]) {
    await Deno.utime(`${files}/${name}`, LONG_AGO, LONG_AGO);
  }
}

/** Whether the web server sent it: the program says so in a header. */
function isHandedOver({ headers }: Response): boolean {
  for (const name of ["x-sendfile", "x-accel-redirect", "x-reproxy-url"]) {
    assertEquals(headers.get(name), null, "the client sees where files are");
  }
  return headers.get("x-content-type-options") === null;
}

for (const server of FILE_SERVERS) {
  suiteWith([server], `sendFile() behind ${server.label}`, () => {
    let running: Running | undefined;

    beforeAll(async () => {
      running = await Running.start(server);
    });

    afterAll(async () => {
      await running?.[Symbol.asyncDispose]();
    });

    const ask = (path: string, headers: Record<string, string> = {}) =>
      get(running!.site, path, { headers });

    answersAlike(ask, "handed over", "?", true);
    answersAlike(ask, "sent by the program", "?own&", false);

    it("nothing but what the program hands over can be had", async () => {
      for (
        const path of [
          "/protected/digits.txt",
          "/secret.txt",
          "/..%2fsecret.txt",
          "/%2e%2e/secret.txt",
          "/sub/..%2f..%2fsecret.txt",
          "/..%5csecret.txt",
          "/link.txt",
          "/nothing.txt",
          "/sub/",
          "/",
        ]
      ) {
        const response = await ask(path);
        const text = await response.text();
        assert([400, 404].includes(response.status), `${response.status}`);
        assertEquals(text.includes("the secret"), false);
      }
      // H2O has the files at a host of this name, for nobody but itself.
      const other = await head(ask, "/digits.txt?own", "files");
      assertEquals(other.headers.get("x-content-type-options"), "nosniff");
    });

    it("what the web server would drop has the program send the file", async () => {
      const mine = await ask("/digits.txt?header=kept");
      assertEquals(await mine.text(), DIGITS);
      assertEquals(mine.headers.get("x-mine"), "kept");
      assertEquals(isHandedOver(mine), server.keepsHeaders);

      const download = await ask("/digits.txt?download=%C3%A9.txt&cookie");
      assertEquals(await download.text(), DIGITS);
      assertMatch(
        download.headers.get("content-disposition")!,
        /^attachment; filename="_\.txt"; filename\*=UTF-8''%C3%A9\.txt$/,
      );
      assertMatch(download.headers.get("set-cookie")!, /^a=b/);
      assertEquals(isHandedOver(download), server.keepsDownloads);
    });

    it("names of any characters are found", async () => {
      const response = await ask("/sub/a%20b+c%20%C3%A9%2520.txt");
      assertEquals(response.status, 200);
      assertEquals(await response.text(), "a funny name");
      // There is a percent sign in it.
      assertEquals(isHandedOver(response), server.takesNames);
    });
  });
}

/** Registers what is the same whoever sends the file. */
function answersAlike(
  ask: (path: string, headers?: Record<string, string>) => Promise<Response>,
  how: string,
  query: string,
  handsOver: boolean,
): void {
  it(`a file, ${how}, arrives whole, with its type and date`, async () => {
    const response = await ask(`/digits.txt${query}`);
    assertEquals(response.status, 200);
    assertEquals(await response.text(), DIGITS);
    const type = response.headers.get("content-type")!;
    assertEquals(type.replace(/;.*/, ""), "text/plain");
    assertEquals(response.headers.get("last-modified"), LONG_AGO_TEXT);
    assertMatch(response.headers.get("etag")!, /^(?:W\/)?"..+"$/);
    assertEquals(isHandedOver(response), handsOver);
  });

  it(`an empty file, ${how}, is empty`, async () => {
    const response = await ask(`/empty.txt${query}`);
    assertEquals([response.status, await response.text()], [200, ""]);
  });

  it(`20 MB, ${how}, arrive whole`, async () => {
    const response = await ask(`/large.bin${query}`);
    const [got, expected] = await within(
      Promise.all([digest(response.body!), digest([LARGE])]),
      "20 MB",
      60_000,
    );
    assertEquals(got, expected);
  });

  it(`HEAD of a file, ${how}, has its length and no more`, async () => {
    // fetch() would not show a byte too much.
    const { status, headers, body } = await head(ask, `/digits.txt${query}`);
    assertEquals([status, body], [200, ""]);
    const length = headers.get("content-length");
    // Apache drops that of a program.
    assert(length === "10" || length === null && !handsOver, `${length}`);
  });

  it(`a range of a file, ${how}, is 206`, async () => {
    for (const [range, text] of [["2-4", "234"], ["-3", "789"]] as const) {
      const response = await ask(`/digits.txt${query}`, {
        range: `bytes=${range}`,
      });
      assertEquals([response.status, await response.text()], [206, text]);
      assertMatch(response.headers.get("content-range")!, /^bytes \d-\d\/10$/);
    }
    const none = await ask(`/digits.txt${query}`, { range: "bytes=10-" });
    assertEquals(none.status, 416);
    await none.body?.cancel();
  });

  it(`several ranges of a file, ${how}, come at once`, async () => {
    const response = await ask(`/large.bin${query}`, {
      range: "bytes=10-19,19000000-19000009",
    });
    const type = response.headers.get("content-type")!;
    assertEquals(response.status, 206);
    const boundary = /^multipart\/byteranges; ?boundary="?([^"]+)"?$/
      .exec(type)![1]!;
    const text = new TextDecoder("latin1").decode(await response.bytes());
    const bodies = text.split(`--${boundary}`).slice(1, -1)
      .map((part) => part.slice(part.indexOf("\r\n\r\n") + 4, -2));
    const expected = [10, 19_000_000].map((start) =>
      new TextDecoder("latin1").decode(LARGE.subarray(start, start + 10))
    );
    assertEquals(bodies, expected);
  });

  it(`a file that the client has, ${how}, is 304`, async () => {
    const first = await ask(`/digits.txt${query}`);
    await first.body?.cancel();
    const etag = first.headers.get("etag")!;
    const same = await ask(`/digits.txt${query}`, { "if-none-match": etag });
    assertEquals([same.status, await same.text()], [304, ""]);
    const other = await ask(`/digits.txt${query}`, { "if-none-match": '"x"' });
    assertEquals([other.status, await other.text()], [200, DIGITS]);
    const dated = await ask(`/digits.txt${query}`, {
      "if-modified-since": LONG_AGO_TEXT,
    });
    assertEquals([dated.status, await dated.text()], [304, ""]);
  });
}

/** HEAD, and all that comes on a connection that closes after it. */
async function head(
  ask: (path: string, headers?: Record<string, string>) => Promise<Response>,
  path: string,
  host = "test",
): Promise<{ status: number; headers: Headers; body: string }> {
  const { url, body } = await ask("/empty.txt");
  await body?.cancel();
  const port = Number(new URL(url).port);
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(
    `HEAD ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  ));
  const answer = await within(new Response(conn.readable).text(), "HEAD");
  const end = answer.indexOf("\r\n\r\n");
  const [status, ...lines] = answer.slice(0, end).split("\r\n");
  return {
    status: Number(status!.split(" ")[1]),
    headers: new Headers(
      lines.map((line) =>
        [
          line.slice(0, line.indexOf(":")),
          line.slice(line.indexOf(":") + 1).trim(),
        ] as [string, string]
      ),
    ),
    body: answer.slice(end + 4),
  };
}
