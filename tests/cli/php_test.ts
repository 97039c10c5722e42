// smisk get and smisk check in front of a real PHP-FPM.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { it } from "@std/testing/bdd";
import { PHP_FPM, phpFpmOf } from "../live/php_fpm.ts";
import { suiteWith } from "../live/suite.ts";
import { ran } from "./smisk.ts";

const CONFIGURATION = `
[global]
error_log = /dev/stderr
[www]
listen = x
listen.mode = 0660
pm = static
pm.max_children = 1
pm.status_path = /fpm-status
`;

suiteWith([PHP_FPM], "smisk in front of PHP-FPM", () => {
  const php = phpFpmOf(CONFIGURATION, {
    "index.php":
      "<?php header('X-A: b'); echo $_SERVER['REQUEST_METHOD'], ' ', $_SERVER['SCRIPT_NAME'], ' ', file_get_contents('php://input');",
    "index.txt": "text",
    "info.php":
      "<?php foreach (['SCRIPT_NAME', 'PATH_INFO', 'DOCUMENT_ROOT', 'QUERY_STRING'] as $name) echo $_SERVER[$name] ?? '-', \"\\n\";",
  });

  it("get runs a script, with a body", async () => {
    const { code, errors, output } = await ran([
      "get",
      php().socket,
      "/index.php?a",
      `--script=${php().folder}/index.php`,
      "--data=body",
    ]);
    assertEquals([code, errors, output], [0, [], ["POST /index.php body"]]);
  });

  it("get tells a script what is behind its name", async () => {
    const { code, output } = await ran([
      "get",
      php().socket,
      "/info.php/more/of%20it?a=b",
      `--script=${php().folder}/info.php`,
    ]);
    assertEquals(
      [code, output],
      [0, ["/info.php", "/more/of it", php().folder, "a=b"]],
    );
  });

  it("get asks for the status of FPM itself", async () => {
    const { code, output } = await ran([
      "get",
      php().socket,
      "/fpm-status",
      "--script=/fpm-status",
    ]);
    assertEquals(code, 0);
    assertMatch(output.join("\n"), /^pool: +www$/m);
  });

  it("check finds nothing wrong with a script that is there", async () => {
    const { code, output } = await ran([
      "check",
      php().socket,
      `--script=${php().folder}/index.php`,
    ]);
    assertEquals(code, 0, output.join("\n"));
    assertMatch(output.join("\n"), /^ok +It speaks FastCGI: /m);
    assertMatch(output.join("\n"), /^ok +GET \/ is answered with 200 /m);
  });

  it("check explains why PHP-FPM runs nothing", async () => {
    const cases: [args: string[], text: RegExp][] = [
      [[], /given no script to run: name one with --script/],
      [
        [`--script=${php().folder}/none.php`],
        /PHP-FPM finds no ".*none\.php": SCRIPT_FILENAME is the path as PHP-FPM sees it/,
      ],
      [
        [`--script=${php().folder}/index.txt`],
        /PHP-FPM may not run ".*index\.txt"/,
      ],
    ];
    for (const [args, text] of cases) {
      const { code, output } = await ran(["check", php().socket, ...args]);
      const problems = output.filter((line) => line.startsWith("problem"));
      assertEquals([code, problems.length], [1, 1], output.join("\n"));
      assert(text.test(problems[0]!), output.join("\n"));
    }
  });
});
