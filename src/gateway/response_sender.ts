// Sends a web-standard Response: what is there whole in one go, a stream chunk
// by chunk.

import { HeaderBlock } from "../cgi/header_block.ts";
import type { ServiceResponse } from "../response.ts";
import type { Exchange } from "../server/exchange.ts";
import { readPublic } from "./runtime_response.ts";
import type { ReadResponse, ResponseParts } from "./runtime_response.ts";
import { drop, sendStream } from "./stream_sender.ts";

const EVENTS = /^text\/event-stream\s*(?:;|$)/i;

/** A header block and what it was made of. */
interface KnownHead {
  readonly status: number;
  readonly statusText: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly contentType: string | null;
  /** The bytes of a stream, null where they are not known. */
  readonly length: number | null;
  readonly head: HeaderBlock;
  /** Whether the body is of server-sent events. */
  readonly isEvents: boolean;
}

/** Sends the Responses of one application. */
export class ResponseSender {
  readonly #read: ReadResponse;
  // The runtime looks its global names up by a function, each time.
  readonly #Response = Response;
  readonly #ReadableStream = ReadableStream;
  /** The last header block: mostly, the next is the same. */
  #known: KnownHead | null = null;

  /**
   * Creates it.
   *
   * @param read How Responses are read; null for what is public alone.
   */
  constructor(read: ReadResponse | null) {
    this.#read = read ?? readPublic;
  }

  /**
   * Sends a Response.
   *
   * @param value What a handler returned.
   * @param exchange The request.
   * @param response Its response, not begun.
   * @returns Settles once a stream has ended; nothing where there is none.
   * @throws {TypeError} Where it cannot be sent; nothing has begun then.
   */
  send(
    value: unknown,
    exchange: Exchange,
    response: ServiceResponse,
  ): void | Promise<void> {
    const parts = value instanceof this.#Response
      ? this.#read(value)
      : isForeign(value)
      ? readPublic(value)
      : null;
    if (parts === null) {
      throw new TypeError(
        `Cannot answer with ${
          nameOf(value)
        }: a handler returns a Response, or a promise of one`,
      );
    }
    const { status, body } = parts;
    if (body instanceof this.#ReadableStream && !exchange.isOpen) {
      // It took too long: nobody is left to read it.
      return drop(exchange, body, exchange.abortReason);
    }
    checkParts(parts);
    const { head, isEvents } = this.#headOf(parts);
    try {
      response.beginWith(head, status);
    } catch (error) {
      // A header that is too long: nobody will read the stream.
      if (body instanceof this.#ReadableStream) drop(exchange, body, error);
      throw error;
    }
    if (typeof body === "string") {
      exchange.write(body);
      return;
    }
    return sendRest(exchange, body!, isEvents);
  }

  #headOf(parts: ResponseParts): KnownHead {
    const known = this.#known;
    if (known !== null && isOf(known, parts)) return known;
    return this.#known = makeHead(parts);
  }
}

/** Sends a body that is no string. */
function sendRest(
  exchange: Exchange,
  body:
    | Uint8Array<ArrayBuffer>
    | ReadableStream<Uint8Array<ArrayBuffer>>
    | null,
  isEvents: boolean,
): void | Promise<void> {
  const { output } = exchange;
  if (body === null) {
    // What a GET would bring is not known.
    if (exchange.isHead) output.tellsLength = false;
    return;
  }
  if (body instanceof Uint8Array) {
    exchange.write(body);
    return;
  }
  if (output.hasNoBody) {
    output.tellsLength = false;
    // Not waited for: it may take for ever, and nothing of it is sent.
    drop(exchange, body);
    return;
  }
  return sendStream(exchange, body, isEvents);
}

function checkParts({ status, body }: ResponseParts): void {
  if (status === 0) {
    throw new TypeError(
      "Cannot answer with Response.error(): it stands for a failed fetch, and has no status",
    );
  }
  if (status < 200) {
    throw new TypeError(
      `Cannot answer with status ${status}: FastCGI carries no interim responses and no upgrades, only 200 to 599`,
    );
  }
  if (body === undefined) {
    throw new TypeError(
      "Cannot send the body of a Response: it was read already, or its stream is locked to a reader",
    );
  }
}

/** Whether a value is a Response of another making, such as undici's. */
function isForeign(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === "[object Response]" &&
    (value as Response).headers?.[Symbol.iterator] !== undefined;
}

function nameOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = value.constructor?.name;
  return name ? `an object of class ${name}` : "an object";
}

function isOf(known: KnownHead, parts: ResponseParts): boolean {
  const { headers } = parts;
  if (
    known.status !== parts.status || known.statusText !== parts.statusText ||
    known.contentType !== parts.contentType ||
    known.length !== parts.length ||
    known.headers.length !== headers.length * 2
  ) return false;
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i]!;
    if (known.headers[i * 2] !== name || known.headers[i * 2 + 1] !== value) {
      return false;
    }
  }
  return true;
}

function makeHead(parts: ResponseParts): KnownHead {
  const { status, statusText, headers, contentType, length } = parts;
  const lines = joinHeaders(headers);
  if (contentType !== null) lines.push(["content-type", contentType]);
  const type = lines.find(([name]) => name === "content-type")?.[1] ?? "";
  if (length !== null && !lines.some(([name]) => name === "content-length")) {
    lines.push(["content-length", String(length)]);
  }
  const isEvents = EVENTS.test(type);
  if (isEvents && !lines.some(([name]) => name === "x-accel-buffering")) {
    // Otherwise nginx holds events back.
    lines.push(["x-accel-buffering", "no"]);
  }
  return {
    status,
    statusText,
    headers: headers.flat(),
    contentType,
    length,
    head: new HeaderBlock(status, statusText, lines),
    isEvents,
  };
}

/** Headers with their names in lower case, and repeated ones joined. */
function joinHeaders(
  headers: ResponseParts["headers"],
): [name: string, value: string][] {
  const lines: [string, string][] = [];
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    const before = lower === "set-cookie"
      ? undefined
      : lines.find(([name]) => name === lower);
    if (before === undefined) lines.push([lower, value]);
    else before[1] += `, ${value}`;
  }
  return lines;
}
