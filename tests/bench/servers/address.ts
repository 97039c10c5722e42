// The address of a benchmark's server: the path of a Unix socket, or "tcp" for
// a free port of 127.0.0.1. The line it prints once it listens ends with what
// the load generator is to be given.

import type { Application } from "../../../mod.ts";

/** Listens with nothing but the runtime. */
export function listenAt(address: string): Deno.Listener {
  return address === "tcp"
    ? Deno.listen({ hostname: "127.0.0.1", port: 0 })
    : Deno.listen({ transport: "unix", path: address }) as Deno.Listener;
}

/** Says where a server listens. */
export function announce(addr: Deno.Addr | null): void {
  if (addr === null) throw new Error("The listener tells no address");
  console.log(`listening on ${"port" in addr ? addr.port : addr.path}`);
}

/** Lets an application serve at the address of the command line. */
export function serve(application: Application): void {
  const address = Deno.args.at(-1)!;
  const server = application.listen(
    address === "tcp" ? { hostname: "127.0.0.1", port: 0 } : { path: address },
  );
  announce(server.addr);
}

/** Serves a handler over HTTP at the address of the command line. */
export function serveHttp(
  handler: (request: Request) => Response | Promise<Response>,
): void {
  const address = Deno.args.at(-1)!;
  const onListen = announce;
  if (address === "tcp") {
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, handler);
  } else Deno.serve({ path: address, onListen }, handler);
}
