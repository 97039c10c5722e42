// The command line of every program, as a table.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { HELP, parseArguments, VERSION } from "../../src/command/arguments.ts";
import type { Arguments } from "../../src/command/arguments.ts";
import { StartError } from "../../src/errors.ts";

const NONE: Arguments = {
  bind: [],
  mode: null,
  allow: [],
  http: null,
  workers: null,
  spawn: null,
  pidfile: null,
  chdir: null,
  umask: null,
  observe: {},
  print: null,
};
const HTTP = { hostname: "127.0.0.1", port: 8080 };

const GOOD: [line: string, expected: Partial<Arguments>][] = [
  ["", {}],
  ["--bind 127.0.0.1:9001", { bind: [{ hostname: "127.0.0.1", port: 9001 }] }],
  ["--bind=localhost:0", { bind: [{ hostname: "localhost", port: 0 }] }],
  ["--bind :9000", { bind: [{ hostname: "0.0.0.0", port: 9000 }] }],
  ["--bind *:9000", { bind: [{ hostname: "0.0.0.0", port: 9000 }] }],
  ["--bind [::1]:9000", { bind: [{ hostname: "::1", port: 9000 }] }],
  ["--bind /run/a.sock", { bind: [{ path: "/run/a.sock" }] }],
  ["--bind unix:./a.sock", { bind: [{ path: "./a.sock" }] }],
  ["--bind unix:a.sock", { bind: [{ path: "a.sock" }] }],
  ["--bind=/a=b.sock", { bind: [{ path: "/a=b.sock" }] }],
  ["--bind /a --bind=:1", {
    bind: [{ path: "/a" }, { hostname: "0.0.0.0", port: 1 }],
  }],
  ["--mode 0660", { mode: 0o660 }],
  ["--mode=600", { mode: 0o600 }],
  ["--mode 0o777", { mode: 0o777 }],
  ["--mode 0660 --mode 0600", { mode: 0o600 }],
  ["--allow 192.0.2.1", { allow: ["192.0.2.1"] }],
  ["--allow=10.0.0.0/8 --allow fd00::/8", {
    allow: ["10.0.0.0/8", "fd00::/8"],
  }],
  ["--http", { http: HTTP }],
  ["--http --bind /a", { http: HTTP, bind: [{ path: "/a" }] }],
  ["--http=", { http: HTTP }],
  ["--http 8081", { http: { ...HTTP, port: 8081 } }],
  ["--http=8081", { http: { ...HTTP, port: 8081 } }],
  ["--http 0", { http: { ...HTTP, port: 0 } }],
  ["--http localhost:80", { http: { hostname: "localhost", port: 80 } }],
  ["--http :80", { http: { hostname: "0.0.0.0", port: 80 } }],
  ["--http [::1]:8080", { http: { hostname: "::1", port: 8080 } }],
  ["--http 8081 --http", { http: HTTP }],
  ["--workers 4", { workers: 4 }],
  ["--workers=1 --workers=1024", { workers: 1024 }],
  ["--spawn 2 --workers 3", { spawn: 2, workers: 3 }],
  ["--pidfile /run/a.pid", { pidfile: "/run/a.pid" }],
  ["--pidfile=a=b", { pidfile: "a=b" }],
  ["--chdir /srv", { chdir: "/srv" }],
  ["--umask 0027", { umask: 0o027 }],
  ["--umask=077 --umask=000", { umask: 0 }],
  ["--ping /ping", { observe: { pingPath: "/ping" } }],
  ["--status=/-/status", { observe: { statusPath: "/-/status" } }],
  ["--access-log - --access-format json --slow-log 1500", {
    observe: { accessLog: "-", accessFormat: "json", slowLogMs: 1500 },
  }],
  ["--access-log=/var/log/a.log --access-format=%R=%s", {
    observe: { accessLog: "/var/log/a.log", accessFormat: "%R=%s" },
  }],
  ["--help", { print: "help" }],
  ["-h", { print: "help" }],
  ["--version", { print: "version" }],
  ["--version --help", { print: "version" }],
];

for (const [line, expected] of GOOD) {
  Deno.test(`parseArguments() takes "${line}"`, () => {
    assertEquals(parseArguments(words(line)), { ...NONE, ...expected });
  });
}

const BAD: [line: string, why: string][] = [
  ["--bogus", "Unknown option --bogus"],
  ["--bogus=1", "Unknown option --bogus"],
  ["--bind=/a --bogus", "Unknown option --bogus"],
  ["-b", "Unknown option -b"],
  ["-", 'Unexpected argument "-"'],
  ["-- --bind", 'Unexpected argument "--bind"'],
  ["--Bind :1", "Unknown option --Bind, meant --bind?"],
  ["--bin :1", "Unknown option --bin, meant --bind?"],
  ["--blind :1", "Unknown option --blind, meant --bind?"],
  ["--bound=/a", "Unknown option --bound (--help"],
  ["--pid /a", "Unknown option --pid, meant --pidfile?"],
  ["--bind --", "--bind needs a value"],
  ["something", 'Unexpected argument "something"'],
  ["a=b", 'Unexpected argument "a=b"'],
  ["--help please", 'Unexpected argument "please"'],
  ["--help=please", "--help takes no value"],
  ["--version=1", "--version takes no value"],
  ["--bind", "--bind needs a value"],
  ["--bind --http", "--bind needs a value"],
  ["--bind nowhere", '--bind: "nowhere" is no address'],
  ["--bind=", '--bind: "" is no address'],
  ["--bind :65536", '--bind: ":65536" is no address'],
  ["--bind ::1:9000", '--bind: "::1:9000" is no address'],
  ["--mode", "--mode needs a value"],
  ["--mode 8", '--mode: "8" is no permission'],
  ["--mode 0888", '--mode: "0888" is no permission'],
  ["--mode 06600", '--mode: "06600" is no permission'],
  ["--mode rw", '--mode: "rw" is no permission'],
  ["--mode=", '--mode: "" is no permission'],
  ["--umask", "--umask needs a value"],
  ["--umask 8", '--umask: "8" is no mask'],
  ["--workers", "--workers needs a value"],
  ["--workers 0", '--workers: "0" is no number of workers: write one of 1 to'],
  ["--workers=-1", '--workers: "-1" is no number of workers'],
  ["--workers 1025", '--workers: "1025" is no number of workers'],
  ["--workers=1.5", '--workers: "1.5" is no number of workers'],
  ["--workers=0x2", '--workers: "0x2" is no number of workers'],
  ["--workers=", '--workers: "" is no number of workers'],
  ["--spawn 0", '--spawn: "0" is no number of addresses'],
  ["--pidfile", "--pidfile needs a value"],
  ["--pidfile=", '--pidfile: "" is no path'],
  ["--chdir=", '--chdir: "" is no path'],
  ["--chdir --umask", "--chdir needs a value"],
  ["--ping ping", '--ping: "ping" is no path of a URL'],
  ["--ping /a?b", '--ping: "/a?b" is no path of a URL'],
  ["--status", "--status needs a value"],
  ["--status=", '--status: "" is no path of a URL'],
  ["--access-log=", '--access-log: "" is no path'],
  ["--access-log --ping /", "--access-log needs a value"],
  ["--access-format=", '--access-format: "" is no format'],
  ["--slow-log 0", '--slow-log: "0" is no number of milliseconds'],
  ["--slow-log 1s", '--slow-log: "1s" is no number of milliseconds'],
  ["--slow-log 9999999999", '--slow-log: "9999999999" is no number of'],
  ["--allow", "--allow needs a value"],
  ["--allow localhost", "--allow: Cannot allow clients at"],
  ["--allow 10.0.0.0/33", "10.0.0.0/33"],
  ["--allow=", "--allow: Cannot allow clients at"],
  ["--http /run/http.sock", '--http: "/run/http.sock" is no port'],
  ["--http localhost", '--http: "localhost" is no address'],
  ["--http 99999", "--http"],
  ["--http=x", '--http: "x" is no address'],
];

for (const [line, why] of BAD) {
  Deno.test(`parseArguments() refuses "${line}"`, () => {
    const error = assertThrows(
      () => parseArguments(words(line)),
      StartError,
      why,
    );
    assertEquals(error.code, "BAD_ARGUMENT");
    assertEquals(error.message.includes("\n"), false);
    assert(error.message.endsWith("(--help tells what there is)"));
  });
}

function words(line: string): string[] {
  return line === "" ? [] : line.split(" ");
}

Deno.test("HELP fits a screen of 80 by 24, and tells every option that is taken", () => {
  const lines = HELP.trimEnd().split("\n");
  // With the prompt that follows.
  assert(lines.length <= 23, `${lines.length} lines`);
  for (const line of lines) assert(line.length <= 80, line);
  const told = [...HELP.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag);
  const taken = GOOD.flatMap(([line]) => words(line))
    .filter((word) => word.startsWith("--"))
    .map((word) => word.replace(/=.*/, ""));
  assertEquals(new Set(told), new Set(taken));
});

Deno.test("VERSION is that of the package", async () => {
  const config = await Deno.readTextFile(
    new URL("../../deno.json", import.meta.url),
  );
  assertEquals(VERSION, JSON.parse(config).version);
});
