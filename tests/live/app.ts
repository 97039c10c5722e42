// The program under test behind real web servers: run as any program is, with
// the command line of Application.run().

import { Application, HttpError } from "../../mod.ts";
import type { ServiceRequest, ServiceResponse } from "../../mod.ts";
import { authorize } from "./authorizer.ts";
import { content, digest } from "./content.ts";
import { Line } from "./control.ts";

type Page = (
  request: ServiceRequest,
  response: ServiceResponse,
) => void | Promise<void>;

/** What each first segment of a path does. */
const PAGES: Readonly<Record<string, Page>> = {
  "": (_, response) => {
    response.write("Hello World!");
  },

  /** The same, of no known length. */
  async parts(_, response) {
    for (const part of ["Hello ", "World!"]) {
      response.write(part);
      await response.flush();
    }
  },

  /** Which process this is, at once or once it is told to say. */
  async pid(request, response) {
    if (request.query.has("control")) {
      using line = await lineOf(request);
      await line.next();
    }
    response.write(String(Deno.pid));
  },

  /** Tells what a request looks like. */
  inspect(request, response) {
    const { method, url, cookies, remoteAddr, env } = request;
    const headers = Object.fromEntries(request.headers);
    response.json({ method, url, headers, cookies, remoteAddr, env });
  },

  /** Tells what body came. */
  async echo(request, response) {
    response.json(await digest(request.body));
  },

  /** Tells what a form holds, whose files go where the query says. */
  async form(request, response) {
    const directory = request.query.get("directory")!;
    const form = await request.form({ directory, maxUploadBytes: 60_000_000 });
    const files = [];
    for (const [field, file] of form.files) {
      const { name, type } = file;
      files.push({ field, name, type, ...await digest(file.stream()) });
    }
    response.json({ fields: [...form.fields], files });
  },

  /** Gives a text back, for which it waits a moment. */
  async same(request, response) {
    const text = await request.text();
    await Promise.resolve();
    response.write(`${request.query.get("n")} ${text}`);
  },

  /** Answers with many headers. */
  headers(_, response) {
    response.headers.set("x-one", "1");
    response.headers.append("x-many", "a");
    response.headers.append("x-many", "b");
    response.setCookie("first", "1 & 2", { httpOnly: true });
    response.setCookie("second", "2", { maxAge: 60 });
    response.write("headers");
  },

  /** Answers with a status, and a body where it may have one. */
  status({ query }, response) {
    response.status = Number(query.get("code"));
    response.statusText = query.get("reason") ?? "";
    response.write("what some clients may not see");
  },

  /** Answers with a header of so many bytes. */
  long({ query }, response) {
    response.headers.set("x-long", "x".repeat(Number(query.get("length"))));
    response.write("long");
  },

  unchanged(_, response) {
    response.status = 304;
    response.headers.set("etag", '"one"');
    response.write("what no client may see");
  },

  redirect({ query }, response) {
    response.redirect("/elsewhere?a=b", Number(query.get("code") ?? 302));
  },

  /** Sends so many bytes, as fast as they are taken. */
  async large({ query }, response) {
    const length = Number(query.get("length"));
    response.headers.set("content-type", "application/octet-stream");
    response.headers.set("content-length", String(length));
    for (const block of content(length)) await response.write(block);
  },

  /** Sends one line, and the other once it is told to. */
  async stream(request, response) {
    using line = await lineOf(request);
    response.headers.set("x-accel-buffering", "no");
    response.write("first\n");
    await response.flush();
    await line.say("flushed");
    await line.next();
    response.write("second\n");
  },

  /** Tells of each piece of its body. */
  async upload(request, response) {
    using line = await lineOf(request);
    await line.say("begun");
    let length = 0;
    try {
      for await (const piece of request.body) {
        length += piece.length;
        await line.say(String(length));
      }
    } catch (error) {
      await line.say(`failed ${codeOf(error)}`);
      throw error;
    }
    response.write(String(length));
  },

  /** Says nothing until it is told to, and whether its client has gone. */
  async wait(request, response) {
    using line = await lineOf(request);
    request.signal.addEventListener("abort", () => {
      line.say(`signal ${codeOf(request.signal.reason)}`);
    });
    await line.say("begun");
    await line.next();
    response.write("waited");
  },

  /** Sends until the client has gone, and says that it knows. */
  async endless(request, response) {
    using line = await lineOf(request);
    const gone = new Promise<void>((resolve) => {
      request.signal.addEventListener("abort", () => {
        line.say(`signal ${codeOf(request.signal.reason)}`).then(resolve);
      });
    });
    response.headers.set("x-accel-buffering", "no");
    const block = new Uint8Array(16 * 1024);
    while (request.isActive) await response.write(block).catch(() => {});
    await gone;
  },

  /** Sends one line, and the other only once a stop was asked for. */
  async hold(request, response) {
    using line = await lineOf(request);
    response.headers.set("x-accel-buffering", "no");
    response.write("begun\n");
    await response.flush();
    await isStopping;
    await line.say("stopping");
    await line.next();
    response.write("done\n");
  },

  log(request, response) {
    request.log(`a line for the web server's log ${request.url.search}`);
    response.write("logged");
  },

  /** Fails, before the response begins or once its client has some of it. */
  async error(request, response) {
    const { query } = request;
    if (query.has("length")) {
      response.headers.set("content-length", query.get("length")!);
    }
    if (query.has("control")) {
      using line = await lineOf(request);
      response.headers.set("x-accel-buffering", "no");
      response.write("begun\n");
      await response.flush();
      await line.next();
    }
    throw new Error("deliberate failure");
  },

  /** Tells what an Authorizer before it has passed on, and what body came. */
  async guarded(request, response) {
    response.json({
      user: request.param("AUTH_USER"),
      body: await request.text(),
    });
  },
};

/** Settles after SIGTERM, when the server has been told of it as well. */
const isStopping = new Promise<void>((resolve) => {
  const told = () => {
    Deno.removeSignalListener("SIGTERM", told);
    setTimeout(resolve);
  };
  Deno.addSignalListener("SIGTERM", told);
});

function lineOf({ query }: ServiceRequest): Promise<Line> {
  return Line.to(Number(query.get("control")));
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code ?? error;
}

class LiveApp extends Application {
  override service(
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void> {
    if (request.role === "authorizer") return authorize(request, response);
    const [first] = request.url.pathname.slice(1).split("/");
    if (Object.hasOwn(PAGES, first!)) return PAGES[first!]!(request, response);
    throw new HttpError(404, `There is no ${request.url.pathname}`);
  }
}

await new LiveApp().run();
