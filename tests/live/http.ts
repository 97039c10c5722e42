// HTTP/1.1 as bytes: for requests that `fetch` does not send as they are, and
// for answers that it does not tell apart.

import { latin1 } from "../support/ask.ts";
import { within } from "../support/peer.ts";
import { concatLarge } from "../support/wire.ts";
import { Control } from "./control.ts";

/** An answer, as it came. */
export interface RawAnswer {
  status: number;
  reason: string;
  /** In the order sent, names in lower case. */
  headers: [name: string, value: string][];
  text: string;
  /** Whether its framing says that all of it came. */
  isWhole: boolean;
}

/** The values of a header. */
export function valuesOf(answer: RawAnswer, name: string): string[] {
  return answer.headers.filter(([other]) => other === name)
    .map(([, value]) => value);
}

/** What an answer in JSON says. */
// deno-lint-ignore no-explicit-any
export function jsonOf({ text }: RawAnswer): any {
  return JSON.parse(new TextDecoder().decode(latin1(text)));
}

/** A connection of a client. */
export class RawClient implements Disposable {
  readonly #conn: Deno.TcpConn;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects to a port of this machine. */
  static async to(port: number): Promise<RawClient> {
    return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends text, a byte per character, or bytes. */
  async send(content: string | Uint8Array): Promise<void> {
    const bytes = typeof content === "string" ? latin1(content) : content;
    for (let at = 0; at < bytes.length;) {
      at += await within(
        this.#conn.write(bytes.subarray(at)),
        "a request to be taken",
      );
    }
  }

  /** Reads what comes next, an empty string at the end. */
  async read(): Promise<string> {
    const buffer = new Uint8Array(64 * 1024);
    const n = await within(this.#conn.read(buffer), "an answer");
    return n === null ? "" : text(buffer.subarray(0, n));
  }

  /** Reads to the end of the connection. */
  async toEnd(): Promise<string> {
    const parts: Uint8Array[] = [];
    try {
      for await (const part of timely(this.#conn.readable)) parts.push(part);
    } catch (error) {
      // Some reset the connection of what they broke off.
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
    return text(concatLarge(parts));
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // Closed already, by its reader.
    }
  }
}

/**
 * Asks for a response that begins and then breaks off, once some of it came:
 * `/error` with more of a query.
 */
export async function askBroken(
  port: number,
  query = "",
): Promise<RawAnswer> {
  using control = new Control();
  using client = await RawClient.to(port);
  await client.send(
    requestLines(`GET /error?${control.query}${query} HTTP/1.1`, [
      `Host: 127.0.0.1:${port}`,
    ]),
  );
  const line = await control.line();
  let begun = "";
  while (!begun.includes("begun")) {
    const text = await client.read();
    if (text === "") throw new Error(`Ended with "${begun}"`);
    begun += text;
  }
  await line.say("go on");
  return readAnswer(begun + await client.toEnd());
}

/** Sends one request, which must ask to close, and reads its answer. */
export async function askRaw(
  port: number,
  request: string | Uint8Array,
): Promise<RawAnswer> {
  using client = await RawClient.to(port);
  await client.send(request);
  return readAnswer(await client.toEnd());
}

/** The lines of a request without a body, which ends its connection. */
export function requestLines(
  first: string,
  headers: readonly string[] = [],
): string {
  return [first, "Connection: close", ...headers, "", ""].join("\r\n");
}

/** Reads an answer of which nothing more will come. */
export function readAnswer(content: string): RawAnswer {
  const headEnd = content.indexOf("\r\n\r\n");
  if (/^HTTP\/1\.1 1\d\d /.test(content)) {
    return readAnswer(content.slice(headEnd + 4));
  }
  if (headEnd < 0) {
    return { status: 0, reason: "", headers: [], text: "", isWhole: false };
  }
  const [first, ...lines] = content.slice(0, headEnd).split("\r\n");
  const [, status, reason] = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(first!) ?? [];
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const answer = { status: Number(status), reason: reason ?? "", headers };
  const rest = content.slice(headEnd + 4);
  const named = (name: string) => valuesOf({ ...answer, ...NO_BODY }, name)[0];
  if (named("transfer-encoding")?.toLowerCase() === "chunked") {
    return { ...answer, ...readChunks(rest) };
  }
  const length = named("content-length");
  const isWhole = length === undefined || rest.length === Number(length);
  return { ...answer, text: rest, isWhole };
}

const NO_BODY = { text: "", isWhole: true };

/** Reads a chunked body (RFC 9112, section 7.1). */
function readChunks(content: string): { text: string; isWhole: boolean } {
  let text = "";
  for (let at = 0;;) {
    const lineEnd = content.indexOf("\r\n", at);
    const size = Number.parseInt(content.slice(at, lineEnd), 16);
    if (lineEnd < 0 || Number.isNaN(size)) return { text, isWhole: false };
    if (size === 0) return { text, isWhole: true };
    const start = lineEnd + 2;
    text += content.slice(start, start + size);
    at = start + size + 2;
  }
}

/** Bytes, a character each. */
function text(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}

/** What a stream brings, none of it too late. */
async function* timely(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await within(reader.read(), "the rest to come");
    if (done) return;
    yield value;
  }
}
