// Gathered: bytes that come in pieces of any size, in one array. Pieces by
// themselves would take a hundred bytes for each of one byte, and would keep the
// chunks that they are parts of.

/** Bytes joined to one array. */
export class Gathered {
  #room: Uint8Array<ArrayBuffer> = new Uint8Array(64);
  /** How many bytes there are. */
  length = 0;

  /**
   * Adds bytes; they are copied.
   *
   * @param bytes The bytes.
   */
  add(bytes: Uint8Array): void {
    const length = this.length + bytes.length;
    if (length > this.#room.length) {
      const grown = new Uint8Array(Math.max(length, this.#room.length * 2));
      grown.set(this.bytes);
      this.#room = grown;
    }
    this.#room.set(bytes, this.length);
    this.length = length;
  }

  /** The bytes so far. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#room.subarray(0, this.length);
  }
}
