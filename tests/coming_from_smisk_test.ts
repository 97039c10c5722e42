// The page for those who come from Smisk: every name it points to is there.

import { assert, assertEquals } from "@std/assert";
import { Application, Gateway } from "../mod.ts";
import { HELP } from "../src/command/arguments.ts";
import { ServiceRequest } from "../src/request.ts";
import { ServiceResponse } from "../src/response.ts";

const PAGE = Deno.readTextFileSync(
  new URL("../docs/coming_from_smisk.md", import.meta.url),
);
const OPTIONS = Deno.readTextFileSync(
  new URL("../src/options.ts", import.meta.url),
);

/** The cells of "here" in every table, and of the lists of what is new. */
function names(): string[] {
  const cells = PAGE.split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|")[2]!);
  const lists = PAGE.match(/^New: [^.]*(?:\.\w[^.]*)*\.$/gm) ?? [];
  assert(lists.length === 2, "the page has two lists of what is new");
  return Array.from(
    [...cells, ...lists].join("\n").matchAll(/`([^`]+)`/g),
    ([, name]) => name!,
  );
}

const app = new Gateway({ fetch: () => new Response() });

/** Where the names of each prefix are looked up. */
const HOLDERS: Readonly<Record<string, (name: string) => boolean>> = {
  app: (name) => name in app,
  Application: (name) => name in Application,
  request: (name) => name in ServiceRequest.prototype,
  response: (name) => name in ServiceResponse.prototype,
};

Deno.test("every name that the page for users of Smisk points to is there", () => {
  const missing: string[] = [];
  const counts = { members: 0, flags: 0, options: 0 };
  for (const name of names()) {
    const member = /^\(?(?:await )?(\w+)\.(\w+)/.exec(name);
    const holds = member === null ? undefined : HOLDERS[member[1]!];
    if (holds !== undefined) {
      counts.members++;
      if (!holds(member![2]!)) missing.push(name);
    } else if (name.startsWith("--")) {
      counts.flags++;
      const flag = name.split(" ")[0]!;
      if (!HELP.includes(`  ${flag} `)) missing.push(name);
    } else if (/^max\w+Bytes$/.test(name)) {
      counts.options++;
      if (!OPTIONS.includes(`  ${name}?:`)) missing.push(name);
    }
  }
  assertEquals(missing, []);
  assert(counts.members > 40 && counts.flags > 4 && counts.options === 2);
});
