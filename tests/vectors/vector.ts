// The shape of a wire vector: the bytes of one connection, and what must come
// of them. See ../support/deliver.ts for the words of the events.

import type { Setup } from "../support/deliver.ts";
import {
  begin,
  bytes,
  concatLarge,
  pairs,
  PARAMS,
  stream,
} from "../support/wire.ts";

/** The bytes of one connection, and what must come of them. */
export interface Vector {
  /** Goes on after the name of what is tested. */
  name: string;
  bytes: Uint8Array;
  events: string[];
  /** Where it is not the default. */
  setup?: Partial<Setup>;
  /** Requests in flight at the end, 0 where left out. */
  inFlight?: number;
  /** Whether the bytes end within a record. */
  isCutOff?: boolean;
}

/**
 * Reads bytes written down: hexadecimal digits, blanks anywhere, and ASCII in
 * single quotes.
 *
 * @param text The text.
 * @returns The bytes.
 */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  const parts = text.split("'").map((part, i) => {
    if (i % 2 === 1) return bytes(part);
    const digits = part.replaceAll(/\s/g, "");
    if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`No bytes: ${part}`);
    return Uint8Array.from(
      digits.match(/../g) ?? [],
      (two) => parseInt(two, 16),
    );
  });
  return concatLarge(parts);
}

/** FCGI_BEGIN_REQUEST and whole FCGI_PARAMS. */
export function head(
  params: Record<string, string>,
  id = 1,
  role = 1,
): Uint8Array<ArrayBuffer> {
  return concatLarge([begin(id, { role }), stream(PARAMS, id, pairs(params))]);
}
