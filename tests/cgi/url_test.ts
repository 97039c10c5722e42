// The URL of a request, of every vector, and that building it never throws.

import { assert, assertEquals } from "@std/assert";
import { isHost, requestScheme, requestUrl } from "../../src/cgi/url.ts";
import { seeded, whole } from "../support/random.ts";
import { HOSTS, NO_HOSTS, URL_VECTORS } from "../vectors/urls.ts";

function reader(params: Record<string, string>) {
  return (name: string) => Object.hasOwn(params, name) ? params[name]! : null;
}

for (const { name, params, mount = "", url } of URL_VECTORS) {
  Deno.test(`requestUrl() ${name}`, () => {
    const built = requestUrl(reader(params), mount);
    assertEquals(built.href, url);
    assertEquals(built.protocol, `${requestScheme(reader(params))}:`);
  });
}

Deno.test("isHost() takes hosts with and without a port", () => {
  for (const host of HOSTS) {
    assertEquals(isHost(host), true, host);
    const url = requestUrl(reader({ HTTP_HOST: host }), "");
    assert(host === "localhost" || url.hostname !== "localhost", host);
  }
});

Deno.test("isHost() refuses what is no host", () => {
  for (const host of NO_HOSTS) {
    assertEquals(isHost(host), false, JSON.stringify(host));
  }
});

Deno.test("isHost() takes no longer for a long host", () => {
  // Whatever would make an expression try again and again.
  for (
    const host of [
      "a.".repeat(40_000),
      "a".repeat(80_000) + "!",
      "xn--.".repeat(16_000),
      "1.".repeat(40_000) + "x ",
      "-".repeat(80_000) + ":",
      ".".repeat(80_000),
    ]
  ) {
    const start = performance.now();
    isHost(host);
    assert(performance.now() - start < 2_000, host.slice(0, 20));
  }
});

const PIECES = [
  ..."aZ09-._~!$&'()*+,;=:@/?#[]\\<>^|`{}% \"\t\r\n\0\x7f\x80\xff",
  "xn--",
  "0x",
  "::1",
  "..",
  "//",
  "://",
  "%00",
  "%2e",
  "%2F",
  "127.0.0.1",
  "\xc3\xa9",
  ":65536",
  "http",
];

function randomText(random: () => number, most: number): string {
  const pieces = Array.from(
    { length: whole(random, 0, most) },
    () => PIECES[whole(random, 0, PIECES.length - 1)],
  );
  return pieces.join("");
}

Deno.test("isHost() takes only what stays a host in a URL", () => {
  let hosts = 0;
  const random = seeded(1);
  for (let n = 0; n < 30_000; n++) {
    const host = randomText(random, 5);
    if (!isHost(host)) continue;
    hosts++;
    const url = URL.parse(`http://${host}/p?q`);
    assert(url !== null, JSON.stringify(host));
    assertEquals(
      [url.username, url.password, url.pathname, url.search, url.hash],
      ["", "", "/p", "?q", ""],
      JSON.stringify(host),
    );
    assert(url.hostname !== "", JSON.stringify(host));
  }
  assert(hosts > 2_000, `${hosts} hosts`);
});

Deno.test("requestUrl() never throws, and no path becomes a host", () => {
  for (let seed = 1; seed <= 10_000; seed++) {
    const random = seeded(seed);
    const params: Record<string, string> = {};
    for (
      const name of [
        "HTTPS",
        "REQUEST_SCHEME",
        "SERVER_NAME",
        "SERVER_PORT",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "PATH_INFO",
        "QUERY_STRING",
      ]
    ) {
      if (random() < 0.5) params[name] = randomText(random, 8);
    }
    if (random() < 0.5) params.HTTP_HOST = "host.test:81";
    const mount = random() < 0.3 ? "/a" : "";
    const url = requestUrl(reader(params), mount);
    const what = JSON.stringify(params);
    assert(/^https?:$/.test(url.protocol), what);
    assert(url.pathname.startsWith("/"), what);
    assertEquals([url.username, url.password, url.hash], ["", "", ""], what);
    if (params.HTTP_HOST) assertEquals(url.host, "host.test:81", what);
    // What it is made of is what it says again.
    assertEquals(new URL(url.href).href, url.href, what);
  }
});
