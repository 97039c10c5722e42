// The multipart parser is in a program that asks for it, and in no other: not in
// its modules, not downloaded, not loaded.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { PARSER_PACKAGE } from "../../src/forms/multipart.ts";
import { Folder, namesIn, URLENCODED } from "./asking.ts";
import { request } from "../support/wire.ts";
import { connect, start, upload } from "./programs.ts";

const ROOT = new URL("../../", import.meta.url);

/** The modules of a program, those that it imports dynamically included. */
async function modulesOf(path: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", path],
    cwd: ROOT,
    stderr: "null",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout));
  return modules.map(({ specifier }: { specifier: string }) => specifier);
}

const isPackage = (specifier: string) => specifier.startsWith("npm:");

Deno.test("the parser is the package that deno.json names", () => {
  const { imports } = JSON.parse(
    Deno.readTextFileSync(new URL("deno.json", ROOT)),
  );
  assertEquals(PARSER_PACKAGE, imports["@fastify/busboy"]);
});

Deno.test("a program has the parser among its modules where it imports @smisk/smisk/forms alone", async () => {
  const without = await modulesOf("examples/hello.ts");
  assert(without.some((module) => module.endsWith("/src/forms/multipart.ts")));
  assertEquals(without.filter(isPackage), []);
  const found = (await modulesOf("src/forms/package.ts")).filter(isPackage);
  assertEquals(found.length, 1);
  assertMatch(found[0]!, /^npm:\/?@fastify\/busboy@3\./);
});

Deno.test("form() says what to do where the parser can be had from nowhere", async () => {
  await using folder = new Folder();
  await Deno.mkdir(`${folder.path}/uploads`);
  const env = {
    DENO_DIR: `${folder.path}/cache`,
    TMPDIR: `${folder.path}/uploads`,
  };
  await using program = start(["-A", "--cached-only"], { env });
  const { status, stderr } = await upload(program);
  assertEquals(status, 500);
  assertMatch(
    stderr,
    /Cannot read a multipart form: npm:@fastify\/busboy@\^3 .*import "@smisk\/smisk\/forms"/,
  );
  assertEquals(namesIn(`${folder.path}/uploads`), []);
  // Forms of the other kind need no parser.
  using peer = await connect(program);
  const urlencoded = await peer.ask(
    request({ body: "a=1", params: { CONTENT_TYPE: URLENCODED } }),
  );
  assertEquals(urlencoded.text, '[["a","1"]]');
});
