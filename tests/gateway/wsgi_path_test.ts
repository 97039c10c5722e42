// SCRIPT_NAME and PATH_INFO, which every web server splits in its own way.

import { assertEquals } from "@std/assert";
import { rawRequest } from "../support/ask.ts";
import { answering, askWsgi } from "../support/wsgi.ts";

// What a web server says of /app/a%20b/%C3%A9?q, and what is made of it.
for (
  const [what, params, unmounted, mounted] of [
    [
      "nginx",
      {
        SERVER_SOFTWARE: "nginx/1.22.1",
        SCRIPT_NAME: "/app/a b/\u00e9",
      },
      ["", "/app/a b/\u00e9"],
      ["/app", "/a b/\u00e9"],
    ],
    [
      "nginx that splits",
      {
        SERVER_SOFTWARE: "nginx/1.22.1",
        SCRIPT_NAME: "/app",
        PATH_INFO: "/a b/\u00e9",
      },
      ["/app", "/a b/\u00e9"],
      ["/app", "/a b/\u00e9"],
    ],
    [
      "nginx that splits, and nothing is left",
      {
        SERVER_SOFTWARE: "nginx/1.22.1",
        SCRIPT_NAME: "/app",
        PATH_INFO: "",
      },
      ["/app", ""],
      ["/app", ""],
    ],
    [
      "lighttpd",
      {
        SERVER_SOFTWARE: "lighttpd/1.4.69",
        SCRIPT_NAME: "/app/a b",
        PATH_INFO: "/\u00e9",
      },
      ["/app/a b", "/\u00e9"],
      ["/app", "/a b/\u00e9"],
    ],
    [
      "lighttpd at the mount itself",
      {
        SERVER_SOFTWARE: "lighttpd/1.4.69",
        SCRIPT_NAME: "/app",
      },
      ["/app", ""],
      ["/app", ""],
    ],
    [
      "Apache's mod_proxy_fcgi",
      {
        SERVER_SOFTWARE: "Apache/2.4.57 (Debian)",
        SCRIPT_FILENAME: "proxy:fcgi://localhost/app/a b/\u00e9",
        SCRIPT_NAME: "/app/a b/\u00e9",
      },
      ["", "/app/a b/\u00e9"],
      ["/app", "/a b/\u00e9"],
    ],
    [
      "Apache's mod_fcgid at the mount itself",
      {
        SERVER_SOFTWARE: "Apache/2.4.57 (Debian)",
        SCRIPT_FILENAME: "/srv/app.fcgi",
        SCRIPT_NAME: "/app",
      },
      ["/app", ""],
      ["/app", ""],
    ],
    [
      "Caddy",
      {
        SERVER_SOFTWARE: "Caddy/v2.6.2",
        SCRIPT_NAME: "",
        PATH_INFO: "/app/a b/\u00e9",
      },
      ["", "/app/a b/\u00e9"],
      ["/app", "/a b/\u00e9"],
    ],
    [
      "HAProxy",
      {
        SERVER_SOFTWARE: "HAProxy 2.6.12",
        SCRIPT_NAME: "/app/a b/\u00e9",
      },
      ["", "/app/a b/\u00e9"],
      ["/app", "/a b/\u00e9"],
    ],
    [
      "one that tells the target alone",
      {
        REQUEST_URI: "/app/a%20b/%C3%A9?q=%41",
      },
      ["", "/app/a b/\u00e9"],
      ["/app", "/a b/\u00e9"],
    ],
    ["one whose target has no UTF-8", { REQUEST_URI: "/app/%e9?q" }, [
      "",
      "/app/%e9",
    ], ["/app", "/%e9"]],
    [
      "one that is asked for something beside the mount",
      {
        SCRIPT_NAME: "",
        PATH_INFO: "/apple",
      },
      ["", "/apple"],
      ["", "/apple"],
    ],
  ] as [string, Record<string, string>, string[], string[]][]
) {
  for (
    const [mount, expected] of [["", unmounted], ["/app", mounted]] as const
  ) {
    Deno.test(`env splits the path as ${what} does, of the mount ${JSON.stringify(mount)}`, async () => {
      const { text } = await askWsgi(
        answering((env) => {
          const alone = [env.SCRIPT_NAME, env.PATH_INFO];
          const { PATH_INFO, SCRIPT_NAME } = { ...env };
          return JSON.stringify([alone, [SCRIPT_NAME, PATH_INFO]]);
        }),
        rawRequest(params),
        { mount },
      );
      assertEquals(JSON.parse(text), [expected, expected]);
    });
  }
}
