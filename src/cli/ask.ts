// One question to a FastCGI server, and its answer as it comes: what `smisk get`
// prints and `smisk check` looks at.

import { ResponseHeaderReader } from "../cgi/response_header.ts";
import type { ResponseHeader } from "../cgi/response_header.ts";
import { FastCGIClient } from "../client/client.ts";
import type {
  ClientAddress,
  FastCGIEnd,
  FastCGIRole,
} from "../client/client.ts";
import { lengthMismatch, noHeader, timedOut } from "../client/faults.ts";
import { requestVariables } from "../client/variables.ts";

/** What is asked. */
export interface Question {
  /** The method. */
  readonly method: string;
  /** Path and query, or a whole URL. */
  readonly target: string;
  /** Headers, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Parameters in place of those made of the rest. */
  readonly params: Readonly<Record<string, string>>;
  /** The body, null for none. */
  readonly body: Uint8Array<ArrayBuffer> | null;
  /** The role. */
  readonly role: FastCGIRole;
  /** Milliseconds that may pass without a byte. */
  readonly timeoutMs: number;
  /** Milliseconds after which the rest of a body is not waited for. */
  readonly mostMs: number;
}

/** Who is told what comes. */
export interface Listener {
  /** The parameters are about to be sent. */
  params?(params: ReadonlyMap<string, string | Uint8Array>): void;
  /** The header, as it came and as it is understood. */
  header?(text: string, header: ResponseHeader): void | Promise<void>;
  /** A piece of the body. */
  body?(bytes: Uint8Array): void | Promise<void>;
  /** A line of the error stream. */
  stderr?(line: string): void;
}

/** How it was answered. */
export interface Answered {
  readonly header: ResponseHeader;
  /** The bytes of the header. */
  readonly headerBytes: number;
  /** The bytes of the body. */
  readonly bodyBytes: number;
  /** How it ended; null where that was not waited for. */
  readonly end: FastCGIEnd | null;
  /** Milliseconds to the end of the header, and of all. */
  readonly headerMs: number;
  readonly totalMs: number;
}

/** A header longer than that is not waited for. */
const MOST_HEADER_BYTES = 1024 * 1024;

/**
 * Asks.
 *
 * @param address Whom.
 * @param question What.
 * @param listener Who is told.
 * @returns How it was answered.
 * @throws {FastCgiError} As {@linkcode FastCGIClient.fetch}.
 */
export async function ask(
  address: ClientAddress,
  question: Question,
  listener: Listener,
): Promise<Answered> {
  const { timeoutMs } = question;
  await using client = new FastCGIClient(address, {
    connectTimeoutMs: timeoutMs,
    readTimeoutMs: timeoutMs,
    writeTimeoutMs: timeoutMs,
  });
  const params = paramsOf(question);
  listener.params?.(params);
  const began = performance.now();
  using errors = new ErrorText(listener.stderr ?? (() => {}));
  const enough = new AbortController();
  const { mostMs } = question;
  using _timer = later(mostMs, () =>
    enough.abort(
      timedOut(
        "READ_TIMEOUT",
        "The FastCGI server did not answer",
        "readTimeoutMs",
        mostMs,
      ),
    ));
  const { stdout, end } = await client.send(Object.fromEntries(params), {
    body: question.body,
    role: question.role,
    signal: enough.signal,
    onStderr: (bytes) => errors.take(bytes),
  });
  const reader = new ResponseHeaderReader(MOST_HEADER_BYTES);
  let text = "";
  let header: ResponseHeader | null = null;
  let headerMs = 0;
  let bodyBytes = 0;
  const takeBody = async (bytes: Uint8Array) => {
    if (bytes.length === 0) return;
    bodyBytes += bytes.length;
    await listener.body?.(bytes);
  };
  const read = async (): Promise<FastCGIEnd | null> => {
    for await (const chunk of stdout) {
      if (header !== null) {
        await takeBody(chunk);
        continue;
      }
      const at = reader.push(chunk, 0, chunk.length);
      text += latin1(at < 0 ? chunk : chunk.subarray(0, at));
      if (at < 0) continue;
      headerMs = performance.now() - began;
      header = reader.header();
      await listener.header?.(text, header);
      await takeBody(chunk.subarray(at));
    }
    return await end;
  };
  const ended = await read().catch((error) => {
    if (enough.signal.aborted && header !== null) return null;
    throw error;
  });
  const found = header as ResponseHeader | null;
  if (found === null) throw noHeader(ended!.appStatus, ended!.protocolStatus);
  if (ended !== null) checkLength(question, found, bodyBytes);
  return {
    header: found,
    headerBytes: text.length,
    bodyBytes,
    end: ended,
    headerMs,
    totalMs: performance.now() - began,
  };
}

/** Does something once, unless it is left before. */
function later(ms: number, act: () => void): Disposable {
  if (ms === Infinity) return { [Symbol.dispose]() {} };
  const timer = setTimeout(act, ms);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** A body that is cut short must not pass for a whole one. */
function checkLength(
  { method }: Question,
  { contentLength, status }: ResponseHeader,
  bodyBytes: number,
): void {
  const hasNone = method === "HEAD" || status === 204 || status === 304;
  if (hasNone || contentLength < 0 || contentLength === bodyBytes) return;
  throw lengthMismatch(contentLength, bodyBytes);
}

function paramsOf(question: Question): Map<string, string | Uint8Array> {
  const { body, headers, method, params } = question;
  // What is behind a # is the client's own.
  const [target] = question.target.split("#", 1) as [string];
  const isPath = target.startsWith("/");
  const isCookie = (name: string) => name.toLowerCase() === "cookie";
  const request = new Request(isPath ? `http://localhost${target}` : target, {
    method,
    headers: headers.filter(([name]) => !isCookie(name))
      .map(([name, value]): [string, string] => [name, value]),
  });
  // Several are one (RFC 6265, section 5.4), which is joined in its own way.
  const cookies = headers.filter(([name]) => isCookie(name));
  if (cookies.length > 0) {
    request.headers.set("cookie", cookies.map(([, value]) => value).join("; "));
  }
  // The address of a client on this machine, and the target as it was given.
  const standard: Record<string, string> = {
    REMOTE_ADDR: "127.0.0.1",
    REMOTE_PORT: "0",
  };
  if (isPath && /^[!-~]+$/.test(target)) standard.REQUEST_URI = target;
  return requestVariables(request, body === null ? null : body.length, {
    ...standard,
    ...params,
  });
}

/** Bytes of an error stream as lines. */
class ErrorText {
  readonly #tell: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  take(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true }))
      .split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) this.#tell(printable(line));
  }

  /** Tells the last line, which may have no end. */
  [Symbol.dispose](): void {
    const rest = this.#rest + this.#decoder.decode();
    if (rest !== "") this.#tell(printable(rest));
  }
}

/**
 * Text that is harmless to a terminal.
 *
 * @param text The text.
 * @returns The same, with control characters escaped.
 */
export function printable(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    (control) => {
      if (control === "\r") return "";
      const code = control.charCodeAt(0).toString(16);
      return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`;
    },
  );
}

/** A character per byte. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text;
}
