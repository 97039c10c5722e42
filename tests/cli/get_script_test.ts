// smisk get --script: what a web server tells PHP of a script and a path.

import { assertEquals } from "@std/assert";
import { readRequest, Scripted } from "../support/scripted.ts";
import { response } from "../support/wire.ts";
import { ran } from "./smisk.ts";

const ROWS: [
  target: string,
  script: string,
  name: string,
  info: string,
  root: string,
][] = [
  ["/index.php?a", "/srv/www/index.php", "/index.php", "", "/srv/www"],
  ["/app/a.php", "/srv/www/app/a.php", "/app/a.php", "", "/srv/www"],
  ["/app/a.php", "/opt/php/a.php", "/app/a.php", "", "/opt/php"],
  ["/a.php/more/b?c#d", "/srv/a.php", "/a.php", "/more/b", "/srv"],
  ["/a%20b.php/%C3%A9", "/srv/a b.php", "/a b.php", "/\u00e9", "/srv"],
  ["https://to.test/a.php/x", "/srv/a.php", "/a.php", "/x", "/srv"],
  // One that answers for every path.
  ["/", "/srv/www/index.php", "/index.php", "", "/srv/www"],
  ["/blog/1", "/srv/www/index.php", "/index.php", "", "/srv/www"],
  ["/xindex.php", "/srv/www/index.php", "/index.php", "", "/srv/www"],
  // What is no file, but a word of PHP-FPM.
  ["/fpm-status", "/fpm-status", "/fpm-status", "", "/"],
];

for (const [target, script, name, info, root] of ROWS) {
  Deno.test(`smisk get ${target} --script ${script} names a script as web servers do`, async () => {
    let params: Record<string, string> = {};
    await using server = new Scripted(async (peer) => {
      params = (await readRequest(peer)).params;
      await peer.send(response("Content-Type: text/plain\r\n\r\nhello"));
      await peer.toEnd();
    });
    const { code, output } = await ran([
      "get",
      `127.0.0.1:${server.address.port}`,
      target,
      `--script=${script}`,
    ]);
    assertEquals([code, output], [0, ["hello"]]);
    const { DOCUMENT_ROOT, PATH_INFO, SCRIPT_FILENAME, SCRIPT_NAME } = params;
    assertEquals(
      [SCRIPT_FILENAME, SCRIPT_NAME, PATH_INFO, DOCUMENT_ROOT],
      [script, name, info, root],
    );
  });
}
