// An application of h3 as its users write them: nothing of it knows what
// serves it.

import {
  createEventStream,
  getCookie,
  getQuery,
  getRouterParam,
  H3,
  HTTPError,
  readBody,
  redirect,
  setCookie,
} from "h3";
import { pulses, pulseStream } from "./pulses.ts";

const app = new H3();

app.use(async (event, next) => {
  event.res.headers.set("x-seen", event.req.method);
  return await next();
});

app.get("/", () => "Hello h3!");
app.get("/user/:name", (event) => ({
  name: getRouterParam(event, "name"),
  page: getQuery(event).page ?? null,
}));
app.all("/echo", async (event) => ({
  method: event.req.method,
  url: event.req.url,
  type: event.req.headers.get("content-type"),
  text: await event.req.text(),
}));
app.post("/json", async (event) => ({ read: await readBody(event) }));
app.get("/cookies", (event) => {
  setCookie(event, "first", "1 & 2", { httpOnly: true });
  setCookie(event, "second", getCookie(event, "one") ?? "none", {
    path: "/deep",
  });
  return "set";
});
app.get("/away", () => redirect("/elsewhere?a=b", 303));
app.get("/nothing", (event) => {
  event.res.status = 204;
  return null;
});
app.get("/teapot", () => {
  throw new HTTPError({ status: 418, message: "short and stout" });
});
app.get(
  "/words",
  (event) => pulseStream(`${getQuery(event).key}`, (text) => `${text};`),
);
app.get("/events", (event) => {
  const stream = createEventStream(event);
  const from = pulses(`${getQuery(event).key}`);
  stream.onClosed(() => from.leave());
  (async () => {
    for await (const data of from) {
      await stream.push({ data, event: "pulse", id: data });
    }
    await stream.close();
  })();
  return stream.send();
});
app.post("/pulse/:key/:text", (event) => {
  pulses(getRouterParam(event, "key")!).send(getRouterParam(event, "text")!);
  return "";
});
app.get("/left/:key", async (event) => {
  await pulses(getRouterParam(event, "key")!).left;
  return "left";
});

export default app;
