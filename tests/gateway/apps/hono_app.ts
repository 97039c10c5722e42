// An application of Hono as its users write them: nothing of it knows what
// serves it.

import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { getConnInfo, serveStatic } from "hono/deno";
import { etag } from "hono/etag";
import { HTTPException } from "hono/http-exception";
import { streamSSE, streamText } from "hono/streaming";
import { pulses } from "./pulses.ts";

const app = new Hono();

app.use(async (c, next) => {
  const began = performance.now();
  await next();
  c.header("x-took", `${Math.round(performance.now() - began)}ms`);
});

app.get("/", (c) => c.text("Hello Hono!"));
app.get(
  "/user/:name",
  (c) =>
    c.json({ name: c.req.param("name"), page: c.req.query("page") ?? null }),
);
app.all("/echo", async (c) =>
  c.json({
    method: c.req.method,
    url: c.req.url,
    type: c.req.header("content-type") ?? null,
    text: await c.req.text(),
  }));

app.post("/form", async (c) => {
  const { name, file } = await c.req.parseBody();
  return c.json({
    name,
    file: file instanceof File
      ? [file.name, file.type, (await file.text()).length]
      : null,
  });
});

app.post("/length", async (c) => {
  let length = 0;
  for await (const chunk of c.req.raw.body!) length += chunk.length;
  return c.text(`${length}`);
});

app.get("/cookies", (c) => {
  setCookie(c, "first", "1 & 2", { httpOnly: true });
  setCookie(c, "second", getCookie(c, "one") ?? "none", { path: "/deep" });
  deleteCookie(c, "gone");
  return c.text("set");
});

app.use("/private/*", basicAuth({ username: "me", password: "secret" }));
app.get("/private/page", (c) => c.html("<p>private</p>"));
app.use("/cached", etag());
app.get("/cached", (c) => c.text("always the same"));

app.get("/whoami", (c) => c.json(getConnInfo(c).remote));
app.get("/away", (c) => c.redirect("/elsewhere?a=b", 303));
app.get("/nothing", (c) => c.body(null, 204));
app.get("/teapot", () => {
  throw new HTTPException(418, { message: "short and stout" });
});
app.get("/error", () => {
  throw new Error("deliberate failure");
});

app.get("/large/:megabytes", (c) => {
  let left = Number(c.req.param("megabytes")) * 16;
  const chunk = new Uint8Array(64 * 1024).fill(120);
  return c.body(
    new ReadableStream({
      pull(controller) {
        if (left-- === 0) controller.close();
        else controller.enqueue(chunk);
      },
    }),
  );
});

app.get("/words", (c) =>
  streamText(c, async (stream) => {
    for await (const pulse of pulses(c.req.query("key")!)) {
      await stream.write(`${pulse};`);
    }
  }));

app.get("/events", (c) =>
  streamSSE(c, async (stream) => {
    const from = pulses(c.req.query("key")!);
    stream.onAbort(() => from.leave());
    for await (const pulse of from) {
      await stream.writeSSE({ data: pulse, event: "pulse", id: pulse });
    }
  }));

app.post("/pulse/:key/:text", (c) => {
  pulses(c.req.param("key")).send(c.req.param("text"));
  return c.body(null, 204);
});
app.get("/left/:key", async (c) => {
  await pulses(c.req.param("key")).left;
  return c.text("left");
});

app.get("/static/*", serveStatic({ root: import.meta.dirname! }));

app.notFound((c) => c.text(`There is no ${c.req.path}`, 404));

export default app;
