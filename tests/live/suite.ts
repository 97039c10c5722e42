// Suites of tests that need web servers: where one is missing they are skipped,
// and their names say why.

import { afterAll, beforeAll, describe } from "@std/testing/bdd";
import { Live } from "./live.ts";
import { missing } from "./site.ts";
import type { WebServer } from "./web_server.ts";

/** Registers a suite that needs programs, files or web servers. */
export function suiteWith(
  needed: readonly (string | WebServer)[],
  name: string,
  tests: () => void,
): void {
  const absent = missing(needed);
  if (absent.length === 0) describe(name, tests);
  else describe.skip(`${name} (not run: no ${absent.join(", no ")})`, tests);
}

/** Starts a web server for the tests of a suite, with the program. */
export function liveOf(webServer: WebServer): () => Live {
  let live: Live | undefined;
  beforeAll(async () => {
    live = await Live.start(webServer);
  });
  afterAll(async () => {
    await live?.[Symbol.asyncDispose]();
  });
  return () => live!;
}
