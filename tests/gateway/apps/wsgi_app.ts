// A WSGI-style application as PEP 3333 shows them, with middleware; where the
// environment variable VALIDATE is set, behind the validator, so that whatever
// it or the gateway does wrong is a 500.

import { validator } from "../../../mod.ts";
import type {
  StartResponse,
  WsgiApplication,
  WsgiBody,
  WsgiEnvironment,
} from "../../../mod.ts";
import { pulses, pulseStream } from "./pulses.ts";

type Page = (
  env: WsgiEnvironment,
  start: StartResponse,
  rest: string[],
) => WsgiBody | Promise<WsgiBody>;

const PLAIN: [string, string] = ["Content-Type", "text/plain; charset=utf-8"];

const PAGES: Record<string, Page> = {
  "": (_, start) => {
    start("200 OK", [PLAIN]);
    return ["Hello ", "WSGI!"];
  },
  where: (env, start) => {
    start("200 OK", [["Content-Type", "application/json"]]);
    return [JSON.stringify([env.SCRIPT_NAME, env.PATH_INFO, env.QUERY_STRING])];
  },
  echo: async (env, start) => {
    const length = Number(env.CONTENT_LENGTH || 0);
    const body = await env["wsgi.input"].read(length);
    start("200 OK", [["Content-Type", env.CONTENT_TYPE ?? "text/plain"]]);
    return [body];
  },
  lines: async (env, start) => {
    let count = 0;
    for await (const line of env["wsgi.input"]) {
      count += line.length > 0 ? 1 : 0;
    }
    start("200 OK", [PLAIN]);
    return [`${count}`];
  },
  cookies: (env, start) => {
    start("200 OK", [PLAIN, ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]]);
    return [`${env.HTTP_COOKIE}`];
  },
  words: (_env, start, [key]) => {
    start("200 OK", [PLAIN]);
    return pulseStream(key!, (text) => `${text};`);
  },
  events: (_env, start, [key]) => {
    start("200 OK", [["Content-Type", "text/event-stream"]]);
    return pulseStream(key!, (text) => `data: ${text}\n\n`);
  },
  pulse: (_env, start, [key, text]) => {
    pulses(key!).send(text!);
    start("200 OK", [PLAIN]);
    return ["sent"];
  },
  left: async (_env, start, [key]) => {
    await pulses(key!).left;
    start("200 OK", [PLAIN]);
    return ["left"];
  },
  written: (_, start) => {
    const write = start("201 Made", [PLAIN]);
    write(new TextEncoder().encode("written, "));
    return ["and returned"];
  },
  log: (env, start) => {
    env["wsgi.errors"].write("a line of the application\n");
    start("200 OK", [PLAIN]);
    return ["logged"];
  },
  error: () => {
    throw new Error("deliberate failure");
  },
};

function pages(env: WsgiEnvironment, start: StartResponse) {
  const [name = "", ...rest] = env.PATH_INFO.slice(1).split("/");
  const page = Object.hasOwn(PAGES, name) ? PAGES[name] : undefined;
  if (page !== undefined) return page(env, start, rest);
  start("404 Not Found", [PLAIN]);
  return ["no such page"];
}

/** Middleware: a header on every response. */
function seen(app: WsgiApplication): WsgiApplication {
  return (env, start) =>
    app(
      env,
      (status, headers, error) =>
        start(status, [...headers, ["X-Seen", env.REQUEST_METHOD]], error),
    );
}

export default seen(Deno.env.has("VALIDATE") ? validator(pages) : pages);
