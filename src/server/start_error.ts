// Why a server could not start, in words a user can act on.

import { StartError } from "../errors.ts";

/**
 * Checks a permission without asking for it.
 *
 * @param descriptor The permission.
 * @param what What it is wanted for.
 * @param value What the flag is to be given.
 * @throws {StartError} `PERMISSION_MISSING`, naming the flag.
 */
export function requirePermission(
  descriptor: Deno.PermissionDescriptor,
  what: string,
  value: string,
): void {
  if (Deno.permissions.querySync(descriptor).state === "granted") return;
  throw new StartError(
    "PERMISSION_MISSING",
    `No permission to ${what}: add --allow-${descriptor.name}=${value}`,
  );
}

/**
 * Why listening failed, in words.
 *
 * @param error What the system said.
 * @param where The address.
 * @returns The error to throw.
 */
export function startError(error: unknown, where: string): StartError {
  const options = { cause: error };
  if (error instanceof Deno.errors.AddrInUse) {
    return new StartError(
      "ADDRESS_IN_USE",
      `Cannot listen on ${where}: the address is in use. Stop the program that has it, or choose another`,
      options,
    );
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return new StartError(
      "CANNOT_LISTEN",
      `Cannot listen on ${where}: this machine has no such address`,
      options,
    );
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return new StartError(
      "CANNOT_LISTEN",
      `Cannot listen on ${where}: the system refuses it to this user`,
      options,
    );
  }
  if (error instanceof Deno.errors.NotFound) {
    return new StartError(
      "CANNOT_LISTEN",
      `Cannot listen on ${where}: its directory does not exist`,
      options,
    );
  }
  const why = error instanceof Error ? error.message : String(error);
  return new StartError(
    "CANNOT_LISTEN",
    `Cannot listen on ${where}: ${why}`,
    options,
  );
}
