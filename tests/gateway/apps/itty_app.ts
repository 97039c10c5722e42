// An application of itty-router as its users write them: nothing of it knows
// what serves it.

import { AutoRouter, error, json, StatusError, text } from "itty-router";
import type { IRequest } from "itty-router";
import { pulses, pulseStream } from "./pulses.ts";

const seen = (response: Response, request: IRequest) => {
  response.headers.set("x-seen", request.method);
  return response;
};

const router = AutoRouter({ finally: [seen] });

router
  .get("/", () => text("Hello itty!"))
  .get("/user/:name", ({ params, query }: IRequest) => ({
    name: params.name,
    page: query.page ?? null,
  }))
  .all("/echo", async (request: IRequest) => ({
    method: request.method,
    url: request.url,
    type: request.headers.get("content-type"),
    text: await request.text(),
  }))
  .post(
    "/json",
    async (request: IRequest) => json({ read: await request.json() }),
  )
  .get("/cookies", ({ headers }: IRequest) => {
    const one = /(?:^|; )one=([^;]*)/.exec(headers.get("cookie") ?? "");
    return new Response("set", {
      headers: [
        ["set-cookie", "first=1%20%26%202; HttpOnly"],
        ["set-cookie", `second=${one?.[1] ?? "none"}; Path=/deep`],
      ],
    });
  })
  .get("/away", () =>
    new Response(null, {
      status: 303,
      headers: { location: "/elsewhere?a=b" },
    }))
  .get("/nothing", () => new Response(null, { status: 204 }))
  .get("/teapot", () => {
    throw new StatusError(418, "short and stout");
  })
  .get(
    "/words",
    ({ query }: IRequest) =>
      new Response(pulseStream(`${query.key}`, (text) => `${text};`)),
  )
  .get("/events", ({ query }: IRequest) =>
    new Response(
      pulseStream(
        `${query.key}`,
        (text) => `event: pulse\nid: ${text}\ndata: ${text}\n\n`,
      ),
      { headers: { "content-type": "text/event-stream" } },
    ))
  .post("/pulse/:key/:text", ({ params }: IRequest) => {
    pulses(params.key!).send(params.text!);
    return new Response(null, { status: 204 });
  })
  .get("/left/:key", async ({ params }: IRequest) => {
    await pulses(params.key!).left;
    return text("left");
  })
  .all("*", () => error(404));

export default router;
