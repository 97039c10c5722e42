// HTTPS, and HTTP/2 where the web server has it.

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { digest } from "../content.ts";
import type { Live } from "../live.ts";
import { getSecurely } from "../site.ts";

/** Registers the tests. */
export function secureRequestsArrive(live: () => Live): void {
  it("the URL says https", async () => {
    const { securePort } = live().site;
    const response = await getSecurely(live().site, "/inspect?a=b", {
      headers: { cookie: "a=1; b=2" },
    });
    const told = await response.json();
    assertEquals(told.url, `https://127.0.0.1:${securePort}/inspect?a=b`);
    assertEquals(told.headers.host, `127.0.0.1:${securePort}`);
    assertEquals(told.cookies, { a: "1", b: "2" });
    assertEquals(told.remoteAddr, "127.0.0.1");
  });

  it("bodies arrive over https, empty ones too", async () => {
    for (const body of ["", "x".repeat(300_000)]) {
      const response = await getSecurely(live().site, "/echo", {
        method: "POST",
        body,
      });
      assertEquals(
        await response.json(),
        await digest([new TextEncoder().encode(body)]),
      );
    }
  });
}
