// Bytes that the program under test sends and the tests expect, made on both
// sides: nothing of 200 MB is held.

import { createHash } from "node:crypto";
import { randomBytes, seeded } from "../support/random.ts";

const BLOCK_LENGTH = 64 * 1024;

/** Blocks of so many bytes in all, no two alike; each is valid until the next. */
export function* content(length: number): Generator<Uint8Array<ArrayBuffer>> {
  const block = randomBytes(seeded(length), BLOCK_LENGTH);
  const view = new DataView(block.buffer);
  for (let at = 0; at < length; at += BLOCK_LENGTH) {
    view.setUint32(0, at);
    yield block.subarray(0, Math.min(BLOCK_LENGTH, length - at));
  }
}

/** What tells two byte streams apart. */
export interface Digest {
  length: number;
  sha256: string;
}

/** The digest of blocks as they come. */
export async function digest(
  blocks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<Digest> {
  const hash = createHash("sha256");
  let length = 0;
  for await (const block of blocks) {
    hash.update(block);
    length += block.length;
  }
  return { length, sha256: hash.digest("hex") };
}
