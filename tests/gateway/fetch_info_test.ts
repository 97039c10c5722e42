// What a handler is told beside the Request.

import { assertEquals } from "@std/assert";
import { rawRequest } from "../support/ask.ts";
import { bothWays } from "../support/fetch.ts";
import { within } from "../support/peer.ts";
import { gate } from "../support/running.ts";
import { request } from "../support/wire.ts";

for (
  const [params, hostname, port] of [
    [{ REMOTE_ADDR: "192.0.2.7", REMOTE_PORT: "43210" }, "192.0.2.7", 43210],
    [{ REMOTE_ADDR: "2001:db8::7" }, "2001:db8::7", 0],
    [{ REMOTE_ADDR: "unix:", REMOTE_PORT: "" }, "unix:", 0],
    [{ REMOTE_ADDR: "192.0.2.7", REMOTE_PORT: "x" }, "192.0.2.7", 0],
    [{}, "", 0],
  ] as [Record<string, string>, string, number][]
) {
  bothWays(
    `info.remoteAddr is the client's of ${JSON.stringify(params)}`,
    async (way) => {
      assertEquals(
        await way.seen((_, info) => info.remoteAddr, rawRequest(params)),
        { transport: "tcp", hostname, port },
      );
    },
  );
}

bothWays("info.env has every parameter", async (way) => {
  assertEquals(
    await way.seen((_, { env }) => [
      env,
      Object.getPrototypeOf(env),
    ], rawRequest([["A", "1"], ["B", "\u00e9"], ["A", "2"]])),
    [{ A: "2", B: "\u00e9", REQUEST_METHOD: "GET" }, null],
  );
});

bothWays("info is readable after the response was sent", async (way) => {
  const seen: unknown[] = [];
  await using running = way.run((_, info) => {
    info.completed.then(() =>
      seen.push([info.remoteAddr.hostname, info.env.HTTP_X, info.role])
    );
    return new Response();
  });
  using peer = await running.connect();
  for (let i = 0; i < 30; i++) {
    await peer.ask(request({
      params: { REMOTE_ADDR: `192.0.2.${i}`, HTTP_X: `${i}` },
    }));
  }
  assertEquals(
    seen,
    Array.from(
      { length: 30 },
      (_, i) => [`192.0.2.${i}`, `${i}`, "responder"],
    ),
  );
});

bothWays(
  "what was not read of a request that failed is readable after it",
  async (way) => {
    const late = gate<unknown>();
    const { status } = await way.ask((request, info) => {
      info.completed.then(() =>
        late.resolve([request.headers.get("x-late"), info.env.HTTP_X_LATE])
      );
      throw new Error("deliberate");
    }, { params: { HTTP_X_LATE: "yes" } });
    assertEquals(status, 500);
    assertEquals(await within(late.promise, "the end"), ["yes", "yes"]);
  },
);

bothWays("info.role tells the role", async (way) => {
  for (
    const [role, name] of [[1, "responder"], [2, "authorizer"], [
      3,
      "filter",
    ]] as const
  ) {
    const { headers } = await way.ask(
      (_, info) => new Response(null, { headers: { "x-role": info.role } }),
      role === 3
        ? { role, data: "file", params: { FCGI_DATA_LENGTH: "4" } }
        : { role },
    );
    assertEquals(headers["x-role"], name);
  }
});

bothWays("an Authorizer decides by the status of the Response", async (way) => {
  const handler = (request: Request) =>
    request.headers.get("authorization") === "Bearer let-me-in"
      ? new Response(null, { headers: { "Variable-AUTH_METHOD": "token" } })
      : new Response("no", {
        status: 401,
        headers: { "www-authenticate": "Bearer" },
      });
  const allowed = await way.ask(handler, {
    role: 2,
    params: { HTTP_AUTHORIZATION: "Bearer let-me-in" },
  });
  assertEquals(allowed.lines.includes("Status: 200 OK"), true);
  assertEquals(allowed.lines.includes("Variable-AUTH_METHOD: token"), true);
  const denied = await way.ask(handler, { role: 2 });
  assertEquals(
    [denied.status, denied.headers["www-authenticate"], denied.text],
    [401, "Bearer", "no"],
  );
});

bothWays("an Authorizer that fails denies", async (way) => {
  for (
    const handler of [
      () => {
        throw new Error("deliberate");
      },
      () => Promise.reject(new Error("deliberate")),
      () => undefined as unknown as Response,
      () => Response.error(),
    ]
  ) {
    const { status } = await way.ask(handler, { role: 2 });
    assertEquals(status, 500);
  }
});

bothWays("a Filter reads its file from info.data", async (way) => {
  assertEquals(
    await way.seen(async (request, info) => [
      await request.text(),
      await new Response(info.data).text(),
      info.env.FCGI_DATA_LENGTH,
    ], {
      role: 3,
      body: "from the client",
      data: "the file",
      params: { FCGI_DATA_LENGTH: "8" },
    }),
    ["from the client", "the file", "8"],
  );
});

bothWays("info.data is empty in other roles", async (way) => {
  assertEquals(
    await way.seen((_, info) => new Response(info.data).text()),
    "",
  );
});
