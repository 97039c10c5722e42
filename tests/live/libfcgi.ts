// The application in C on libfcgi, the library of the specification's authors,
// for the tests that ask it.

import { Program } from "../support/program.ts";

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

/** Builds it in a folder, and starts it on a socket there. */
export async function startLibfcgi(
  folder: string,
): Promise<{ app: Program; socket: string }> {
  const source = new URL("libfcgi_app.c", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command("gcc", {
    args: [source, "-o", `${folder}/app`, "-lfcgi", "-lpthread"],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const socket = `${folder}/app.sock`;
  const app = new Program(`${folder}/app`, { args: ["2", socket] });
  await app.until(/listening/);
  return { app, socket };
}
