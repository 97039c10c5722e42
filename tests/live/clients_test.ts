// The FastCGI clients that others have written, as the program's only peers.
// (Go's is in Caddy, which has tests of its own.)

import { assert, assertEquals, assertMatch } from "@std/assert";
import { it } from "@std/testing/bdd";
import { within } from "../support/peer.ts";
import { content, digest } from "./content.ts";
import { Folder } from "./folder.ts";
import { startOn } from "./program.ts";
import { suiteWith } from "./suite.ts";

/** Runs a client to its end; gives what it printed. */
async function run(
  command: string,
  { args, env, input = "" }: {
    args: readonly string[];
    env?: Record<string, string>;
    input?: string;
  },
): Promise<{ stdout: string; stderr: string; bytes: Uint8Array }> {
  const child = new Deno.Command(command, {
    args: [...args],
    // What a client's environment has, it may send.
    ...env === undefined ? {} : { env, clearEnv: true },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writing = new Blob([input]).stream().pipeTo(child.stdin);
  try {
    const [output] = await within(
      Promise.all([child.output(), writing]),
      `${command} to end`,
    );
    const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) =>
      new TextDecoder().decode(bytes)
    ) as [string, string];
    assert(output.success, `${command} ended with ${output.code}: ${stderr}`);
    return { stdout, stderr, bytes: output.stdout };
  } catch (error) {
    try {
      child.kill("SIGKILL");
    } catch {
      // Ended already.
    }
    throw error;
  }
}

/** The body of an answer as a program sends it, which must be a success. */
function bodyOf(answer: string): string {
  const [, head, body] = /^([^]*?)\r\n\r\n([^]*)$/.exec(answer) ?? [];
  assertMatch(head ?? "", /^Status: 200 OK$/m, answer);
  return body!;
}

async function digestOf(text: string) {
  return await digest([new TextEncoder().encode(text)]);
}

const BODY = "body ".repeat(50_000);

/** Runs a test with the program on a socket. */
async function withApp(test: (path: string) => Promise<void>): Promise<void> {
  await using folder = new Folder();
  await using app = await startOn(`${folder.path}/app.sock`);
  await test(app.address);
}

suiteWith(["cgi-fcgi"], "Application asked by cgi-fcgi", () => {
  const ask = (path: string, env: Record<string, string>, input = "") =>
    run("cgi-fcgi", { args: ["-bind", "-connect", path], env, input });

  it("gives pages, and what the environment says", async () => {
    await withApp(async (path) => {
      const { stdout } = await ask(path, {
        REQUEST_METHOD: "GET",
        REQUEST_URI: "/inspect/a%20b?c=d",
        HTTP_HOST: "a.test",
        HTTP_COOKIE: `a=1; b=${"x".repeat(500)}`,
        REMOTE_ADDR: "192.0.2.1",
      });
      const told = JSON.parse(bodyOf(stdout));
      assertEquals(told.url, "http://a.test/inspect/a%20b?c=d");
      assertEquals(told.cookies, { a: "1", b: "x".repeat(500) });
      assertEquals(told.remoteAddr, "192.0.2.1");
    });
  });

  it("takes bodies", async () => {
    await withApp(async (path) => {
      const env = {
        REQUEST_METHOD: "POST",
        REQUEST_URI: "/echo",
        CONTENT_LENGTH: String(BODY.length),
      };
      const { stdout } = await ask(path, env, BODY);
      assertEquals(JSON.parse(bodyOf(stdout)), await digestOf(BODY));
    });
  });

  it("hands on what is logged", async () => {
    await withApp(async (path) => {
      const env = { REQUEST_METHOD: "GET", REQUEST_URI: "/log" };
      const { stdout, stderr } = await ask(path, env);
      assertEquals(bodyOf(stdout), "logged");
      assertMatch(stderr, /a line for the web server's log/);
    });
  });

  it("gives long responses whole", async () => {
    await withApp(async (path) => {
      const length = 5_000_000;
      const env = {
        REQUEST_METHOD: "GET",
        REQUEST_URI: `/large?length=${length}`,
      };
      const { bytes } = await ask(path, env);
      assertEquals(
        await digest([bytes.subarray(bytes.length - length)]),
        await digest(content(length)),
      );
    });
  });
});

const PERL = ["perl", "/usr/share/perl5/FCGI/Client.pm"];

suiteWith(PERL, "Application asked by FCGI::Client of Perl", () => {
  const script = new URL("clients/fcgi_client.pl", import.meta.url).pathname;
  const ask = (path: string, target: string, body = "") =>
    run("perl", { args: [script, path, target, body] });

  it("gives pages, takes bodies, and hands on what is logged", async () => {
    await withApp(async (path) => {
      const inspected = await ask(path, "/inspect?a=b");
      const told = JSON.parse(bodyOf(inspected.stdout));
      assertEquals(told.url, "http://localhost/inspect?a=b");
      assertEquals(told.cookies, { a: "1", b: "x".repeat(500) });
      const body = "x".repeat(100_000);
      const { stdout } = await ask(path, "/echo", body);
      assertEquals(JSON.parse(bodyOf(stdout)), await digestOf(body));
      const { stderr } = await ask(path, "/log");
      assertMatch(stderr, /a line for the web server's log/);
    });
  });
});

suiteWith([], "Application asked by fastcgi-client of npm", () => {
  it("tells what it can do, and answers many requests on one connection", async () => {
    const program = new URL("clients/npm.ts", import.meta.url).pathname;
    await withApp(async (path) => {
      const bodies = Array.from(
        { length: 30 },
        (_, n) => `${n} `.repeat(n * 9),
      );
      const { stdout } = await run(Deno.execPath(), {
        args: ["run", "--allow-all", program, path, ...bodies],
      });
      const answers: string[] = JSON.parse(stdout);
      assertEquals(answers.map(bodyOf), bodies.map((body) => `1 ${body}`));
    });
  });
});
