// ErrorLines: FCGI_STDERR as lines of text. It comes cut at any byte, often
// without a line end, and from some servers a record for each write.

/** A line longer than this is told in pieces. */
const MAX_LINE_LENGTH = 64 * 1024;

/** Gathers the lines of one request. */
export class ErrorLines {
  readonly #tell: (line: string) => void;
  // Made with the first byte: most requests have none.
  #decoder: TextDecoder | null = null;
  #rest = "";

  /**
   * Creates a gatherer.
   *
   * @param tell Takes a line, without its end. What it throws is reported as
   * an uncaught error.
   */
  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /**
   * Takes the next bytes.
   *
   * @param buffer What holds them; free for reuse on return.
   * @param start Where they begin.
   * @param end Where they end, excluded.
   */
  push(buffer: Uint8Array, start: number, end: number): void {
    this.#decoder ??= new TextDecoder();
    this.#take(
      this.#decoder.decode(buffer.subarray(start, end), { stream: true }),
    );
  }

  /** Tells what is left. */
  end(): void {
    if (this.#decoder === null) return;
    this.#take(this.#decoder.decode());
    this.#line(this.#rest);
    this.#rest = "";
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) this.#line(line);
    if (this.#rest.length > MAX_LINE_LENGTH) {
      this.#line(this.#rest);
      this.#rest = "";
    }
  }

  #line(text: string): void {
    const line = text.replace(/\r$/, "");
    if (line === "") return;
    try {
      this.#tell(line);
    } catch (error) {
      // Here it would pass for a fault of the server.
      reportError(error);
    }
  }
}
