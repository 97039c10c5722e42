// EndReader: FCGI_END_REQUEST (FastCGI 1.0, section 5.5), which may come in
// pieces as any record may.

import { BODY_LENGTH } from "../protocol/constants.ts";
import type { FastCGIEnd } from "./reply.ts";

/** Reads one after another; records do not overlap on a connection. */
export class EndReader {
  readonly #bytes = new Uint8Array(BODY_LENGTH);
  #length = 0;

  /**
   * Takes a piece.
   *
   * @param piece The bytes, valid during the call.
   * @param remaining How many of the record follow.
   * @returns What it says; null before its last byte, and undefined where it
   * is not of eight bytes.
   */
  take(piece: Uint8Array, remaining: number): FastCGIEnd | null | undefined {
    if (this.#length + piece.length + remaining !== BODY_LENGTH) {
      return undefined;
    }
    const bytes = this.#bytes;
    bytes.set(piece, this.#length);
    this.#length += piece.length;
    if (remaining > 0) return null;
    this.#length = 0;
    return {
      appStatus: (bytes[0]! << 24 | bytes[1]! << 16 | bytes[2]! << 8 |
        bytes[3]!) >>> 0,
      protocolStatus: bytes[4]!,
    };
  }
}
