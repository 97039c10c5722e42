// WsgiInput: `wsgi.input`, the body of a request as a file of bytes.

import type { Exchange } from "../server/exchange.ts";
import type { WsgiInputStream } from "./wsgi_types.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const LINE_FEED = 10;

/** The body of one request. Reads begun at once are served one by one. */
export class WsgiInput implements WsgiInputStream {
  readonly #exchange: Exchange;
  /** What of the last chunk was not read. */
  #rest: Bytes = new Uint8Array(0);
  /** The bytes taken from the exchange. */
  #taken = 0;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Creates the input.
   *
   * @param exchange Whose body it reads.
   */
  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  read(size?: number): Promise<Bytes> {
    return this.#inTurn(() => {
      const most = checkSize("read", size);
      return most >= 0 ? this.#readUpTo(most, false) : this.#readAll();
    });
  }

  readline(size?: number): Promise<Bytes> {
    return this.#inTurn(() => this.#readLine(checkSize("readline", size)));
  }

  readlines(hint?: number): Promise<Bytes[]> {
    return this.#inTurn(async () => {
      const enough = checkSize("readlines", hint);
      const lines: Bytes[] = [];
      for (let length = 0; enough <= 0 || length < enough;) {
        const line = await this.#readLine(-1);
        if (line.length === 0) break;
        lines.push(line);
        length += line.length;
      }
      return lines;
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Bytes, void, undefined> {
    for (;;) {
      const line = await this.readline();
      if (line.length === 0) return;
      yield line;
    }
  }

  /** Two that wait for the same bytes would tear them apart. */
  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(read);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #readAll(): Promise<Bytes> {
    const rest = this.#rest;
    this.#rest = rest.subarray(rest.length);
    const { contentLength, input } = this.#exchange;
    const announced = contentLength < 0
      ? -1
      : Math.max(0, contentLength - this.#taken);
    const others = await input.all(announced);
    this.#taken += others.length;
    return rest.length === 0 ? others : join([rest, others]);
  }

  #readLine(size: number): Promise<Bytes> {
    return this.#readUpTo(size < 0 ? Infinity : size, true);
  }

  /** So many bytes, fewer at the end, or after a line feed where wanted. */
  async #readUpTo(size: number, isLine: boolean): Promise<Bytes> {
    const pieces: Bytes[] = [];
    let room = size;
    while (room > 0) {
      const chunk = await this.#next();
      if (chunk === null) break;
      let end = Math.min(room, chunk.length);
      if (isLine) {
        const at = chunk.indexOf(LINE_FEED);
        if (at >= 0 && at < end) {
          end = at + 1;
          room = end;
        }
      }
      room -= end;
      if (end === chunk.length) pieces.push(chunk);
      else {
        // A copy: what the caller does to it leaves the rest alone.
        pieces.push(chunk.slice(0, end));
        this.#rest = chunk.subarray(end);
      }
    }
    return pieces.length === 1 ? pieces[0]! : join(pieces);
  }

  async #next(): Promise<Bytes | null> {
    const rest = this.#rest;
    if (rest.length > 0) {
      this.#rest = rest.subarray(rest.length);
      return rest;
    }
    const chunk = await this.#exchange.input.read();
    this.#taken += chunk?.length ?? 0;
    return chunk;
  }
}

/** A size as Python's files take it: absent, null or negative is no bound. */
function checkSize(method: string, size: unknown): number {
  if (size === undefined || size === null) return -1;
  if (typeof size === "number" && Number.isInteger(size)) return size;
  throw new TypeError(
    `Cannot call wsgi.input.${method}() with ${
      typeof size === "number" ? size : `a value of type ${typeof size}`
    }: it takes a whole number of bytes, or nothing`,
  );
}

function join(pieces: readonly Bytes[]): Bytes {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
