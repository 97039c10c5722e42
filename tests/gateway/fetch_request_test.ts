// The Request that a handler is given: a real one, whatever is done with it.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { bothWays, someBytes, WAYS } from "../support/fetch.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { request } from "../support/wire.ts";

const POST = { body: "one=1&two=%C3%A9" };

bothWays("the Request has method, URL and headers", async (way) => {
  assertEquals(
    await way.seen(
      ({ method, url, headers }) => ({ method, url, headers: [...headers] }),
      {
        params: {
          REQUEST_METHOD: "PATCH",
          REQUEST_URI: "/a%20b/?x=1&y=%C3%A9",
          HTTP_HOST: "example.test:8080",
          HTTPS: "on",
          HTTP_ACCEPT: "text/html",
          HTTP_X_REQUEST_ID: "7",
          CONTENT_TYPE: "text/plain",
          CONTENT_LENGTH: "0",
        },
      },
    ),
    {
      method: "PATCH",
      url: "https://example.test:8080/a%20b/?x=1&y=%C3%A9",
      headers: [
        ["accept", "text/html"],
        ["content-length", "0"],
        ["content-type", "text/plain"],
        ["host", "example.test:8080"],
        ["x-request-id", "7"],
      ],
    },
  );
});

bothWays("the Request is one by every test there is", async (way) => {
  assertEquals(
    await way.seen((request) => [
      request instanceof Request,
      Object.prototype.toString.call(request),
      Object.getPrototypeOf(request) === Request.prototype,
      request.constructor === Request,
      Object.keys(request),
      JSON.stringify(request),
      request.redirect,
      request.url === request.url,
      request.headers === request.headers,
      request.signal === request.signal,
      request.body,
      /Request \{.*url: "http/s.test(Deno.inspect(request)),
    ]),
    [
      true,
      "[object Request]",
      true,
      true,
      [],
      "{}",
      "follow",
      true,
      true,
      true,
      null,
      true,
    ],
  );
});

Deno.test("a lazy Request builds nothing that is not read", async () => {
  const [way] = WAYS;
  const built: string[] = [];
  await using running = way!.run((request) => {
    if (request.method === "DELETE") void request.url;
    return new Response("text");
  });
  using peer = await running.connect();
  await peer.ask(request());
  const real = { parse: URL.parse, Headers, ReadableStream, AbortController };
  const counted = <T extends object>(name: string, made: T): T =>
    new Proxy(made, {
      construct(target, args, newTarget) {
        built.push(name);
        return Reflect.construct(target as typeof Object, args, newTarget);
      },
      apply(target, self, args) {
        built.push(name);
        return Reflect.apply(target as typeof Object, self, args);
      },
    });
  URL.parse = counted("URL", URL.parse);
  globalThis.Headers = counted("Headers", Headers);
  globalThis.ReadableStream = counted("ReadableStream", ReadableStream);
  globalThis.AbortController = counted("AbortController", AbortController);
  try {
    await peer.ask(request());
    await peer.ask(request({ body: "a body" }));
    assertEquals(built, []);
    await peer.ask(request({ params: { REQUEST_METHOD: "DELETE" } }));
    assertEquals(built, ["URL"], "the test would see it");
  } finally {
    URL.parse = real.parse;
    globalThis.Headers = real.Headers;
    globalThis.ReadableStream = real.ReadableStream;
    globalThis.AbortController = real.AbortController;
  }
});

bothWays("clone() gives another with the same body", async (way) => {
  assertEquals(
    await way.seen(async (request) => {
      const copy = request.clone();
      const used = [request.bodyUsed, copy.bodyUsed];
      const [one, two] = await Promise.all([request.text(), copy.text()]);
      assertThrows(() => request.clone(), TypeError);
      return [
        used,
        one,
        two,
        copy.method,
        copy.url === request.url,
        copy.headers.get("content-length"),
        copy !== request,
      ];
    }, POST),
    [[false, false], POST.body, POST.body, "POST", true, "16", true],
  );
});

bothWays(
  "a clone of a Request that was not read may be read alone",
  async (way) => {
    assertEquals(
      await way.seen((request) => request.clone().text(), POST),
      POST.body,
    );
  },
);

bothWays(
  "new Request() takes it, with its body and what is to change",
  async (way) => {
    assertEquals(
      await way.seen(async (request) => {
        const same = new Request(request);
        const wasUsed = request.bodyUsed;
        const text = await same.text();
        return [
          wasUsed,
          text,
          same.method,
          same.url === request.url,
          [...same.headers].join() === [...request.headers].join(),
        ];
      }, POST),
      [true, POST.body, "POST", true, true],
    );
    assertEquals(
      await way.seen(async (request) => {
        const other = new Request(request, {
          method: "PUT",
          headers: { "x-new": "1" },
          body: "another",
        });
        const at = new Request("http://else.test/", request);
        return [
          other.method,
          [...other.headers],
          await other.text(),
          at.url,
          at.method,
          await at.text(),
        ];
      }, POST),
      [
        "PUT",
        [["content-type", "text/plain;charset=UTF-8"], ["x-new", "1"]],
        "another",
        "http://else.test/",
        "POST",
        POST.body,
      ],
    );
  },
);

bothWays("a subclass of Request takes it", async (way) => {
  class Own extends Request {
    get path() {
      return new URL(this.url).pathname;
    }
  }
  assertEquals(
    await way.seen(async (request) => {
      const own = new Own(request);
      assertInstanceOf(own, Request);
      assertInstanceOf(own.clone(), Request);
      return [own.path, own.method, await own.json()];
    }, { body: "[1]", params: { REQUEST_URI: "/own?x" } }),
    ["/own", "POST", [1]],
  );
});

bothWays("fetch() takes it, and hands its body on", async (way) => {
  const body = someBytes(300_000);
  await using upstream = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const text = `${request.method} ${new URL(request.url).pathname} ${
        request.headers.get("x-one")
      } `;
      const bytes = await request.bytes();
      return new Response(new Blob([text, bytes]));
    },
  );
  const { port } = upstream.addr;
  const { status, body: answered } = await way.ask(
    (request) => fetch(request),
    {
      body,
      params: {
        HTTP_HOST: `127.0.0.1:${port}`,
        REQUEST_URI: "/up",
        HTTP_X_ONE: "1",
      },
    },
  );
  assertEquals(status, 200);
  const head = "POST /up 1 ".length;
  assertEquals(
    new TextDecoder().decode(answered.slice(0, head)),
    "POST /up 1 ",
  );
  assertEquals(answered.slice(head), body);
});

bothWays("Response takes its body", async (way) => {
  const body = someBytes(200_000);
  const { status, body: echo } = await way.ask(
    (request) => new Response(request.body),
    { body },
  );
  assertEquals(status, 200);
  assertEquals(echo, body);
});

bothWays(
  "a kept Request can be read after the handler has returned",
  async (way) => {
    let kept!: Request;
    await using running = way.run((request) => {
      kept = request;
      return new Response();
    });
    using peer = await running.connect();
    await peer.ask(request({ params: { REQUEST_URI: "/kept", HTTP_X: "1" } }));
    await peer.ask(request({ params: { REQUEST_URI: "/next", HTTP_X: "2" } }));
    const next = kept;
    await peer.ask(request({ params: { REQUEST_URI: "/last", HTTP_X: "3" } }));
    assertEquals(
      [next.method, next.url, next.headers.get("x"), next.signal.aborted],
      ["GET", "http://test/next", "2", false],
    );
    assertEquals(kept.clone().url, "http://test/last");
  },
);

Deno.test("methods that Fetch forbids are served lazily, and are 501 otherwise", async () => {
  for (const way of WAYS) {
    for (const method of ["TRACE", "CONNECT"]) {
      const { status, text } = await way.ask(
        (request) => new Response(request.method),
        { params: { REQUEST_METHOD: method } },
      );
      assertEquals(status, way.isLazy ? 200 : 501);
      if (way.isLazy) assertEquals(text, method);
    }
  }
});

bothWays("a mount is taken off the path", async (way) => {
  const { text } = await way.ask(
    (request) => new Response(new URL(request.url).pathname),
    { params: { REQUEST_URI: "/app/page" } },
    { mount: "/app" },
  );
  assertEquals(text, "/page");
});

bothWays("many requests in flight at once keep apart", async (way) => {
  const all = gate();
  let count = 0;
  await using running = way.run(async (request, info) => {
    if (++count === 20) all.resolve();
    await within(all.promise, "all requests");
    return Response.json([
      new URL(request.url).pathname,
      request.headers.get("x-id"),
      info.env.HTTP_X_ID,
      await request.text(),
    ]);
  });
  using peer = await running.connect();
  for (let id = 1; id <= 20; id++) {
    await peer.send(request({
      id,
      body: `body ${id}`,
      params: { REQUEST_URI: `/${id}`, HTTP_X_ID: `${id}` },
    }));
  }
  for (let id = 1; id <= 20; id++) {
    const { text } = await peer.answer(id);
    assertEquals(JSON.parse(text), [`/${id}`, `${id}`, `${id}`, `body ${id}`]);
  }
});

bothWays(
  "what a handler throws is a 500, what has a status is that",
  async (way) => {
    const { status, stderr, text } = await way.ask(() => {
      throw new Error("deliberate");
    });
    assertEquals(status, 500);
    assert(stderr.includes("Error: deliberate"), stderr);
    assert(!text.includes("deliberate"), text);
    const later = await way.ask(() => Promise.reject(new Error("deliberate")));
    assertEquals(later.status, 500);
    const large = await way.ask(
      (request) => request.text().then((text) => new Response(text)),
      { body: "too large", params: { CONTENT_LENGTH: "" } },
      { maxBodyBytes: 3 },
    );
    assertEquals(large.status, 413);
    await assertRejects(() => way.seen(() => Promise.reject(new Error("no"))));
  },
);
