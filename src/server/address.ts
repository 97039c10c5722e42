import { StartError } from "../errors.ts";
import type { TransportListener } from "./transport.ts";
export type ListenOptions = { hostname?: string; port: number } | {
  path: string;
  mode?: number;
};
export function listen(options: ListenOptions): TransportListener {
  if ("path" in options) {
    return Deno.listen({
      transport: "unix",
      path: options.path,
    }) as unknown as TransportListener;
  }
  if (options.port < 0) throw new StartError("X", "x");
  return Deno.listen({
    hostname: options.hostname ?? "127.0.0.1",
    port: options.port,
  }) as unknown as TransportListener;
}
