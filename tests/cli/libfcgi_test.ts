// smisk get and smisk check in front of an application in C on libfcgi.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { it } from "@std/testing/bdd";
import { LIBFCGI, libfcgiOf } from "../live/libfcgi.ts";
import { suiteWith } from "../live/suite.ts";
import { ran } from "./smisk.ts";

suiteWith(LIBFCGI, "smisk in front of libfcgi", () => {
  const socket = libfcgiOf();

  it("get sends a body, and prints what comes back", async () => {
    const { code, errors, output } = await ran([
      "get",
      socket(),
      "/",
      "--data=echo",
    ]);
    assertEquals([code, errors, output], [0, [], ["echo"]]);
  });

  it("get tells the status of the response and of the application apart", async () => {
    const gone = await ran(["get", socket(), "/status", "--verbose"]);
    assertEquals([gone.code, gone.output], [3, ["gone"]]);
    assertMatch(gone.errors.at(-1)!, /application status 255, FCGI_REQUEST/);
    const nothing = await ran(["get", socket(), "/nothing"]);
    assertEquals([nothing.code, nothing.output], [1, []]);
    assertMatch(nothing.errors[0]!, /without a response header .*status 7\)/);
  });

  it("get prints what it logs apart from what it answers", async () => {
    const { code, errors, output } = await ran(["get", socket(), "/log"]);
    assertEquals([code, errors, output], [0, ["a line", "another"], []]);
  });

  it("check finds no problem, and says that it takes one request at a time", async () => {
    const { code, output } = await ran(["check", socket(), "--path=/env"]);
    assertEquals(code, 0, output.join("\n"));
    assert(
      output.some((line) =>
        /^ok +It speaks FastCGI: .*FCGI_MPXS_CONNS=0; a connection carries one request at a time$/
          .test(line)
      ),
      output.join("\n"),
    );
    assertMatch(output.join("\n"), /^ok +GET \/env is answered with 200 /m);
  });
});
