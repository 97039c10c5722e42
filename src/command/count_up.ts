// Addresses counted up, for --spawn: the next ports, or numbers behind a path.

import { StartError } from "../errors.ts";
import type { ListenOptions } from "../server/listen_options.ts";

/** The last port that there is. */
const LAST_PORT = 0xffff;

/**
 * Counts addresses up: a port, the next and so on; a path, and the same with
 * `.1` and so on behind it.
 *
 * @param addresses The first of each.
 * @param count How many of each; null for the first alone.
 * @returns Each step: the next of every address.
 * @throws {StartError} `BAD_ARGUMENT` at a descriptor, and past the last port.
 */
export function countUp(
  addresses: readonly ListenOptions[],
  count: number | null,
): ListenOptions[][] {
  if (count === null) return [[...addresses]];
  return Array.from({ length: count }, (_, i) =>
    addresses.map((address) => {
      if ("fd" in address) throw noneToCount(address.fd);
      if ("path" in address) {
        return { ...address, path: address.path + (i === 0 ? "" : `.${i}`) };
      }
      // Any free port is another one each time.
      const port = address.port && address.port + i;
      if (port <= LAST_PORT) return { ...address, port };
      throw new StartError(
        "BAD_ARGUMENT",
        `--spawn counts ports up from ${address.port} to ${port}, and ${LAST_PORT} is the last: begin lower`,
      );
    }));
}

/**
 * The error of an address that cannot be counted up.
 *
 * @param fd The descriptor it is.
 * @returns It, to be thrown.
 */
export function noneToCount(fd: number): StartError {
  return new StartError(
    "BAD_ARGUMENT",
    `--spawn counts addresses up, and descriptor ${fd} is none: add --bind`,
  );
}
