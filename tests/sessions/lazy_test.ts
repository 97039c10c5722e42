// Sessions cost nothing where they are not used: nothing of them is loaded.

import { assert, assertEquals } from "@std/assert";
import { Program } from "../support/program.ts";
import { Visitor } from "./visitor.ts";

const ROOT = new URL("../../", import.meta.url);

interface Module {
  specifier: string;
  dependencies?: {
    isDynamic?: boolean;
    code?: { specifier?: string };
  }[];
}

/** What is loaded with a module: what it imports with code, and not later. */
async function loadedWith(path: string): Promise<Set<string>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL(path, ROOT).pathname],
    stdin: "null",
  }).output();
  const { modules }: { modules: Module[] } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  const loaded = new Set<string>();
  const visit = (specifier: string | undefined) => {
    if (specifier === undefined || loaded.has(specifier)) return;
    loaded.add(specifier);
    const module = modules.find((module) => module.specifier === specifier);
    for (const { isDynamic, code } of module?.dependencies ?? []) {
      if (!isDynamic) visit(code?.specifier);
    }
  };
  visit(new URL(path, ROOT).href);
  return loaded;
}

Deno.test("a program without sessions loads nothing of them, nor do the server and the request", async () => {
  for (const path of ["examples/hello.ts", "src/serving.ts"]) {
    const loaded = await loadedWith(path);
    assert(loaded.size > 10, `${path} loads ${[...loaded]}`);
    const sessions = [...loaded].filter((specifier) =>
      specifier.startsWith(new URL("src/sessions/", ROOT).href)
    );
    assertEquals(sessions, [], path);
  }
});

Deno.test("each store loads no other, and no package", async () => {
  for (const name of ["file", "kv", "memory", "redis"]) {
    const loaded = await loadedWith(`src/sessions/${name}.ts`);
    const foreign = [...loaded].filter((specifier) =>
      !specifier.startsWith(ROOT.href) ||
      ["file", "kv", "memory", "redis"].some((other) =>
        other !== name && specifier.endsWith(`/sessions/${other}.ts`)
      )
    );
    assertEquals(foreign, [], name);
  }
});

Deno.test("sessions in memory take no permission, and no option", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/program.ts`;
    await Deno.writeTextFile(
      path,
      `
      import { Application } from ${
        JSON.stringify(new URL("mod.ts", ROOT).href)
      };
      class Counter extends Application {
        override async service() {
          const session = await this.request.session();
          const n = await session.update("n", (n = 0) => n + 1);
          this.response.write(String(n));
        }
      }
      await new Counter().run({ bind: { hostname: "127.0.0.1", port: 0 } });`,
    );
    await using program = new Program(Deno.execPath(), {
      args: ["run", "--no-check", "--no-prompt", "--allow-net", path],
    });
    const [, port] = await program.until(/^Listening .* 127.0.0.1:(\d+)$/);
    const addr = { hostname: "127.0.0.1", port: Number(port) };
    const visitor = new Visitor({ addr: { transport: "tcp", ...addr } });
    assertEquals((await visitor.ask()).text, "1");
    assertEquals((await visitor.ask()).text, "2");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
