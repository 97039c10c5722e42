// The rules that hold the sources together: who may import whom, who may name
// the runtime, and how long a file may be.

import { assertEquals, assertGreater } from "@std/assert";

const ROOT = new URL("../", import.meta.url).pathname;

/**
 * What each part of src/ may import, itself apart. A part is a folder, or a
 * file by itself; what is not listed is `api`.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  errors: [],
  cookies: [],
  "sessions/store": ["errors"],
  "files/options": [],
  "observe/options": [],
  options: [
    "errors",
    "cookies",
    "sessions/store",
    "files/options",
    "observe/options",
  ],
  protocol: ["errors"],
  cgi: ["errors"],
  server: ["errors", "options", "protocol", "cgi"],
  files: ["errors", "options", "files/options"],
  client: ["errors", "options", "protocol", "cgi", "server"],
  sessions: [
    "errors",
    "cookies",
    "sessions/store",
    "options",
    "cgi",
    "server",
  ],
  forms: ["errors", "options", "server"],
  api: [
    "errors",
    "cookies",
    "sessions/store",
    "files/options",
    "options",
    "protocol",
    "cgi",
    "server",
    "files",
    "forms",
    "sessions",
  ],
  observe: [
    "errors",
    "observe/options",
    "options",
    "protocol",
    "cgi",
    "server",
    "api",
  ],
  application: [
    "observe",
    "observe/options",
    "errors",
    "cookies",
    "sessions/store",
    "options",
    "protocol",
    "cgi",
    "server",
    "api",
    "sessions",
  ],
  gateway: [
    "errors",
    "options",
    "protocol",
    "cgi",
    "server",
    "api",
    "application",
  ],
  workers: ["errors", "options", "server"],
  command: [
    "observe",
    "observe/options",
    "errors",
    "options",
    "protocol",
    "cgi",
    "server",
    "client",
    "api",
    "application",
    "workers",
  ],
  cli: [
    "command",
    "gateway",
    "observe",
    "observe/options",
    "errors",
    "options",
    "protocol",
    "cgi",
    "server",
    "client",
    "api",
    "application",
  ],
  testing: ["server", "client", "application"],
};

/** The parts that may name the runtime; all others run anywhere. */
const MAY_NAME_DENO = [
  "cli",
  "observe",
  "server",
  "files",
  "forms",
  "sessions",
  "client",
  "command",
  "gateway",
  "workers",
];

const MOST_LINES = 400;

interface Source {
  /** From the project's root, such as `src/protocol/parser.ts`. */
  path: string;
  text: string;
  /** The text without comments. */
  code: string;
}

/** Every TypeScript file below a folder. */
function sources(folder: string): Source[] {
  const found: Source[] = [];
  for (const entry of Deno.readDirSync(ROOT + folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...sources(path));
    else if (path.endsWith(".ts")) {
      const text = Deno.readTextFileSync(ROOT + path);
      found.push({ path, text, code: withoutComments(text) });
    }
  }
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[^]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

/** The part of src/ a file belongs to. */
function partOf(path: string): string {
  const [, folder, file] = path.split("/");
  if (file !== undefined) {
    const name = `${folder}/${file.replace(".ts", "")}`;
    return name in MAY_IMPORT ? name : folder!;
  }
  const name = folder!.replace(".ts", "");
  return name in MAY_IMPORT ? name : "api";
}

/** The files of the project that a file imports, as paths from the root. */
function imports({ path, code }: Source): string[] {
  const statements = code.matchAll(
    /^(?:import|export)\b[^;]*?\bfrom "(\.[^"]+)";$/gm,
  );
  return Array.from(
    statements,
    ([, target]) =>
      new URL(target!, `file://${ROOT}${path}`).pathname.slice(ROOT.length),
  );
}

Deno.test("the sources import only what their part may", () => {
  const count = sources("src").flatMap(imports).length;
  assertGreater(count, 100, "imports are not recognised any more");
  const faults = sources("src").flatMap((source) =>
    imports(source)
      .filter((target) => {
        const [from, to] = [partOf(source.path), partOf(target)];
        return from !== to && !MAY_IMPORT[from]!.includes(to);
      })
      .map((target) => `${source.path} imports ${target}`)
  );
  assertEquals(faults, []);
});

Deno.test("the sources import one another in no circle", () => {
  const targets = new Map(
    sources("src").map((source) => [source.path, imports(source)]),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: string[]) => {
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const target of targets.get(path) ?? []) {
      visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of targets.keys()) visit(path, []);
  assertEquals(circles, []);
});

Deno.test("the sources name Deno only where sockets and programs are", () => {
  const faults = sources("src")
    .filter(({ path, code }) =>
      !MAY_NAME_DENO.includes(partOf(path)) && /\bDeno\b/.test(code)
    )
    .map(({ path }) => path);
  assertEquals(faults, []);
});

Deno.test("the protocol and cgi are synchronous and silent", () => {
  const faults = sources("src")
    .filter(({ path }) => ["protocol", "cgi"].includes(partOf(path)))
    .filter(({ code }) =>
      /\b(?:async|await|Promise|console|setTimeout|Request|Response)\b/
        .test(code.replace(/"[^"\n]*"/g, '""'))
    )
    .map(({ path }) => path);
  assertEquals(faults, []);
});

Deno.test("the sources load node: modules only when they are used", () => {
  const faults = sources("src")
    .filter(({ code }) => /^import (?!type\b)[^;]*?"(?:node|npm):/m.test(code))
    .map(({ path }) => path);
  assertEquals(faults, []);
});

Deno.test("the sources import dynamically what stands there, so that a compiled program has it", () => {
  // A module of the user's, and a package that users may do without.
  const known = ["src/cli/serve.ts", "src/forms/multipart.ts"];
  const faults = sources("src")
    .filter(({ code }) => /\bimport\((?!\s*")/.test(code))
    .map(({ path }) => path);
  assertEquals(faults, known);
});

Deno.test("mod.ts has no logic", () => {
  const code = withoutComments(Deno.readTextFileSync(`${ROOT}mod.ts`));
  const statements = code.split(";").map((part) => part.trim())
    .filter((part) => part !== "");
  assertEquals(
    statements.filter((part) => !/^export\b[^]*\bfrom "\.\/src\//.test(part)),
    [],
  );
});

Deno.test("files are short, open with what they are for, and leave nothing to do", () => {
  const faults: string[] = [];
  for (const { path, text } of [...sources("src"), ...sources("tests")]) {
    const lines = text.split("\n").length - 1;
    if (lines > MOST_LINES) faults.push(`${path} has ${lines} lines`);
    // What a test file is for, its name says.
    if (!text.startsWith("// ") && !path.endsWith("_test.ts")) {
      faults.push(`${path} opens with no comment`);
    }
    if (new RegExp("\\b(?:TO" + "DO|FIX" + "ME|X" + "XX)\\b").test(text)) {
      faults.push(`${path} leaves something to do`);
    }
    if (!/^[a-z0-9_]+\.ts$/.test(path.split("/").at(-1)!)) {
      faults.push(`${path} is not in snake_case`);
    }
  }
  assertEquals(faults, []);
});

Deno.test("every file of tests that tests is found by the test runner", () => {
  const faults = sources("tests")
    .filter(({ code }) => /^\s*(?:Deno\.test|describe|suite)\(/m.test(code))
    .filter(({ path }) => !path.endsWith("_test.ts"))
    .map(({ path }) => path);
  assertEquals(faults, []);
});
