import {
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Application } from "../mod.ts";
import type { ServiceRequest } from "../src/request.ts";
import type { ServiceResponse } from "../src/response.ts";
import { ask } from "./support/ask.ts";
import { Peer } from "./support/peer.ts";
import { GET, request } from "./support/wire.ts";

const ANY = { hostname: "127.0.0.1", port: 0 };

/** Answers one request of an application. */
async function askApp(app: Application, question = request()) {
  await using server = app.listen(ANY);
  using peer = await Peer.to(server);
  return await peer.ask(question);
}

Deno.test("service() without parameters uses this.request and this.response", async () => {
  const { text } = await askApp(
    new class extends Application {
      override service() {
        this.response.write(`${this.request.method} ${this.request.url}`);
      }
    }(),
  );
  assertEquals(text, "GET http://test/");
});

Deno.test("service() with parameters gets the request and the response", async () => {
  const { text } = await askApp(
    new class extends Application {
      override service(request: ServiceRequest, response: ServiceResponse) {
        response.write(`${request.method} ${request.url}`);
      }
    }(),
  );
  assertEquals(text, "GET http://test/");
});

Deno.test("service() may be an async method", async () => {
  const { text, headers } = await askApp(
    new class extends Application {
      override async service() {
        this.response.write("a");
        await Promise.resolve();
        this.response.write("b");
      }
    }(),
  );
  assertEquals([text, headers["content-length"]], ["ab", "2"]);
});

Deno.test("service() may return the promise of its last write", async () => {
  const { text } = await askApp(
    new class extends Application {
      override service() {
        return this.response.write("last");
      }
    }(),
  );
  assertEquals(text, "last");
});

Deno.test("service() that writes nothing answers with an empty page", async () => {
  const { status, text, headers } = await ask(() => {});
  assertEquals([status, text], [200, ""]);
  assertEquals(headers["content-length"], "0");
  assertEquals(headers["content-type"], "text/html; charset=utf-8");
});

Deno.test("service() not overridden answers that there are no services", async () => {
  const { status, text } = await askApp(new Application());
  assertEquals(status, 200);
  assertStringIncludes(text, "<h1>No services available</h1>");
});

Deno.test("service() not overridden denies as an Authorizer", async () => {
  const { status } = await askApp(new Application(), request({ role: 2 }));
  assertEquals(status, 403);
});

Deno.test("Application.current is the application created last", () => {
  const first = new Application();
  assertStrictEquals(Application.current, first);
  class Derived extends Application {}
  const second = new Derived();
  assertStrictEquals(Application.current, second);
  assertStrictEquals(Derived.current, second);
});

Deno.test("Application.current stays when creating another fails", () => {
  const app = new Application();
  assertThrows(() => new Application({ maxConnections: 0 }), RangeError);
  assertStrictEquals(Application.current, app);
});

Deno.test("several applications in one process answer each for itself", async () => {
  class Named extends Application {
    constructor(readonly name: string) {
      super({ charset: name === "b" ? "iso-8859-1" : "utf-8" });
    }
    override async service() {
      await Promise.resolve();
      this.response.write(`${this.name}é`);
    }
  }
  const apps = ["a", "b", "c"].map((name) => new Named(name));
  const servers = apps.map((app) => app.listen(ANY));
  const peers = await Promise.all(servers.map((server) => Peer.to(server)));
  const answers = await Promise.all(peers.map((peer) => peer.ask(request())));
  assertEquals(
    answers.map(({ body }) => String.fromCharCode(...body)),
    ["a\xc3\xa9", "b\xe9", "c\xc3\xa9"],
  );
  for (const peer of peers) peer.close();
  // One stops, the others go on.
  await apps[0]!.exit();
  using peer = await Peer.to(servers[1]!);
  assertEquals((await peer.ask(request())).status, 200);
  peer.close();
  await Promise.all([apps[1]!.exit(), apps[2]!.exit()]);
});

Deno.test("one application listens on several addresses", async () => {
  let served = 0;
  const app = new class extends Application {
    override service() {
      this.response.write(String(++served));
    }
  }();
  const servers = [app.listen(ANY), app.listen(ANY)];
  for (const [i, server] of servers.entries()) {
    using peer = await Peer.to(server);
    assertEquals((await peer.ask(request())).text, String(i + 1));
  }
  await app.exit();
  await Promise.all(servers.map((server) => server.finished));
});

Deno.test("charset encodes written strings and stands in the default Content-Type", async () => {
  const { body, headers } = await ask(
    (_, response) => void response.write("é € 日 \u{1f600}"),
    {},
    { charset: "iso-8859-1" },
  );
  // Browsers, and so the Encoding Standard, take that label for windows-1252.
  assertEquals(String.fromCharCode(...body), "\xe9 \x80 ? ?");
  assertEquals(headers["content-type"], "text/html; charset=iso-8859-1");
  assertEquals(headers["content-length"], "7");
});

Deno.test("charset leaves written bytes and JSON alone", async () => {
  const bytes = await ask(
    (_, response) => void response.write(new Uint8Array([0xe9, 0xff])),
    {},
    { charset: "iso-8859-1" },
  );
  assertEquals([...bytes.body], [0xe9, 0xff]);
  const json = await ask(
    (_, response) => void response.json("é"),
    {},
    { charset: "iso-8859-1" },
  );
  assertEquals([json.text, json.headers["content-type"]], [
    '"é"',
    "application/json",
  ]);
});

Deno.test("charset can be set later, and holds from the next request on", async () => {
  const app = new class extends Application {
    override service() {
      this.response.write("é");
    }
  }();
  await using server = app.listen(ANY);
  using peer = await Peer.to(server);
  assertEquals((await peer.ask(request())).body.length, 2);
  app.charset = "iso-8859-15";
  const { body, headers } = await peer.ask(request());
  assertEquals([...body], [0xe9]);
  assertEquals(headers["content-type"], "text/html; charset=iso-8859-15");
});

Deno.test("charset refuses what is none and what cannot be written", () => {
  assertThrows(() => new Application({ charset: "no-such" }), RangeError);
  const app = new Application();
  for (const charset of ["utf-16le", "shift_jis", "gbk"]) {
    assertThrows(
      () => {
        app.charset = charset;
      },
      RangeError,
      `"${charset}"`,
    );
  }
  assertEquals(app.charset, "utf-8");
});

Deno.test("mount takes a prefix off the path of request.url alone", async () => {
  const seen: string[] = [];
  const app = new class extends Application {
    override service(request: ServiceRequest) {
      seen.push(request.url.pathname + request.url.search);
    }
  }({ mount: "/app/" });
  await using server = app.listen(ANY);
  using peer = await Peer.to(server);
  for (const uri of ["/app", "/app/", "/app/x?a=/app", "/apple", "/app?q"]) {
    await peer.ask(request({ params: { ...GET, REQUEST_URI: uri } }));
  }
  assertEquals(seen, ["/", "/", "/x?a=/app", "/apple", "/?q"]);
});
