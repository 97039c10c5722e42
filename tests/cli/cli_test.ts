// The command smisk: what it prints, and how it ends.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ran } from "./smisk.ts";

const HELPS = [
  ["--help"],
  ["-h"],
  ["help"],
  ["get", "-h"],
  ["serve", "--help"],
  ["serve", "app.ts", "--help"],
  ["config", "--help"],
  ["get", "--help"],
  ["check", "--help"],
];

for (const args of HELPS) {
  Deno.test(`smisk ${args.join(" ")} prints help that fits a screen of 80 by 24`, async () => {
    const { code, errors, output } = await ran(args);
    assertEquals([code, errors], [0, []]);
    assert(output.length <= 23, `${output.length} lines`);
    for (const line of output) assert(line.length <= 80, line);
    assertMatch(output[0]!, /^Usage: smisk /);
  });
}

for (const args of [["--version"], ["serve", "--version"]]) {
  Deno.test(`smisk ${args.join(" ")} prints the version`, async () => {
    const { code, errors, output } = await ran(args);
    assertEquals([code, errors, output.length], [0, [], 1]);
    assertMatch(output[0]!, /^Smisk \d+\.\d+\.\d+, Deno \d+\.\d+\.\d+$/);
  });
}

const WRONG: [args: string[], why: string][] = [
  [[], "smisk needs a command: serve, config, get or check"],
  [["bogus"], '"bogus" is no command'],
  [["--bogus"], '"--bogus" is no command'],
  [["serve"], "smisk serve needs a module"],
  [["serve", "https://"], '"https://" is no URL of a module'],
  [["serve", "a.ts", "b.ts"], 'Unexpected argument "b.ts"'],
  [["serve", "a.ts", "--bogus"], "Unknown option --bogus"],
  [["serve", "a.ts", "--mode", "x"], '--mode: "x" is no permission'],
  [["config", "iis"], '"iis" is no server'],
  [["get"], "smisk get needs an address and a path"],
  [["get", ":9000"], "smisk get needs an address and a path"],
  [["get", "nowhere", "/"], '"nowhere" is no address'],
  [["get", ":9000", "x"], '"x" is no path'],
  [["get", ":9000", "ftp://a/"], '"ftp://a/" is no path'],
  [["get", ":9000", "/", "more"], 'Unexpected argument "more"'],
  [["get", ":9000", "/", "--header", "x"], '--header: "x" is no NAME:VALUE'],
  [["get", ":9000", "/", "--header", "\u00e9:1"], "Invalid header name"],
  [["get", ":9000", "/", "--param", "x"], '--param: "x" is no NAME=VALUE'],
  [["get", ":9000", "/", "--role", "x"], '--role: "x" is no role'],
  [["get", ":9000", "/", "--timeout", "0"], '--timeout: "0" is no number'],
  [["get", ":9000", "/", "--method", "A B"], "not valid"],
  [["get", ":9000", "/", "--data=a", "--body=-"], "There is one body"],
  [["get", ":9000", "/", "--data=a", "--data=b"], "--data is given twice"],
  [["check"], "smisk check needs an address"],
  [["check", "nowhere"], '"nowhere" is no address'],
  [["check", ":9000", "/"], 'Unexpected argument "/"'],
  [["check", ":9000", "--path", "x"], '--path: "x" is no path'],
  [["check", ":9000", "--user", "x"], "--user is for Unix sockets"],
];

for (const [args, why] of WRONG) {
  Deno.test(`smisk exits with status 2 and one line at ${JSON.stringify(args)}`, async () => {
    const { code, errors, output } = await ran(args);
    assertEquals([code, output, errors.length], [2, [], 1]);
    assert(errors[0]!.startsWith("smisk: "), errors[0]);
    assert(errors[0]!.includes(why), errors[0]);
  });
}

const NO_PERMISSION: [args: string[], flags: string][] = [
  [["get", "127.0.0.1:9", "/"], "--allow-net=127.0.0.1:9"],
  [
    ["get", "/run/a.sock", "/"],
    "--allow-net=unix:/run/a.sock --allow-read=/run/a.sock --allow-write=/run/a.sock",
  ],
  [["get", ":9", "/", "--body=/a"], "--allow-read=/a"],
  [
    ["check", "/run/a.sock"],
    "--allow-net=unix:/run/a.sock --allow-write=/run/a.sock --allow-read",
  ],
  [
    ["serve", "/srv/app.ts"],
    "--allow-net=127.0.0.1:9000 --allow-read=/srv/app.ts",
  ],
  [
    ["serve", "/srv/app.ts", "--bind=/run/a.sock", "--pidfile=/run/a.pid"],
    "--allow-read=/srv/app.ts,/run/a.sock,/run/a.pid --allow-net=unix:/run/a.sock --allow-write=/run/a.sock,/run/a.pid",
  ],
];

for (const [args, flags] of NO_PERMISSION) {
  Deno.test(`smisk names every permission that ${args.join(" ")} needs`, async () => {
    const { code, errors, output } = await ran(args, { permissions: [] });
    assertEquals([code, output, errors.length], [1, [], 1]);
    assert(errors[0]!.endsWith(`: add ${flags}`), errors[0]);
  });
}
