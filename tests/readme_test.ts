// The README against what it speaks of.

import { assert, assertEquals } from "@std/assert";
import { HELP, VERSION } from "../src/command/arguments.ts";
import { blocks, readme } from "./support/readme.ts";

const ROOT = new URL("../", import.meta.url);

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** Every TypeScript file below a folder, joined. */
function sourcesOf(folder: string): string {
  return Array.from(Deno.readDirSync(new URL(folder, ROOT)), (entry) => {
    if (entry.isDirectory) return sourcesOf(`${folder}${entry.name}/`);
    return entry.name.endsWith(".ts") ? read(folder + entry.name) : "";
  }).join("\n");
}

/** The cells of the table under a heading, without its head. */
function tableUnder(heading: string): string[][] {
  const section = readme().split(`\n## ${heading}\n`)[1]?.split("\n## ")[0];
  const rows = section?.split("\n").filter((line) => line.startsWith("|"));
  assert(rows !== undefined && rows.length > 2, `no table under ${heading}`);
  return rows.slice(2).map((row) =>
    row.split("|").slice(1, -1).map((cell) => cell.trim())
  );
}

/** A cell's text, without the marks of code. */
function plain(cell: string): string {
  return cell.replaceAll("`", "");
}

const OPTIONS: [owner: string, heading: string, source: string][] = [
  ["Application", "Options", "src/options.ts"],
  ["Application", "Logs and status", "src/observe/options.ts"],
  ["sendFile()", "Files", "src/files/options.ts"],
  ["FastCGIClient", "Client", "src/client/client_options.ts"],
];

for (const [owner, heading, source] of OPTIONS) {
  Deno.test(`the README's options are those of ${owner} in ${source}, with their defaults`, () => {
    const shown = tableUnder(heading)
      .filter((cells) => cells.length === 4 && cells[0]!.startsWith("`"))
      .map(([name, , standard]) => `${plain(name!)} = ${plain(standard!)}`);
    const words: Record<string, string> = { "Infinity": "none", "[]": "any" };
    const found = read(source).matchAll(
      /@default \{(.*?)\}(?: \(.*?\))?\s+\*\/\s+(\w+)\?:/g,
    );
    const real = Array.from(
      found,
      ([, standard, name]) => `${name} = ${words[standard!] ?? standard}`,
    );
    assertEquals(shown.sort(), real.sort());
  });
}

Deno.test("the README's flags are those of --help", () => {
  const flags = (text: string) =>
    Array.from(text.matchAll(/^\W*(--\w[\w-]*)/gm), ([, flag]) => flag).sort();
  const shown = tableUnder("Install").map(([flag]) => flag!).join("\n");
  assertEquals(flags(shown), flags(HELP));
});

Deno.test("--version tells the version of the package", () => {
  assertEquals(VERSION, JSON.parse(read("deno.json")).version);
});

Deno.test("the README's error codes are those that the sources throw", () => {
  const shown = tableUnder("Errors").flatMap(([codes]) =>
    plain(codes!).split(", ")
  );
  const sources = sourcesOf("src/").replace(/\/\*\*[^]*?\*\//g, "");
  const thrown = sources.matchAll(
    /(?:new (?:Protocol|Limit|Start|Refused|FastCgi)Error|super|timedOut)\(\s*"([A-Z_]+)"/g,
  );
  const real = new Set(Array.from(thrown, ([, code]) => code!));
  assertEquals(shown.sort(), [...real].sort());
});

Deno.test("the README's examples are those of the folder", () => {
  const shown = blocks("ts").map((code) => code.trim());
  for (const name of ["hello", "wsgi/app", "hono/app"]) {
    const code = read(`examples/${name}.ts`).replace(/^\/\/.*\n/gm, "").trim();
    assert(shown.includes(code), `examples/${name}.ts`);
  }
});

/** What is written for readers, besides comments. */
const DOCUMENTS = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  ...Array.from(
    Deno.readDirSync(new URL("docs", ROOT)),
    ({ name }) => `docs/${name}`,
  ),
  ...["examples/README.md", "examples/scale/README.md"],
];

Deno.test("the documents link to files that exist", () => {
  const missing: string[] = [];
  for (const document of DOCUMENTS) {
    for (const [, target] of read(document).matchAll(/\]\(([^):#]+)[#)]/g)) {
      try {
        Deno.statSync(new URL(target!, new URL(document, ROOT)));
      } catch {
        missing.push(`${document}: ${target}`);
      }
    }
  }
  assertEquals(missing, []);
});

Deno.test("the documents name headings that exist", () => {
  const missing: string[] = [];
  for (const document of DOCUMENTS) {
    const links = read(document).matchAll(/\]\(([^):#]*)#([^)]+)\)/g);
    for (const [, target, anchor] of links) {
      if (target!.endsWith(".ts")) continue;
      const { href } = new URL(
        target! || document.replace(/.*\//, ""),
        new URL(document, ROOT),
      );
      const headings = Array.from(
        Deno.readTextFileSync(new URL(href)).matchAll(/^#+ (.*)$/gm),
        ([, heading]) =>
          heading!.toLowerCase().replace(/[^\w\s-]/g, "").replaceAll(" ", "-"),
      );
      if (!headings.includes(anchor!)) missing.push(`${document}: ${anchor}`);
    }
  }
  assertEquals(missing, []);
});

Deno.test("the documents name tasks that exist", () => {
  const { tasks } = JSON.parse(read("deno.json"));
  for (const document of DOCUMENTS) {
    for (const [, task] of read(document).matchAll(/deno task ([\w:]+)/g)) {
      assert(task! in tasks, `${document}: deno task ${task}`);
    }
  }
});

Deno.test("the documents name benchmarks that exist", () => {
  const [, cases] = /^\/\/ Cases: ([^;]*);/m.exec(
    read("tests/bench/bench.ts"),
  )!;
  const known = cases!.replaceAll("\n//", "").split(/,\s+/);
  for (const document of DOCUMENTS) {
    const commands = read(document).matchAll(/deno task bench((?: [a-z]+)+)/g);
    for (const [, named] of commands) {
      for (const name of named!.trim().split(" ")) {
        if (/^(?:measures|prints)$/.test(name)) break;
        assert(known.includes(name), `${document}: deno task bench ${name}`);
      }
    }
  }
});

Deno.test("docs/sizing.md names options that exist", () => {
  const options = OPTIONS.flatMap(([, heading]) =>
    tableUnder(heading).map(([name]) => plain(name!))
  );
  const named = read("docs/sizing.md").matchAll(
    /`((?:max|slow|status)[A-Z]\w*|\w+TimeoutMs)\b/g,
  );
  const names = Array.from(named, ([, name]) => name!);
  assert(names.length > 5, `${names}`);
  for (const name of names) assert(options.includes(name), name);
});
