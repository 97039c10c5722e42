// Behind web servers that ask an Authorizer before a Responder.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, beforeAll, it } from "@std/testing/bdd";
import { startGuarded } from "./guarded.ts";
import type { Guarded } from "./guarded.ts";
import { askRaw, jsonOf, requestLines, valuesOf } from "./http.ts";
import type { RawAnswer } from "./http.ts";
import { fcgid, proxyFcgi } from "./servers/apache.ts";
import { lighttpd } from "./servers/lighttpd.ts";
import { get } from "./site.ts";
import { suiteWith } from "./suite.ts";
import type { WebServer } from "./web_server.ts";

/** What the client gets of each decision, by status. */
const DENIALS: [
  web: WebServer,
  denied: number,
  failing: number,
  missing: number,
  undecided: number,
][] = [
  [lighttpd, 403, 500, 404, 403],
  [proxyFcgi, 403, 500, 404, 403],
  // It knows one denial.
  [fcgid, 401, 401, 401, 401],
];

for (const [webServer, denied, failing, missing, undecided] of DENIALS) {
  suiteWith([webServer], `Authorizer behind ${webServer.name}`, () => {
    let guarded: Guarded;
    beforeAll(async () => {
      guarded = await startGuarded(webServer);
    });
    afterAll(async () => {
      await guarded?.[Symbol.asyncDispose]();
    });
    const ask = (path: string): Promise<RawAnswer> => {
      const { port } = guarded.site;
      const host = `Host: 127.0.0.1:${port}`;
      return askRaw(port, requestLines(`GET ${path} HTTP/1.1`, [host]));
    };

    it("allows, and what it found out is passed on", async () => {
      const answer = await ask("/guarded/allowed?a=b");
      assertEquals(answer.status, 200);
      assertEquals(jsonOf(answer), { user: "alice", body: "" });
    });

    it("allows a request with a body, which the Responder gets", async () => {
      const body = "x".repeat(100_000);
      const response = await get(guarded.site, "/guarded/allowed", {
        method: "POST",
        body,
      });
      assertEquals(await response.json(), { user: "alice", body });
    });

    it("denies with a status, and with a body where that is passed on", async () => {
      const answer = await ask("/guarded/denied");
      assertEquals(answer.status, denied);
      assertEquals(
        answer.text === "denied, for a reason",
        webServer !== fcgid,
        answer.text,
      );
      assert(!answer.text.includes("alice"));
    });

    it("lets nobody in by failing, by an error or by doing nothing", async () => {
      for (
        const [path, status] of [
          ["failing", failing],
          ["missing", missing],
          ["undecided", undecided],
        ] as const
      ) {
        const answer = await ask(`/guarded/${path}`);
        assertEquals(answer.status, status, path);
        assertEquals(valuesOf(answer, "variable-auth_user"), []);
        assert(!answer.text.includes('"user"'), answer.text);
      }
    });

    it("is not asked about what it does not guard", async () => {
      assertEquals((await ask("/")).text, "Hello World!");
    });

    it("decides about many at once, each by itself", async () => {
      const answers = await Promise.all(
        Array.from(
          { length: 12 },
          (_, n) => ask(`/guarded/${n % 2 ? "allowed" : "denied"}`),
        ),
      );
      for (const [n, { status, text }] of answers.entries()) {
        assertEquals(status, n % 2 ? 200 : denied);
        if (n % 2) assertMatch(text, /alice/);
      }
    });

    // What the web server starts it starts again.
    if (webServer.asksAuthorizer === "command") return;

    it("lets nobody in once it has stopped", async () => {
      await guarded.authorizer!.program.stop();
      const answer = await ask("/guarded/allowed");
      assert(answer.status >= 500, `${answer.status}`);
      assert(!answer.text.includes('"user"'), answer.text);
    });
  });
}
