// The application in C on libfcgi, the library of the specification's authors,
// for the tests that ask it.

import { afterAll, beforeAll } from "@std/testing/bdd";
import { Program } from "../support/program.ts";
import { Folder } from "./folder.ts";

/** Where Debian's libfcgi-dev puts it. */
const HEADER = "/usr/include/fcgiapp.h";

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** What must be installed to build it. */
export const LIBFCGI: readonly string[] = [
  "gcc",
  ...(exists(HEADER) ? [] : ["libfcgi-dev"]),
];

/** Builds it, and starts it for the tests of a suite; gives its socket. */
export function libfcgiOf(): () => string {
  const used = new AsyncDisposableStack();
  let socket = "";
  beforeAll(async () => {
    const { path } = used.use(new Folder());
    await build(`${path}/app`);
    socket = `${path}/app.sock`;
    const app = used.use(new Program(`${path}/app`, { args: ["2", socket] }));
    await app.until(/listening/);
  });
  afterAll(() => used.disposeAsync());
  return () => socket;
}

async function build(program: string): Promise<void> {
  const source = new URL("libfcgi_app.c", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command("gcc", {
    args: [source, "-o", program, "-lfcgi", "-lpthread"],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
