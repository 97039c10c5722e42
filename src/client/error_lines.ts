// ErrorLines: FCGI_STDERR as lines of text. It comes cut at any byte, often
// without a line end, and from some servers a record for each write.

import type { StderrTaker } from "./exchange.ts";

/** A line longer than this is told in pieces. */
const MAX_LINE_LENGTH = 64 * 1024;

/** Gathers the lines of one request. */
export class ErrorLines implements StderrTaker {
  readonly #tell: (line: string) => void;
  readonly #most: number;
  #length = 0;
  // Made with the first byte: most requests have none.
  #decoder: TextDecoder | null = null;
  #rest = "";

  /**
   * Creates a gatherer.
   *
   * @param tell Takes a line, without its end. What it throws is reported as
   * an uncaught error.
   * @param most The most bytes that are told; a last line says that there were
   * more.
   */
  constructor(tell: (line: string) => void, most: number) {
    this.#tell = tell;
    this.#most = most;
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
    const last = Math.min(end, start + this.#most - this.#length);
    this.#length += end - start;
    if (last > start) {
      this.#take(
        this.#decoder.decode(buffer.subarray(start, last), { stream: true }),
      );
    }
  }

  /** Tells what is left. May be called again. */
  end(): void {
    if (this.#decoder === null) return;
    this.#take(this.#decoder.decode());
    this.#line(this.#rest);
    if (this.#length > this.#most) {
      this.#line(
        `(The rest of ${this.#length} bytes is left out: maxStderrBytes is ${this.#most})`,
      );
    }
    this.#rest = "";
    this.#length = 0;
    this.#decoder = null;
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

/** Bytes of FCGI_STDERR as they come. */
export class ErrorBytes implements StderrTaker {
  readonly #tell: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly #most: number;
  #length = 0;

  /**
   * Creates a taker.
   *
   * @param tell Takes bytes, its own. What it throws is reported as an
   * uncaught error.
   * @param most The most bytes that are told; the rest is left out.
   */
  constructor(tell: (bytes: Uint8Array<ArrayBuffer>) => void, most: number) {
    this.#tell = tell;
    this.#most = most;
  }

  /**
   * Takes the next bytes.
   *
   * @param buffer What holds them; free for reuse on return.
   * @param start Where they begin.
   * @param end Where they end, excluded.
   */
  push(buffer: Uint8Array, start: number, end: number): void {
    const last = Math.min(end, start + this.#most - this.#length);
    this.#length += end - start;
    if (last <= start) return;
    try {
      this.#tell(buffer.slice(start, last) as Uint8Array<ArrayBuffer>);
    } catch (error) {
      reportError(error);
    }
  }

  /** Nothing is held back, so that nothing is left. */
  end(): void {}
}

/**
 * Writes a line of a server to the console. What it says is not trusted:
 * control characters, which a terminal would obey, are escaped.
 *
 * @param line The line.
 */
export function printLine(line: string): void {
  console.error(
    // deno-lint-ignore no-control-regex
    line.replace(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/g, (character) => {
      const code = character.charCodeAt(0).toString(16).padStart(2, "0");
      return `\\x${code}`;
    }),
  );
}
