// Folder: where a test keeps its files, and what web servers need there.

import { IS_ROOT } from "./web_server.ts";

/** A folder that is removed with all that is in it. */
export class Folder implements AsyncDisposable {
  readonly path: string = Deno.makeTempDirSync();

  constructor() {
    // Apache changes its user, who must get at its files and the sockets.
    if (IS_ROOT) Deno.chmodSync(this.path, 0o755);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** What the certificate of the tests is made in, once for a process. */
let certificate: Promise<string> | null = null;

/** A certificate of 127.0.0.1 that signs itself, and its key, as PEM. */
export function makeCertificate(): Promise<string> {
  return certificate ??= openssl();
}

async function openssl(): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("openssl", {
    args: [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256".split(" "),
      ..."-nodes -days 2 -subj /CN=127.0.0.1 -keyout - -out -".split(" "),
      ..."-addext subjectAltName=IP:127.0.0.1".split(" "),
      ..."-addext basicConstraints=critical,CA:FALSE".split(" "),
    ],
    stdin: "null",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`openssl: ${new TextDecoder().decode(stderr)}`);
}
