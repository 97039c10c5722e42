// The program under test behind real web servers: run as any program is, with
// the command line of Application.run().

import { Application, HttpError } from "../../mod.ts";
import { content, digest } from "./content.ts";

/** Settles after SIGTERM, when the server has been told of it as well. */
const isStopping = new Promise<void>((resolve) => {
  const told = () => {
    Deno.removeSignalListener("SIGTERM", told);
    setTimeout(resolve);
  };
  Deno.addSignalListener("SIGTERM", told);
});

class LiveApp extends Application {
  override service(): void | Promise<void> {
    const { request, response } = this;
    const { pathname, searchParams } = request.url;
    switch (pathname) {
      case "/":
        response.write("Hello World!");
        return;
      case "/pid":
        response.write(String(Deno.pid));
        return;
      case "/echo":
        return this.#echo();
      case "/inspect":
        return this.#inspect();
      case "/large":
        return this.#large(Number(searchParams.get("length")));
      case "/endless":
        return this.#endless();
      case "/hold":
        return this.#hold();
      case "/nothing":
        response.status = 204;
        response.write("what no client may see");
        return;
      case "/redirect":
        response.redirect("/elsewhere?a=b");
        return;
      case "/log":
        request.log("a line for the web server's log");
        response.write("logged");
        return;
      case "/error":
        throw new Error("deliberate failure");
    }
    throw new HttpError(404, `There is no ${pathname}`);
  }

  /** Tells what came. */
  async #echo(): Promise<void> {
    const { request, response } = this;
    response.json(await digest(request.body));
  }

  /** Tells what a request looks like, and answers with many headers. */
  #inspect(): void {
    const { request, response } = this;
    response.status = 201;
    response.headers.set("x-one", "1");
    response.headers.append("x-many", "a");
    response.headers.append("x-many", "b");
    response.setCookie("first", "1 & 2", { httpOnly: true });
    response.setCookie("second", "2", { maxAge: 60 });
    response.json({
      method: request.method,
      url: request.url.href,
      headers: Object.fromEntries(request.headers),
      cookies: request.cookies,
      remoteAddr: request.remoteAddr,
      pathInfo: request.param("PATH_INFO"),
    });
  }

  /** Sends so many bytes, as fast as they are taken. */
  async #large(length: number): Promise<void> {
    const { response } = this;
    response.headers.set("content-type", "application/octet-stream");
    response.headers.set("content-length", String(length));
    for (const block of content(length)) await response.write(block);
  }

  /** Sends until the client has gone, and says that it knows. */
  async #endless(): Promise<void> {
    const { request, response } = this;
    request.signal.addEventListener(
      "abort",
      () => console.error(`signal: ${request.signal.reason.code}`),
    );
    const block = new Uint8Array(16 * 1024);
    while (request.isActive) await response.write(block);
  }

  /** Sends one line, and the other only once a stop was asked for. */
  async #hold(): Promise<void> {
    const { response } = this;
    response.headers.set("x-accel-buffering", "no");
    response.write("begun\n");
    await response.flush();
    await isStopping;
    response.write("done\n");
  }
}

await new LiveApp().run();
