// smisk config: what is printed, and what is refused.

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { config, CONFIG_HELP } from "../../src/cli/config.ts";
import { StartError } from "../../src/errors.ts";
import { block, blocks } from "../support/readme.ts";

const SOCKET = ["--bind", "/run/hello.sock"];
const COMMAND = ["--", "/usr/bin/deno", "run", "--allow-net"];

/** The lines of a text, without blanks around them and comments of their own. */
function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

const SHOWN: [args: string[], block: string, isWhole: boolean][] = [
  [["nginx", ...SOCKET], block("nginx"), true],
  [
    ["lighttpd", ...SOCKET, ...COMMAND, "/srv/hello/hello.ts"],
    block("lighttpd"),
    true,
  ],
  [["apache", ...SOCKET], blocks("apache")[0]!, false],
  [["apache", "--", "/srv/hello/hello.fcgi"], blocks("apache")[1]!, false],
  [["caddy", ...SOCKET], block("caddy"), true],
  [["h2o", ...SOCKET], block("yaml"), true],
  [["haproxy", ...SOCKET], block("haproxy"), true],
];

for (const [args, shown, isWhole] of SHOWN) {
  Deno.test(`config() prints for ${args.join(" ")} what the README shows`, () => {
    const text = config(args);
    if (isWhole) {
      assertEquals(text, shown);
      return;
    }
    // The README leaves the virtual host out.
    const lines = linesOf(text);
    let at = -1;
    for (const line of linesOf(shown)) {
      const found = lines.indexOf(line, at + 1);
      assert(found > at, `"${line}" is not in its place in:\n${text}`);
      at = found;
    }
  });
}

Deno.test("config() has a line for each of many addresses, ports and hosts", () => {
  const args = [
    "--bind=/run/a.sock",
    "--bind=:9001",
    "--bind=[::1]:9002",
    "--listen=8080",
    "--listen=[::1]:8081",
    "--host=A.example.org",
    "--host=b.example.org",
    "--mount=/app/",
    "--name=my-app",
  ];
  const expected: Record<string, RegExp[]> = {
    nginx: [
      /server unix:\/run\/a\.sock fail_timeout=1s;\n {2}server 127\.0\.0\.1:9001 fail_timeout=1s;\n {2}server \[::1\]:9002 /,
      /listen 8080;\n {2}listen \[::1\]:8081;/,
      /server_name a\.example\.org b\.example\.org;/,
      /location ~ "\^\/app\(\?:\/\|\$\)" \{/,
      /upstream my-app /,
    ],
    lighttpd: [
      /"host" => "127\.0\.0\.1",\n {2}"port" => 9001,/,
      /"host" => "::1",\n {2}"port" => 9002,/,
      /^server\.port = 8080\n\$SERVER\["socket"\] == "\[::1\]:8081" \{ \}\n/,
      /\$HTTP\["host"\] =~ "\^\(a\\\.example\\\.org\|b\\\.example\\\.org\)/,
      /fastcgi\.balance = "round-robin"/,
    ],
    apache: [
      /<VirtualHost \*:8080 \[::1\]:8081>\nServerName a\.example\.org\nServerAlias b\.example\.org\n/,
      /BalancerMember "unix:\/run\/a\.sock\|fcgi:\/\/my-app1\/" /,
      /BalancerMember "?fcgi:\/\/\[::1\]:9002\/"? /,
      /ProxyPass \/app balancer:\/\/my-app\/app\n/,
    ],
    caddy: [
      /^http:\/\/a\.example\.org:8080, http:\/\/a\.example\.org:8081, http:\/\/b\.example\.org:8080/,
      /reverse_proxy @my-app unix\/\/run\/a\.sock 127\.0\.0\.1:9001 \[::1\]:9002 \{/,
      /@my-app path \/app \/app\/\*/,
    ],
    haproxy: [
      /server my-app1 unix@\/run\/a\.sock proto fcgi\n {2}server my-app2 127\.0\.0\.1:9001 proto fcgi\n {2}server my-app3 \[::1\]:9002 /,
      /bind :8080\n {2}bind \[::1\]:8081\n/,
      /use_backend my-app if \{ .*a\.example\.org b\.example\.org \} \{ path \/app \}\n/,
    ],
  };
  for (const [server, patterns] of Object.entries(expected)) {
    const text = config([server, ...args]);
    for (const pattern of patterns) assertMatch(text, pattern);
  }
});

Deno.test("config() counts up the addresses of a program's --spawn as that does", () => {
  const args = ["--bind=/run/hello/a.sock", "--bind=[::1]:9000", "--spawn=3"];
  assertMatch(
    config(["nginx", ...args]),
    /server unix:\/run\/hello\/a\.sock fail_timeout=1s;\n {2}server \[::1\]:9000 .*\n {2}server unix:\/run\/hello\/a\.sock\.1 .*\n {2}server \[::1\]:9001 .*\n {2}server unix:\/run\/hello\/a\.sock\.2 .*\n {2}server \[::1\]:9002 /,
  );
  assertMatch(
    config(["haproxy", "--spawn=2"]),
    /server hello1 127\.0\.0\.1:9000 proto fcgi\n {2}server hello2 127\.0\.0\.1:9001 /,
  );
  assertMatch(
    config(["systemd", ...args, "--", "/usr/bin/deno"]),
    /^ExecStart=\/usr\/bin\/deno --bind=\/run\/hello\/a\.sock "?--bind=\[::1\]:9000"? --spawn=3 --mode=0660\n.*\nExecReload=/m,
  );
});

const ODD = "/run/a b\"c'd.sock";

Deno.test("config() quotes what it is given as each server does", () => {
  const printed = (server: string, ...more: string[]) =>
    config([server, "--bind", ODD, ...more]);
  const expected: Record<string, string> = {
    nginx: `server "unix:/run/a b\\"c'd.sock";`,
    lighttpd: `"socket" => "/run/a b\\"c'd.sock"`,
    apache: `ProxyPass / "unix:/run/a b\\"c'd.sock|fcgi://hello/" `,
    caddy: `reverse_proxy "unix//run/a b\\"c'd.sock" {`,
    h2o: `port: "/run/a b\\"c'd.sock", type: unix`,
    haproxy: `unix@/run/a\\ b\\"c\\'d.sock proto`,
  };
  for (const [server, text] of Object.entries(expected)) {
    const all = printed(server);
    assert(all.includes(text), all);
  }
  const socket = printed("systemd", "--unit=socket");
  assert(socket.includes(`\nListenStream=${ODD}\n`), socket);
  const service = config([
    "systemd",
    "--bind=/run/hello/a %n$x.sock",
    "--",
    "/a b/deno",
    'say "hi"\\',
    "",
    "100%$HOME",
  ]);
  assert(
    service.includes(
      `\nExecStart="/a b/deno" "say \\"hi\\"\\\\" "" 100%%$$HOME "--bind=/run/hello/a %%n$$x.sock" --mode=0660\n`,
    ),
    service,
  );
});

Deno.test("config() prints units of systemd that belong together", () => {
  const args = ["--bind=/run/hello/hello.sock", "--name=hello", "--user=web"];
  const deno = ["--", "/usr/bin/deno", "run", "/srv/hello.ts"];
  const service = config(["systemd", ...args, "--workers=4", ...deno]);
  for (
    const line of [
      "ExecStart=/usr/bin/deno run /srv/hello.ts --bind=/run/hello/hello.sock --workers=4 --mode=0660",
      "ExecReload=/bin/kill -HUP $MAINPID",
      "User=web",
      "RuntimeDirectory=hello",
      "RestartPreventExitStatus=2",
      "KillMode=mixed",
      "PrivateTmp=yes",
      "ProtectHome=read-only",
      "WantedBy=multi-user.target",
    ]
  ) assert(service.includes(`\n${line}\n`), service);
  const socket = config(["systemd", ...args, "--unit=socket"]);
  for (
    const line of [
      "ListenStream=/run/hello/hello.sock",
      "SocketUser=web",
      "SocketMode=0660",
      "WantedBy=sockets.target",
    ]
  ) assert(socket.includes(`\n${line}\n`), socket);
  const activated = config([
    "systemd",
    ...args,
    "--unit=socket-service",
    ...deno,
  ]);
  for (
    const line of [
      "Requires=hello.socket",
      "StandardInput=socket",
      "ExecStart=/usr/bin/deno run /srv/hello.ts",
      "Also=hello.socket",
    ]
  ) assert(activated.includes(`\n${line}\n`), activated);
  const has = (text: string, args: string[]) =>
    config(["systemd", ...args, ...deno]).includes(`\n${text}\n`);
  // Those of the program's own command line as well.
  const spawning = [...deno, "--spawn=2"];
  assert(config(["systemd", ...spawning]).includes("\nExecReload="));
  assert(!config(["systemd", ...deno]).includes("ExecReload="));
  assert(has("RuntimeDirectory=a/b-c.d", ["--bind=/run/a/b-c.d/x.sock"]));
  assert(!has("PrivateTmp=yes", ["--bind=/tmp/hello.sock"]));
  assert(!has("ProtectHome=read-only", ["--bind=/home/web/hello.sock"]));
  assert(!has("RuntimeDirectory=user/7", ["--bind=/run/user/7/hello.sock"]));
  const tcp = config(["systemd", "--bind=:9000", "--unit=socket"]);
  assertMatch(tcp, /\nListenStream=127\.0\.0\.1:9000\nNoDelay=yes\n/);
});

const REFUSED: [args: string[], why: string][] = [
  [[], "smisk config needs a server: nginx, lighttpd, apache"],
  [["iis"], '"iis" is no server that is known'],
  [["toString"], '"toString" is no server that is known'],
  [["nginx", "--bogus"], "Unknown option --bogus"],
  [["nginx", "--bind", "run/a.sock"], '--bind: "run/a.sock" is not absolute'],
  [["nginx", "--bind", "nowhere"], '--bind: "nowhere" is no address'],
  [["nginx", "--bind=/a\nb"], "has a control character"],
  [["nginx", "--bind=/a\u2028b"], "has a control character"],
  [["nginx", "--bind=a;b:9000"], '--bind: "a;b" is no host'],
  [["nginx", "--bind=:0"], "--bind: 0 is no port to connect to"],
  [
    ["nginx", `--bind=/${"x".repeat(107)}`],
    "--bind: a path of 108 bytes is too long for a socket",
  ],
  [["nginx", "--name=a b"], '--name: "a b" is no name'],
  [["nginx", "--name=a", "--name=b"], "--name is given twice"],
  [["nginx", "--name=1"], '--name: "1" is no name'],
  [["nginx", "--host=a;b"], '--host: "a;b" is no name of a host'],
  [["nginx", "--host=*.b"], '--host: "*.b" is no name of a host'],
  [["nginx", "--listen=/a"], '--listen: "/a" is no port'],
  [["nginx", "--listen=70000"], "--listen: 70000 is no port"],
  [["nginx", "--mount=app"], '--mount: "app" is no path'],
  [["nginx", "--mount=/a b"], '--mount: "/a b" is no path'],
  [["nginx", "--mount=/a{b"], '--mount: "/a{b" is no path'],
  [["nginx", "--workers=4"], "--workers means nothing to nginx"],
  [["caddy", "--root=/srv"], "--root means nothing to caddy"],
  [["nginx", "--ping=/ping"], "--ping means nothing to nginx: haproxy alone"],
  [
    ["systemd", "--bind=/run/my app/a.sock", "--", "/bin/deno"],
    "systemd cannot make the directory of /run/my app/a.sock: use letters",
  ],
  [
    ["systemd", "--bind=/run/a/../b/a.sock", "--", "/bin/deno"],
    "systemd cannot make the directory of /run/a/../b/a.sock",
  ],
  [
    ["nginx", "--", "deno"],
    'nginx starts no program, and is given the command "deno"',
  ],
  [["haproxy", "--root=srv"], '--root: "srv" is not absolute'],
  [["haproxy", "--ping=ping"], '--ping: "ping" is no path of a URL'],
  [["haproxy", "--bind=/run/$a"], 'HAProxy cannot have "$" in /run/$a'],
  [["caddy", "--bind=/run/{a}"], 'Caddy cannot have "{" in /run/{a}'],
  [["caddy", "--bind=/run/a:b"], 'Caddy cannot have ":" in /run/a:b'],
  [["caddy", "--bind=/run/a\\"], "Caddy cannot have"],
  [["lighttpd", '--bind=/run/a\\"b'], "lighttpd cannot have"],
  [["apache", "--bind=/run/a|b"], 'Apache cannot have "|" in /run/a|b'],
  [["apache", "--bind=/run/a?b"], 'Apache cannot have "?" in /run/a?b'],
  [["apache", "--root=/srv/${x}"], 'Apache cannot have "${" in /srv/${x}'],
  [
    ["h2o", "--bind=/a", "--bind=/b"],
    "H2O connects to one address only, and 2 are given",
  ],
  [["h2o", "--workers=2"], "--workers means nothing to h2o"],
  [
    ["lighttpd", "--bind=/a", "--", "deno", "run", "a b.ts"],
    'A command of lighttpd cannot have " " in a b.ts',
  ],
  [["lighttpd", "--", "deno"], "lighttpd starts a program on one Unix socket"],
  [
    ["lighttpd", "--bind=/a", "--workers=2"],
    "--workers is for the processes that lighttpd starts",
  ],
  [
    ["apache", "--", "deno", "run"],
    'mod_fcgid starts a script, and "deno run"',
  ],
  [["nginx", "--spawn=0"], '--spawn: "0" is no number of addresses'],
  [
    ["nginx", "--bind=:65535", "--spawn=2"],
    "--spawn counts ports up from 65535 to 65536, and 65535 is the last",
  ],
  [["h2o", "--spawn=2"], "H2O connects to one address only, and 2 are given"],
  [
    ["h2o", "--bind=/a", "--", "deno"],
    "--bind means nothing to h2o where it starts the program",
  ],
  [
    ["apache", "--spawn=2", "--", "/srv/a.fcgi"],
    "--spawn means nothing to apache where it starts the program",
  ],
  [
    ["systemd", "--spawn=2", "--unit=socket-service", "--", "/bin/deno"],
    "--spawn counts addresses up, and descriptor 0 is none",
  ],
  [["systemd", "--unit=timer"], '--unit: "timer" is no unit'],
  [["systemd", "--user=a b"], '--user: "a b" is no name of a user'],
  [["systemd", "--workers=0"], '--workers: "0" is no number'],
  [["systemd"], "systemd is to start the program: give the command"],
  [["systemd", "--", "deno"], 'systemd needs to know where "deno" is'],
  [["systemd", "--", "/bin/a\nb"], "The command: "],
  [
    ["systemd", "--bind=/run/a.sock", "--", "/bin/deno"],
    "www-data cannot make /run/a.sock, for /run belongs to root: use /run/hello/hello.sock",
  ],
  [
    ["systemd", "--unit=socket", "--bind=/a", "--bind=/b"],
    "A program takes one socket as descriptor 0, and 2 addresses are given",
  ],
  [["systemd", "--unit=socket", "--bind=/run/a "], "a blank at an end"],
];

for (const [args, why] of REFUSED) {
  Deno.test(`config() refuses ${JSON.stringify(args).slice(0, 70)}`, () => {
    const error = assertThrows(() => config(args), StartError, why);
    assertEquals(error.code, "BAD_ARGUMENT");
    assertEquals(error.message.includes("\n"), false);
  });
}

Deno.test("config() prints help that fits a screen, and tells every option", () => {
  assertEquals(config(["--help"]), CONFIG_HELP);
  assertEquals(config(["nginx", "--help"]), CONFIG_HELP);
  const lines = CONFIG_HELP.trimEnd().split("\n");
  assert(lines.length <= 23, `${lines.length} lines`);
  for (const line of lines) assert(line.length <= 80, line);
});
