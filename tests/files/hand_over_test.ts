// The option handOver, on the wire: which header which web server is given, and
// when the file is sent by the program itself all the same.

import { assertEquals, assertThrows } from "@std/assert";
import { Application } from "../../mod.ts";
import type { HandOverOptions } from "../../mod.ts";
import { ask } from "../support/ask.ts";
import type { Service } from "../support/running.ts";
import { askFile, Files, LONG_AGO_TEXT } from "./folder.ts";
import type { FileQuestion } from "./folder.ts";

const SOFTWARE = {
  nginx: "nginx/1.22.1",
  lighttpd: "lighttpd/1.4.69",
  apache: "Apache/2.4.62 (Debian)",
  caddy: "Caddy/2.6.2",
  h2o: "h2o/2.2.5",
} as const;

type Server = keyof typeof SOFTWARE;
const SERVERS = Object.keys(SOFTWARE) as Server[];

/** The option for all servers, with a directory each may send from. */
function all(directory: string): HandOverOptions {
  return {
    nginx: { [directory]: "/protected/" },
    lighttpd: [directory],
    apache: [directory],
    caddy: { [directory]: "/" },
    h2o: { [directory]: "http://[unix:/run/files.sock]/" },
  };
}

/** Asks as a web server does; gives the header that hands the file over. */
async function handedOver(
  server: string,
  path: string,
  { params, ...question }: FileQuestion,
) {
  const answer = await askFile(path, {
    params: { SERVER_SOFTWARE: server, ...params },
    ...question,
  });
  const { headers } = answer;
  return {
    ...answer,
    header: headers["x-accel-redirect"] ?? headers["x-sendfile"] ??
      headers["x-reproxy-url"],
  };
}

Deno.test("handOver gives each web server the header that it looks for", async () => {
  using files = new Files();
  const path = files.write("sub/a.txt", "Hello");
  const handOver = all(files.path);
  for (
    const [server, name, value] of [
      ["nginx", "x-accel-redirect", "/protected/sub/a.txt"],
      ["lighttpd", "x-sendfile", path],
      ["apache", "x-sendfile", path],
      ["caddy", "x-accel-redirect", "/sub/a.txt"],
      ["h2o", "x-reproxy-url", "http://[unix:/run/files.sock]/sub/a.txt"],
    ] as const
  ) {
    const answer = await handedOver(SOFTWARE[server], path, { handOver });
    assertEquals([answer.status, answer.text], [200, ""], server);
    assertEquals(answer.headers[name], value);
    assertEquals(answer.headers["content-length"], "0");
    assertEquals(answer.headers["content-type"], "text/plain; charset=utf-8");
    // Only what the server would not say better itself.
    const takes = server === "lighttpd" || server === "apache";
    assertEquals(
      answer.headers["last-modified"],
      takes ? LONG_AGO_TEXT : undefined,
    );
    assertEquals(answer.headers.etag !== undefined, takes);
    assertEquals(answer.headers["accept-ranges"], undefined);
  }
});

Deno.test("handOver knows web servers by the first word of SERVER_SOFTWARE", async () => {
  using files = new Files();
  const path = files.write("a.txt", "Hello");
  const handOver = all(files.path);
  for (
    const [software, isHandedOver] of [
      ["nginx", true],
      ["openresty/1.21.4.1", true],
      ["Apache", true],
      ["LIGHTTPD", true],
      ["", false],
      ["Smisk", false],
      ["nginxish/1", false],
      ["my nginx", false],
      ["HAProxy 2.6", false],
    ] as const
  ) {
    const { header, text } = await handedOver(software, path, { handOver });
    assertEquals(header !== undefined, isHandedOver, software);
    assertEquals(text, isHandedOver ? "" : "Hello");
  }
});

Deno.test("handOver of one web server is not taken for another", async () => {
  using files = new Files();
  const path = files.write("a.txt", "Hello");
  const every = all(files.path);
  for (const server of SERVERS) {
    const handOver = { [server]: every[server] };
    for (const other of SERVERS) {
      const { header, text } = await handedOver(SOFTWARE[other], path, {
        handOver,
      });
      assertEquals(header !== undefined, server === other);
      assertEquals(text, server === other ? "" : "Hello");
    }
  }
});

Deno.test("a file is sent by the program where handOver is not asked for", async () => {
  using files = new Files();
  const path = files.write("a.txt", "Hello");
  const outside = `${files.path}/other`;
  Deno.mkdirSync(outside);
  for (
    const question of [
      {},
      { handOver: {} },
      { handOver: all(outside) },
      { handOver: all(`${files.path}/nothing`) },
      { handOver: all(files.path), send: { handOver: false } },
      { handOver: all(files.path), params: { REQUEST_METHOD: "POST" } },
    ]
  ) {
    for (const server of SERVERS) {
      const answer = await handedOver(SOFTWARE[server], path, question);
      assertEquals([answer.header, answer.text], [undefined, "Hello"]);
    }
  }
});

Deno.test("HEAD, ranges and conditions are left to the web server too", async () => {
  using files = new Files();
  const path = files.write("a.txt", "Hello");
  const handOver = all(files.path);
  for (
    const params of [
      { REQUEST_METHOD: "HEAD" },
      { HTTP_RANGE: "bytes=1-2" },
      { HTTP_IF_MODIFIED_SINCE: LONG_AGO_TEXT },
      { HTTP_IF_MATCH: '"x"' },
    ]
  ) {
    const question = { handOver, params: params as Record<string, string> };
    const answer = await handedOver(SOFTWARE.nginx, path, question);
    assertEquals([answer.status, answer.header], [200, "/protected/a.txt"]);
  }
  // H2O would send the file in answer to HEAD.
  for (const server of SERVERS) {
    const params = { REQUEST_METHOD: "HEAD" };
    const { header, headers } = await handedOver(SOFTWARE[server], path, {
      handOver,
      params,
    });
    assertEquals(header === undefined, server === "h2o");
    assertEquals(headers["content-length"], server === "h2o" ? "5" : "0");
  }
});

Deno.test("files are handed over by their real path, from the innermost directory", async () => {
  using files = new Files();
  files.write("files/a.txt", "Hello");
  files.write("files/deep/b.txt", "Hello");
  files.write("other/c.txt", "Hello");
  const { path } = files;
  Deno.symlinkSync(`${path}/files`, `${path}/link`);
  Deno.symlinkSync("deep/b.txt", `${path}/files/inner.txt`);
  Deno.symlinkSync(`${path}/other/c.txt`, `${path}/files/outer.txt`);
  const handOver = {
    nginx: {
      [`${path}/link`]: "/one",
      [`${path}/files/deep`]: "/two/",
      [`${path}/file`]: "/three",
    },
  };
  for (
    const [asked, header] of [
      ["files/a.txt", "/one/a.txt"],
      ["link/a.txt", "/one/a.txt"],
      ["files/deep/b.txt", "/two/b.txt"],
      ["files/inner.txt", "/two/b.txt"],
      ["files/outer.txt", undefined],
      ["other/c.txt", undefined],
    ] as const
  ) {
    const answer = await handedOver(SOFTWARE.nginx, `${path}/${asked}`, {
      handOver,
    });
    assertEquals(answer.header, header, asked);
  }
});

Deno.test("a root confines what is handed over", async () => {
  using files = new Files();
  files.write("files/secret.txt", "secret");
  files.write("files/root/a.txt", "Hello");
  const { path } = files;
  Deno.symlinkSync("../secret.txt", `${path}/files/root/link.txt`);
  const question = {
    handOver: all(`${path}/files`),
    send: { root: `${path}/files/root` },
  };
  for (const server of SERVERS) {
    const good = await handedOver(SOFTWARE[server], "a.txt", question);
    assertEquals(good.header !== undefined, true);
    for (const bad of ["link.txt", "../secret.txt", "none.txt"]) {
      const { status, header } = await handedOver(
        SOFTWARE[server],
        bad,
        question,
      );
      assertEquals([status, header], [404, undefined]);
    }
  }
});

Deno.test("a name is written as each web server reads it, or the file is sent", async () => {
  using files = new Files();
  const handOver = all(files.path);
  const [utf8, raw] = ["%C3%A9", "\xc3\xa9"];
  for (
    const [name, nginx, apache, caddy] of [
      ["plain-1_2.txt", "plain-1_2.txt", "plain-1_2.txt", "plain-1_2.txt"],
      ["two words.txt", "two%20words.txt", "two words.txt", null],
      ["é.txt", `${utf8}.txt`, `${raw}.txt`, null],
      ["a?b#c.txt", "a%3Fb%23c.txt", "a?b#c.txt", null],
      ["100%25.txt", "100%2525.txt", null, null],
      ["{env.HOME}", "%7Benv.HOME%7D", "{env.HOME}", null],
      ["end ", "end%20", null, null],
      ["a\nb", "a%0Ab", null, null],
      ["a\x7fb", "a%7Fb", null, null],
    ] as const
  ) {
    const path = files.write(name, "Hello");
    const directory = `${files.path}/`;
    for (
      const [server, value] of [
        ["nginx", `/protected/${nginx}`],
        ["lighttpd", directory + nginx],
        ["apache", apache === null ? undefined : directory + apache],
        ["caddy", caddy === null ? undefined : `/${caddy}`],
        ["h2o", `http://[unix:/run/files.sock]/${nginx}`],
      ] as const
    ) {
      const answer = await handedOver(SOFTWARE[server], path, { handOver });
      assertEquals(answer.header, value, `${server}: ${name}`);
      assertEquals(answer.text, value === undefined ? "Hello" : "");
    }
  }
});

Deno.test("a response with what a web server would drop is sent by the program", async () => {
  using files = new Files();
  const path = files.write("a.txt", "Hello");
  const handOver = all(files.path);
  const takenBy = async (service: Service) => {
    const servers: string[] = [];
    for (const server of SERVERS) {
      const { text } = await ask(
        (request, response) => {
          service(request, response);
          return response.sendFile(path);
        },
        { params: { SERVER_SOFTWARE: SOFTWARE[server] } },
        { handOver },
      );
      if (text === "") servers.push(server);
      else assertEquals(text, "Hello");
    }
    return servers.join(" ");
  };
  for (
    const [name, value, servers] of [
      ["cache-control", "max-age=60", "nginx lighttpd apache caddy"],
      ["set-cookie", "a=b", "nginx lighttpd apache caddy"],
      ["x-frame-options", "DENY", "lighttpd apache caddy"],
      ["content-security-policy", "sandbox", "lighttpd apache caddy"],
      ["etag", '"own"', "lighttpd apache"],
      ["last-modified", LONG_AGO_TEXT, "lighttpd apache"],
      ["content-encoding", "gzip", ""],
      ["content-type", "text/own", "nginx lighttpd apache caddy"],
    ] as const
  ) {
    const taken = await takenBy((_, { headers }) => headers.set(name, value));
    assertEquals(taken, servers, name);
  }
  assertEquals(await takenBy(() => {}), SERVERS.join(" "));
  // A session sets its cookie when the response begins.
  const servers: string[] = [];
  for (const server of SERVERS) {
    const { text, headers } = await ask(
      async (request, response) => {
        (await request.session()).set("a", 1);
        await response.sendFile(path);
      },
      { params: { SERVER_SOFTWARE: SOFTWARE[server] } },
      { handOver },
    );
    assertEquals(headers["set-cookie"]?.startsWith("SID="), true);
    if (text === "") servers.push(server);
  }
  assertEquals(servers.join(" "), "nginx lighttpd apache caddy");
  const status: Service = (_, response) => void (response.status = 404);
  assertEquals(await takenBy(status), "");
});

Deno.test("a download is handed over where its name is kept", async () => {
  using files = new Files();
  const path = files.write("a.txt", "Hello");
  const handOver = all(files.path);
  for (const server of SERVERS) {
    const { header, headers } = await handedOver(SOFTWARE[server], path, {
      handOver,
      send: { download: "é.txt" },
    });
    assertEquals(header === undefined, server === "h2o");
    assertEquals(headers["content-disposition"]?.endsWith("%C3%A9.txt"), true);
  }
});

Deno.test("handOver refuses what is none", () => {
  for (
    const [handOver, kind] of [
      [{ iis: ["/srv"] }, TypeError],
      [{ nginx: ["/srv"] }, TypeError],
      [{ apache: { "/srv": "/" } }, TypeError],
      [{ nginx: { "/srv": "protected/" } }, RangeError],
      [{ nginx: { "/srv": "" } }, RangeError],
      [{ nginx: { "/srv": "http://other/" } }, RangeError],
      [{ nginx: { "/srv": "/a b/" } }, RangeError],
      [{ nginx: { "/srv": "/a\r\nX: y" } }, RangeError],
      [{ caddy: { "/srv": "x" } }, RangeError],
      [{ h2o: { "/srv": "file:///" } }, RangeError],
    ] as const
  ) {
    assertThrows(
      () => new Application({ handOver: handOver as HandOverOptions }),
      kind,
      "Cannot hand files over to",
    );
  }
});
