// Every kind of Response, as it goes over the wire; those of `Deno.serve` are
// what to compare with.

import { assert, assertEquals } from "@std/assert";
import type { ServeHandler } from "../../src/gateway/serve_types.ts";
import { bothWays, someBytes, texts } from "../support/fetch.ts";
import { request } from "../support/wire.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function form(): FormData {
  const form = new FormData();
  form.set("one", "1");
  form.set("file", new File(["text"], "a.txt", { type: "text/plain" }));
  return form;
}

/** Responses of all kinds. */
const RESPONSES: Record<string, () => Response> = {
  "nothing": () => new Response(),
  "null": () => new Response(null),
  "an empty string": () => new Response(""),
  "a string": () => new Response("Hello World!"),
  "a string beyond ASCII": () => new Response("h\u00e9llo \u{1f600}"),
  "a lone surrogate": () => new Response("a\ud800b"),
  "a long string": () => new Response("\u00e9".repeat(100_000)),
  "a string with a type": () =>
    new Response("<p>", { headers: { "content-type": "text/html" } }),
  "a string with plain type": () =>
    new Response("text", { headers: { "Content-Type": "text/plain" } }),
  "a string with headers": () =>
    new Response("text", { headers: { "x-one": "1", ETag: '"a"' } }),
  "a string with a Headers": () =>
    new Response("text", { headers: new Headers({ "x-one": "1" }) }),
  "a string with a status": () => new Response("gone", { status: 410 }),
  "a status without a registered reason": () =>
    new Response("?", { status: 299 }),
  "headers set later": () => {
    const response = new Response("text");
    response.headers.set("content-type", "text/css");
    response.headers.append("x-one", "1");
    response.headers.append("X-One", "2");
    return response;
  },
  "a type taken away": () => {
    const response = new Response("text");
    response.headers.delete("content-type");
    return response;
  },
  "several cookies": () =>
    new Response("text", {
      headers: [["set-cookie", "a=1"], ["Set-Cookie", "b=2; Path=/"]],
    }),
  "values of ISO-8859-1": () =>
    new Response("text", { headers: { "x-one": "h\u00e9" } }),
  "JSON": () => Response.json({ a: [1, "\u00e9"] }),
  "JSON with a status": () => Response.json({ error: 1 }, { status: 422 }),
  "a redirect": () => Response.redirect("http://elsewhere.test/?a=b", 307),
  "bytes": () => new Response(bytes("bytes")),
  "no bytes": () => new Response(new Uint8Array(0)),
  "many bytes": () => new Response(someBytes(300_000)),
  "an ArrayBuffer": () => new Response(bytes("buffer").buffer),
  "a view of part of a buffer": () =>
    new Response(bytes("a buffer").subarray(2, 5)),
  "a DataView": () => new Response(new DataView(bytes("view").buffer)),
  "a Blob": () => new Response(new Blob(["blob"], { type: "text/x" })),
  "a Blob without a type": () => new Response(new Blob([someBytes(70_000)])),
  "URLSearchParams": () => new Response(new URLSearchParams({ a: "b c" })),
  "a stream": () => new Response(texts("one", "two")),
  "an empty stream": () => new Response(texts()),
  "a stream of empty chunks": () => new Response(texts("", "a", "")),
  "a stream with a length": () =>
    new Response(texts("one", "two"), { headers: { "content-length": "6" } }),
  "an async iterable": () =>
    new Response((async function* () {
      yield bytes("one");
      await Promise.resolve();
      yield bytes("two");
    })()),
  "a clone": () => {
    const response = new Response("text", { status: 201 });
    response.clone();
    return response;
  },
  "a clone's copy": () => new Response("text", { status: 201 }).clone(),
  "a body of another": () => new Response(new Response("text").body),
  "a body looked at": () => {
    const response = new Response("text");
    void response.body;
    return response;
  },
  "a subclass": () =>
    new (class Page extends Response {
      constructor(text: string) {
        super(text, { headers: { "content-type": "text/html" } });
      }
    })("<p>"),
  "204": () => new Response(null, { status: 204 }),
  "205": () => new Response(null, { status: 205 }),
  "304": () => new Response(null, { status: 304, headers: { etag: '"a"' } }),
};

/** What is to be compared of the answer to a client. */
interface Compared {
  status: number;
  headers: string[];
  body: Uint8Array;
}

/** What `Deno.serve` answers. */
async function reference(handler: ServeHandler): Promise<Compared> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => handler(null!, null!),
  );
  const response = await fetch(`http://127.0.0.1:${server.addr.port}/`, {
    redirect: "manual",
    headers: { "accept-encoding": "identity" },
  });
  const headers = [...response.headers]
    .filter(([name]) => !["date", "vary"].includes(name))
    .map(([name, value]) => `${name}: ${value}`);
  return {
    status: response.status,
    headers: comparable(headers),
    body: await response.bytes(),
  };
}

/** Lengths aside: streams that end at once are told one. */
function comparable(lines: string[]): string[] {
  return lines.filter((line) =>
    !/^(?:content-length|transfer-encoding|status):/i.test(line)
  ).map((line) => {
    const [name, ...value] = line.split(": ");
    return `${name!.toLowerCase()}: ${value.join(": ")}`;
  }).sort();
}

for (const [what, make] of Object.entries(RESPONSES)) {
  bothWays(`a Response of ${what} is sent as Deno.serve does`, async (way) => {
    const expected = await reference(make);
    for (const handler of [make, () => Promise.resolve(make())]) {
      const { status, lines, body, stderr } = await way.ask(handler);
      assertEquals(stderr, "");
      assertEquals({ status, headers: comparable(lines), body }, expected);
    }
  });
}

bothWays("a Response of FormData is sent with its boundary", async (way) => {
  const { headers, body } = await way.ask(() => new Response(form()));
  const read = await new Response(body.slice(), {
    headers: { "content-type": headers["content-type"]! },
  }).formData();
  assertEquals(read.get("one"), "1");
  assertEquals(await (read.get("file") as File).text(), "text");
});

for (
  const [what, make, length] of [
    ["a string", () => new Response("h\u00e9"), "3"],
    ["bytes", () => new Response(someBytes(60_000)), "60000"],
    ["nothing", () => new Response(), "0"],
    ["a Blob", () => new Response(new Blob([someBytes(70_000)])), "70000"],
    ["a stream that ends at once", () => new Response(texts("a", "b")), "2"],
    [
      "its own",
      () => new Response(texts("abc"), { headers: { "content-length": "3" } }),
      "3",
    ],
    ["JSON", () => Response.json([1]), "3"],
  ] as [string, () => Response, string][]
) {
  bothWays(`a Response of ${what} has its Content-Length`, async (way) => {
    const { headers, body } = await way.ask(make);
    // What is public does not tell of a Blob that it is one.
    if (what === "a Blob" && !way.isLazy) return;
    assertEquals(headers["content-length"], length);
    assertEquals(`${body.length}`, length);
  });
}

bothWays("a Response without a Content-Type gets none", async (way) => {
  const { lines } = await way.ask(() => new Response(bytes("bytes")));
  assertEquals(lines, ["Content-Length: 5", "Status: 200 OK"]);
});

bothWays("a short Response leaves in one write", async (way) => {
  for (
    const handler of [
      () => new Response("Hello"),
      () => Promise.resolve(new Response("Hello")),
      () => new Response(bytes("Hello")),
      () => new Response(texts("Hel", "lo")),
    ]
  ) {
    await using running = way.run(handler, { watched: true });
    using peer = await running.connect();
    const { lines, text } = await peer.ask(request());
    assertEquals(text, "Hello");
    assert(lines.includes("Content-Length: 5"), `${lines}`);
    assertEquals(running.writes.length, 1);
  }
});

bothWays(
  "a reason phrase is sent, its own or the registered one",
  async (way) => {
    const { lines } = await way.ask(() =>
      new Response("", { status: 404, statusText: "Nowhere" })
    );
    assert(lines.includes("Status: 404 Nowhere"), `${lines}`);
    const other = await way.ask(() => new Response("", { status: 404 }));
    assert(other.lines.includes("Status: 404 Not Found"), `${other.lines}`);
  },
);

bothWays("headers of the connection are not sent", async (way) => {
  const { headers } = await way.ask(() =>
    new Response("text", {
      headers: {
        connection: "close",
        "transfer-encoding": "chunked",
        upgrade: "h2c",
        "keep-alive": "timeout=5",
        "x-kept": "1",
      },
    })
  );
  assertEquals(Object.keys(headers).sort(), [
    "content-length",
    "content-type",
    "status",
    "x-kept",
  ]);
  assertEquals(headers["x-kept"], "1");
});

bothWays(
  "responses that differ in a header or a cookie do not mix",
  async (way) => {
    let count = 0;
    await using running = way.run(() => {
      const n = ++count >> 1;
      return new Response(`${n}`, {
        status: 200 + n % 3,
        headers: [["x-n", `${n}`], ["set-cookie", `n=${n}`]],
      });
    });
    using peer = await running.connect();
    for (let i = 1; i < 20; i++) {
      const n = i >> 1;
      const { status, headers, text } = await peer.ask(request());
      assertEquals(
        [status, headers["x-n"], headers["set-cookie"], text],
        [200 + n % 3, `${n}`, `n=${n}`, `${n}`],
      );
    }
  },
);

bothWays(
  "a body fetched and decoded is sent without its encoding",
  async (way) => {
    const text = "compressible ".repeat(1000);
    await using upstream = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () =>
        new Response(
          texts(text).pipeThrough(new CompressionStream("gzip")),
          { headers: { "content-encoding": "gzip", "x-up": "1" } },
        ),
    );
    const answer = await way.ask(() =>
      fetch(`http://127.0.0.1:${upstream.addr.port}/`)
    );
    assertEquals(answer.text, text);
    assertEquals(answer.headers["content-encoding"], undefined);
    assertEquals(answer.headers["x-up"], "1");
  },
);

const HEAD = { params: { REQUEST_METHOD: "HEAD" } };

for (
  const [what, make, length] of [
    ["a string", () => new Response("text"), "4"],
    ["bytes", () => new Response(bytes("text")), "4"],
    ["nothing", () => new Response(), undefined],
    ["a stream", () => new Response(texts("text")), undefined],
    [
      "a length alone",
      () => new Response(null, { headers: { "content-length": "7" } }),
      "7",
    ],
  ] as [string, () => Response, string | undefined][]
) {
  bothWays(`HEAD of ${what} has the headers and no body`, async (way) => {
    const { status, body, headers } = await way.ask(make, HEAD);
    assertEquals([status, body.length], [200, 0]);
    // What is public gives a stream of everything.
    const isTold = way.isLazy || what === "a length alone";
    assertEquals(headers["content-length"], isTold ? length : undefined);
  });
}

bothWays("a Response of another making is sent too", async (way) => {
  class Foreign {
    readonly status = 201;
    readonly statusText = "";
    readonly headers = new Headers({ "x-one": "1" });
    readonly body = texts("foreign");
    readonly bodyUsed = false;
    readonly url = "";
    readonly [Symbol.toStringTag] = "Response";
  }
  const { status, headers, text } = await way.ask(() =>
    new Foreign() as unknown as Response
  );
  assertEquals([status, headers["x-one"], text], [201, "1", "foreign"]);
});
