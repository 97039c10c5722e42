// A WSGI-style application behind nginx.

import { assertEquals, assertMatch } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { Pieces } from "../../live/pieces.ts";
import { get, suiteName } from "../../live/site.ts";
import { isInstalled } from "../../support/program.ts";
import { behindNginx, pulse } from "./behind.ts";

const suite = isInstalled("nginx") ? describe : describe.skip;

for (const env of [{}, { VALIDATE: "yes" }]) {
  const isValidated = "VALIDATE" in env;
  const what = isValidated ? "a validated" : "a WSGI-style";

  suite(suiteName("nginx", `${what} application behind nginx`), () => {
    const behind = behindNginx("wsgi", env);
    const ask = (path: string, init?: RequestInit) =>
      get(behind().site, path, init);

    it("says hello, through middleware and with its length", async () => {
      const response = await ask("/");
      assertEquals(await response.text(), "Hello WSGI!");
      assertEquals(response.headers.get("x-seen"), "GET");
      assertEquals(
        response.headers.get("content-length"),
        isValidated ? null : "11",
      );
      const missing = await ask("/none");
      assertEquals([missing.status, await missing.text()], [
        404,
        "no such page",
      ]);
    });

    it("answers HEAD as GET, without a body", async () => {
      const response = await ask("/", { method: "HEAD" });
      assertEquals([response.status, await response.text()], [200, ""]);
    });

    it("routes by PATH_INFO", async () => {
      const response = await ask("/where/a%20b/%C3%A9?q=1");
      assertEquals(await response.json(), ["", "/where/a b/\u00e9", "q=1"]);
    });

    it("reads bodies", async () => {
      const text = "x\u00e9\n".repeat(100_000);
      const echoed = await ask("/echo", { method: "POST", body: text });
      assertEquals(await echoed.text(), text);
      const lines = await ask("/lines", { method: "PUT", body: text });
      assertEquals(await lines.text(), "100000");
    });

    it("reads and sets cookies, several at once", async () => {
      const response = await ask("/cookies", { headers: { cookie: "c=3" } });
      assertEquals(response.headers.getSetCookie(), ["a=1", "b=2"]);
      assertEquals(await response.text(), "c=3");
    });

    it("streams chunk by chunk", async () => {
      // The headers leave with the first chunk.
      await pulse(behind().site, "chunks", "one");
      const pieces = new Pieces(await ask("/events/chunks"));
      await pieces.until("data: one\n\n");
      for (const text of ["two", "three"]) {
        await pulse(behind().site, "chunks", text);
        await pieces.until(`data: ${text}\n\n`);
      }
      await pulse(behind().site, "chunks", "end");
      await pieces.until();
    });

    it("closes the body of a client that has gone", async () => {
      await pulse(behind().site, "gone", "one");
      const pieces = new Pieces(await ask("/events/gone"));
      await pieces.until("data: one");
      await pieces.cancel();
      assertEquals(await (await ask("/left/gone")).text(), "left");
    });

    it("writes by write() and by what it returns", async () => {
      const response = await ask("/written");
      assertEquals(response.status, 201);
      assertEquals(await response.text(), "written, and returned");
    });

    it("logs to nginx by wsgi.errors, and what it throws", async () => {
      assertEquals(await (await ask("/log")).text(), "logged");
      await behind().site.server.until(/a line of the application/);
      const failed = await ask("/error");
      assertEquals(failed.status, 500);
      assertEquals((await failed.text()).includes("deliberate"), false);
      await behind().site.server.until(/deliberate failure/);
    });

    it("nothing of it violates PEP 3333", () => {
      const { site, app } = behind();
      assertEquals(`${site.server.said}${app!.said}`.match(/WSGI .*/), null);
    });
  });
}

suite(
  suiteName("nginx", "a WSGI-style application mounted behind nginx"),
  () => {
    const behind = behindNginx("wsgi", { MOUNT: "/app/" });

    it("is told where by SCRIPT_NAME", async () => {
      for (
        const [path, expected] of [
          ["/app/where/x?q", ["/app", "/where/x", "q"]],
          ["/where", ["", "/where", ""]],
        ] as const
      ) {
        const response = await get(behind().site, path);
        assertEquals(await response.json(), expected);
      }
    });
  },
);

suite(
  suiteName("nginx", "a web-standard application mounted behind nginx"),
  () => {
    const behind = behindNginx("module", { MOUNT: "/app" });

    it("sees URLs without the mount", async () => {
      const response = await get(behind().site, "/app/user/me?page=2");
      assertEquals(await response.json(), { name: "me", page: "2" });
      assertMatch(response.headers.get("content-type")!, /json/);
    });
  },
);
