import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { get, suiteName } from "../../live/site.ts";
import { isInstalled } from "../../support/program.ts";
import { answersAlike, behindNginx } from "./behind.ts";

const suite = isInstalled("nginx") ? describe : describe.skip;

suite(suiteName("nginx", "h3 behind nginx"), () => {
  const behind = behindNginx("h3");

  answersAlike("Hello h3!", behind);

  it("reads JSON, and adds a header to everything", async () => {
    const response = await get(behind().site, "/json", {
      method: "POST",
      body: JSON.stringify({ a: [1, "\u00e9"] }),
      headers: { "content-type": "application/json" },
    });
    assertEquals(await response.json(), { read: { a: [1, "\u00e9"] } });
    assertEquals(response.headers.get("x-seen"), "POST");
  });
});
