// Pieces: a response as it comes.

import { within } from "../support/peer.ts";

/** Reads a response piece by piece. */
export class Pieces {
  readonly #reader: ReadableStreamDefaultReader<string>;
  /** What came so far. */
  text = "";

  constructor(response: Response) {
    this.#reader = response.body!.pipeThrough(
      new TextDecoderStream() as TransformStream<Uint8Array, string>,
    ).getReader();
  }

  /** Reads until the text holds a part, or to the end without one. */
  async until(part?: string): Promise<string> {
    while (part === undefined || !this.text.includes(part)) {
      const { done, value } = await within(
        this.#reader.read(),
        `"${part ?? "the end"}" after "${this.text}"`,
      );
      if (done) {
        if (part !== undefined) throw new Error(`Ended with "${this.text}"`);
        break;
      }
      this.text += value;
    }
    return this.text;
  }

  /** Goes away. */
  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}
