// Clients for tests: the module's own client, connected to an application in
// each of the ways there are.

import { FastCGIClient } from "../../src/client/client.ts";
import type {
  FastCGIClientOptions,
  Transport,
} from "../../src/client/client.ts";
import { PipeListener } from "../../src/client/pipe.ts";
import { serveOn } from "../../src/server/server.ts";
import { Running } from "./running.ts";
import type { RunningOptions, Service } from "./running.ts";

/** How a client and a server may be connected. */
export type Way = "TCP" | "Unix" | "inside the process";

/** All of them. */
export const WAYS: readonly Way[] = ["TCP", "Unix", "inside the process"];

/** A running application with a client of it. */
export interface Served extends AsyncDisposable {
  client: FastCGIClient;
  running: Running;
  /** The connections the client made. */
  connections(): number;
  /** Asks for a path of it. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** Runs a service and a client of it. */
export function served(
  service: Service,
  { way = "TCP", client: clientOptions = {}, ...rest }: RunningOptions & {
    way?: Way;
    client?: FastCGIClientOptions;
  } = {},
): Served {
  const running = new Running(service, { ...rest, unix: way === "Unix" });
  const pipe = new PipeListener();
  const piped = running.app[serveOn](pipe);
  let connections = 0;
  const client = new FastCGIClient({
    connect(): Promise<Transport> {
      connections++;
      if (way === "inside the process") return pipe.connect();
      const addr = running.server.addr!;
      return addr.transport === "unix"
        ? Deno.connect({ transport: "unix", path: addr.path })
        : Deno.connect({ port: (addr as Deno.NetAddr).port });
    },
  }, clientOptions);
  return {
    client,
    running,
    connections: () => connections,
    fetch: (path, init) =>
      client.fetch(new Request(`http://test${path}`, init)),
    async [Symbol.asyncDispose]() {
      client.close();
      await piped.abort();
      await running[Symbol.asyncDispose]();
    },
  };
}
