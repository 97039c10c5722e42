// smisk config, for several programs: what is asked again of another where one
// dies of a request, and what must not be.

import { assertEquals } from "@std/assert";
import { it } from "@std/testing/bdd";
import { Folder } from "../live/folder.ts";
import { startApp } from "../live/program.ts";
import { get, startServer } from "../live/site.ts";
import { suiteWith } from "../live/suite.ts";
import { PROGRAM } from "../workers/group.ts";
import { printed, SERVERS } from "./printed.ts";

const COMMAND = [
  Deno.execPath(),
  ..."run -A --no-check --no-prompt".split(" "),
  PROGRAM,
];

for (const server of SERVERS) {
  // H2O takes one program; Apache cannot tell methods apart, and repeats all.
  if (server.name === "h2o" || server.name === "apache") continue;
  suiteWith(
    [printed(server, [])],
    `smisk config ${server.name}, for two programs`,
    () => {
      it("repeats no POST that a program may have seen to", async () => {
        await using folder = new Folder();
        const addresses = ["one", "two"].map((name) =>
          `${folder.path}/${name}.sock`
        );
        await using one = await startApp(addresses[0]!, COMMAND);
        await using two = await startApp(addresses[1]!, COMMAND);
        const args = addresses.flatMap((address) => ["--bind", address]);
        await using site = await startServer(
          printed(server, args),
          folder.path,
          {},
        );
        // Whoever gets it ends.
        const lost = await get(site, "/exit", { method: "POST", body: "once" });
        await lost.body?.cancel();
        assertEquals(lost.status >= 500, true, `${lost.status}`);
        const answer = await get(site, "/pid");
        const left = await answer.text();
        assertEquals(answer.status, 200);
        const ended = left === String(one.pid) ? two : one;
        assertEquals((await ended.end()).code, 7);
      });
    },
  );
}
