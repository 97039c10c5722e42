// WsgiErrors: `wsgi.errors`, text in pieces made into lines of the log.

import type { ServiceRequest } from "../request.ts";
import type { WsgiErrorStream } from "./wsgi_types.ts";

/** The error stream of one request. */
export class WsgiErrors implements WsgiErrorStream {
  readonly #request: ServiceRequest;
  #line = "";
  #isEnded = false;

  /**
   * Creates the stream.
   *
   * @param request Whose it is.
   */
  constructor(request: ServiceRequest) {
    this.#request = request;
  }

  write(text: string): void {
    if (typeof text !== "string") {
      throw new TypeError(
        `Cannot write a value of type ${typeof text} to wsgi.errors: it takes a string`,
      );
    }
    const lines = (this.#line + text).split("\n");
    this.#line = lines.pop()!;
    for (const line of lines) this.#log(line);
    // Nothing more will come that would end the line.
    if (this.#isEnded) this.flush();
  }

  writelines(lines: Iterable<string>): void {
    for (const line of lines) this.write(line);
  }

  flush(): void {
    if (this.#line === "") return;
    const line = this.#line;
    this.#line = "";
    this.#log(line);
  }

  #log(line: string): void {
    this.#request.log(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  /** The response is about to end: what was begun is a line. */
  end(): void {
    this.#isEnded = true;
    this.flush();
  }
}
