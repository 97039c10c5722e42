// A module with a default export that has a `fetch`, as Deno, Bun and workers
// take it, and no framework.

import { pulses, pulseStream } from "./pulses.ts";

type Handler = (
  request: Request,
  groups: Record<string, string | undefined>,
  query: URLSearchParams,
) => Response | Promise<Response>;

const HANDLERS: Record<string, Handler> = {
  "/": () => new Response("Hello module!"),
  "/user/:name": (_, { name }, query) =>
    Response.json({ name, page: query.get("page") }),
  "/echo": async (request) =>
    Response.json({
      method: request.method,
      url: request.url,
      type: request.headers.get("content-type"),
      text: await request.text(),
    }),
  "/json": async (request) => Response.json({ read: await request.json() }),
  "/cookies": ({ headers }) => {
    const one = /(?:^|; )one=([^;]*)/.exec(headers.get("cookie") ?? "");
    const response = new Response("set");
    response.headers.append("set-cookie", "first=1%20%26%202; HttpOnly");
    response.headers.append(
      "set-cookie",
      `second=${one?.[1] ?? "none"}; Path=/deep`,
    );
    return response;
  },
  "/away": () =>
    new Response(null, {
      status: 303,
      headers: { location: "/elsewhere?a=b" },
    }),
  "/nothing": () => new Response(null, { status: 204 }),
  "/teapot": () => new Response("short and stout", { status: 418 }),
  "/words": (_request, _groups, query) =>
    new Response(pulseStream(query.get("key")!, (text) => `${text};`)),
  "/events": (_request, _groups, query) =>
    new Response(
      pulseStream(
        query.get("key")!,
        (text) => `event: pulse\nid: ${text}\ndata: ${text}\n\n`,
      ),
      { headers: { "content-type": "text/event-stream" } },
    ),
  "/pulse/:key/:text": (_, { key, text }) => {
    pulses(key!).send(text!);
    return new Response(null, { status: 204 });
  },
  "/left/:key": async (_, { key }) => {
    await pulses(key!).left;
    return new Response("left");
  },
};

const ROUTES = Object.entries(HANDLERS).map(([pathname, handler]) => ({
  pattern: new URLPattern({ pathname }),
  handler,
}));

export default {
  async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    for (const { pattern, handler } of ROUTES) {
      const groups = pattern.exec(request.url)?.pathname.groups;
      if (groups === undefined) continue;
      const response = await handler(request, groups, searchParams);
      response.headers.set("x-seen", request.method);
      return response;
    }
    return new Response("Not found", { status: 404 });
  },
};
