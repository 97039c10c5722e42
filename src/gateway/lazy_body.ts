// The body of a lazy Request: no stream is made of what is read whole, and
// nothing is read before it is asked for.

import type { Exchange } from "../server/exchange.ts";
import type { InnerBody, InnerBodyClass } from "./runtime_request.ts";

/** Stands for what is made when it is first asked for. */
const UNREAD: unknown = { body: "", consumed: false };

const EMPTY = new Uint8Array(0);

/** Makes the body of a request. */
export type MakeBody = (exchange: Exchange) => InnerBody;

/**
 * Makes a class of bodies that are read from exchanges.
 *
 * @param Body The runtime's class of bodies.
 * @returns What makes one.
 */
export function bodyMaker(Body: InnerBodyClass): MakeBody {
  class LazyBody extends Body {
    readonly #exchange: Exchange;
    #content: unknown = null;

    constructor(exchange: Exchange) {
      super(UNREAD);
      this.#exchange = exchange;
      const { contentLength } = exchange;
      if (contentLength >= 0) this.length = contentLength;
    }

    /** What the runtime takes for a field, and mostly does not read. */
    override get streamOrStatic(): unknown {
      return this.#content ??= streamOf(this.#exchange);
    }
    override set streamOrStatic(content: unknown) {
      // The runtime's constructor sets it before there is a field.
      if (content !== UNREAD) this.#content = content;
    }

    override consumed(): boolean {
      return this.#content !== null && super.consumed();
    }

    override unusable(): boolean {
      return this.#content !== null && super.unusable();
    }

    override consume(): unknown {
      if (this.#content !== null) return super.consume();
      this.#content = { body: EMPTY, consumed: true };
      const { input, contentLength } = this.#exchange;
      return input.all(contentLength);
    }
  }
  return (exchange) => new LazyBody(exchange);
}

/**
 * The body of a request as a stream of bytes.
 *
 * @param exchange The request.
 * @returns The stream.
 */
export function streamOf(
  exchange: Exchange,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { input } = exchange;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const chunk = await input.read();
      if (chunk !== null) {
        controller.enqueue(chunk);
        return;
      }
      controller.close();
      // Who reads into a buffer of their own waits for it to come back.
      controller.byobRequest?.respond(0);
    },
    cancel() {
      input.discard();
    },
  });
}
