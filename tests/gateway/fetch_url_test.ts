// The URL of the Request that a handler is given: of one request after another,
// for what the last had in common with it is not worked out again.

import { assert, assertEquals } from "@std/assert";
import { latin1, rawRequest } from "../support/ask.ts";
import { bothWays, WAYS } from "../support/fetch.ts";
import type { Way } from "../support/fetch.ts";
import type { Peer } from "../support/peer.ts";
import type { Params } from "../support/wire.ts";
import { URL_VECTORS } from "../vectors/urls.ts";

type Entries = [string, string][];

/** Gives the URL of each request that it answers. */
function urls(way: Way) {
  return way.run((request) => new Response(request.url));
}

async function urlOf(peer: Peer, params: Params): Promise<string> {
  const { status, text } = await peer.ask(rawRequest(params));
  return status === 200 ? text : `status ${status}`;
}

const PLAIN: Entries = [["HTTP_HOST", "example.com"], ["REQUEST_URI", "/a"]];

bothWays("every URL is right, whatever came before", async (way) => {
  await using running = urls(way);
  using peer = await running.connect();
  let asked = 0;
  for (const { name, params, mount = "", url } of URL_VECTORS) {
    if (mount !== "") continue;
    const entries = Object.entries(params).map(
      ([name, value]): [string, Uint8Array] => [name, latin1(value)],
    );
    const first = await urlOf(peer, entries);
    // The Host header is no host.
    if (first === "status 400") continue;
    asked++;
    assertEquals(first, url, name);
    assertEquals(await urlOf(peer, entries), url, `${name}, again`);
    assertEquals(await urlOf(peer, PLAIN), "http://example.com/a");
    assertEquals(await urlOf(peer, PLAIN), "http://example.com/a");
  }
  assert(asked > 80, `${asked} of ${URL_VECTORS.length}`);
});

const LONG = "x".repeat(200);
const URL_OF_PLAIN = "http://example.com/a";

/** What comes behind PLAIN, and the URL of it all. */
const BEHIND: [what: string, more: Entries, url: string][] = [
  ["nothing", [], URL_OF_PLAIN],
  ["a second target", [["REQUEST_URI", "/b"]], "http://example.com/b"],
  ["a second host", [["HTTP_HOST", "b.test"]], "http://b.test/a"],
  ["HTTPS", [["HTTPS", "on"]], "https://example.com/a"],
  ["HTTPS, and then not", [["HTTPS", "on"], ["HTTPS", "off"]], URL_OF_PLAIN],
  ["a scheme", [["REQUEST_SCHEME", "https"]], "https://example.com/a"],
  // As long, and with the same letter in the same place.
  ["a name like REQUEST_URI", [["HTTP_X_AUTH", "/evil"]], URL_OF_PLAIN],
  ["a name like REQUEST_SCHEME", [["XXXXXXXXSXXXXX", "https"]], URL_OF_PLAIN],
  ["a name like HTTPS", [["HTTPX", "on"]], URL_OF_PLAIN],
  ["another case", [["https", "on"], ["request_uri", "/b"]], URL_OF_PLAIN],
  ["a long value", [["HTTP_X_LONG", LONG]], URL_OF_PLAIN],
  ["a long name", [[LONG, "1"]], URL_OF_PLAIN],
  [
    "a long target",
    [["REQUEST_URI", `/${LONG}?${LONG}`]],
    `http://example.com/${LONG}?${LONG}`,
  ],
  ["text beyond ASCII", [["HTTP_X_TEXT", "\u00e9\u20ac"]], URL_OF_PLAIN],
];

bothWays("every URL under a mount is right, again and again", async (way) => {
  const mounted = URL_VECTORS.filter(({ mount = "" }) => mount !== "");
  assert(mounted.length > 5, `${mounted.length}`);
  for (const { name, params, mount, url } of mounted) {
    await using running = way.run(
      (request) => new Response(request.url),
      { mount: mount! },
    );
    using peer = await running.connect();
    for (let i = 0; i < 3; i++) {
      assertEquals(await urlOf(peer, Object.entries(params)), url, name);
    }
  }
});

bothWays(
  "the URL is made of the last of each name, and of no other",
  async (way) => {
    await using running = urls(way);
    using peer = await running.connect();
    for (const [what, more, url] of BEHIND) {
      for (
        const params of [[...PLAIN, ...more], [
          ["HTTP_X", LONG],
          ...PLAIN,
          ...more,
        ]]
      ) {
        assertEquals(await urlOf(peer, PLAIN), URL_OF_PLAIN);
        assertEquals(await urlOf(peer, params as Entries), url, what);
        assertEquals(
          await urlOf(peer, params as Entries),
          url,
          `${what}, again`,
        );
      }
    }
  },
);

bothWays("the URL can be read later than the method", async (way) => {
  const kept: Request[] = [];
  await using running = way.run((request) => {
    kept.push(request);
    return new Response(request.method);
  });
  using peer = await running.connect();
  const uris = ["/one", "/two?b", "/./three", "/four"];
  for (const uri of uris) {
    const { text } = await peer.ask(
      rawRequest([["HTTP_HOST", "example.com"], ["REQUEST_URI", uri]]),
    );
    assertEquals(text, "GET");
  }
  assertEquals(
    kept.map(({ url }) => url),
    ["/one", "/two?b", "/three", "/four"].map((path) =>
      `http://example.com${path}`
    ),
  );
});

Deno.test("a URL of the host of the last is made without parsing, also later", async () => {
  const kept: Request[] = [];
  await using running = WAYS[0]!.run((request) => {
    kept.push(request);
    return new Response();
  });
  using peer = await running.connect();
  for (let i = 0; i < 5; i++) {
    await peer.ask(
      rawRequest([["HTTP_HOST", "a.test"], ["REQUEST_URI", `/${i}`]]),
    );
  }
  const { parse } = URL;
  let parsed = 0;
  URL.parse = (...args) => {
    parsed++;
    return parse.apply(URL, args);
  };
  try {
    for (const [i, { url }] of kept.entries()) {
      assertEquals(url, `http://a.test/${i}`);
    }
  } finally {
    URL.parse = parse;
  }
  assertEquals(parsed, 1);
});

bothWays("every method is told as it was sent", async (way) => {
  await using running = way.run((request) => new Response(request.method));
  using peer = await running.connect();
  const methods =
    "GET POST HEAD PUT DELETE OPTIONS PATCH QUERY PROPFIND GE GETS get Patch";
  for (const method of methods.split(" ")) {
    const { status, text } = await peer.ask(
      rawRequest([["REQUEST_METHOD", method], ["HTTP_X_LONG", LONG]]),
    );
    assertEquals(status, 200, method);
    // By the public constructor it is as Fetch has it.
    const told = way.isLazy
      ? method
      : new Request("http://a/", { method }).method;
    assertEquals(text, method === "HEAD" ? "" : told);
  }
});
