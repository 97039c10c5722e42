// ClientExchange: one request on a connection, and the Response made of what
// comes. The connection is read only while somebody waits for the header or
// for the body, so that a slow reader slows the server.

import { ResponseHeaderReader } from "../cgi/response_header.ts";
import type { ResponseHeader } from "../cgi/response_header.ts";
import { isNullBodyStatus } from "../cgi/status.ts";
import { FastCgiError } from "../errors.ts";
import {
  HEADER_LENGTH,
  KEEP_CONN,
  ProtocolStatus,
  RecordType,
  Role,
} from "../protocol/constants.ts";
import { OutputBuffer } from "../protocol/encoder.ts";
import { REQUEST_ID } from "./connection.ts";
import type { ClientConnection, ResponseSink } from "./connection.ts";
import { ErrorLines } from "./error_lines.ts";
import type { RequestBody } from "./request_body.ts";

/** Sent in one write at the most: a large chunk is not copied as a whole. */
const WRITE_BYTES = 256 * 1024;

/** Bytes of a body nobody is to see that are read to keep a connection. */
const DROP_BYTES = 64 * 1024;

/** What an exchange is made of. */
export interface ExchangeParts {
  /** The connection, which carries nothing else. */
  connection: ClientConnection;
  /** The encoded variables. */
  variables: Uint8Array;
  /** The body, null for none. */
  body: RequestBody | null;
  /** Whether the method is HEAD. */
  isHead: boolean;
  /** Whether the server is asked to keep the connection open. */
  keepsConnection: boolean;
  /** The most bytes of the response's header. */
  maxHeaderBytes: number;
  /** Takes a line of FCGI_STDERR. */
  onStderr(line: string): void;
  /** Called once when nothing more comes; the connection may be closed. */
  finished(): void;
}

/** One request in flight. */
export class ClientExchange implements ResponseSink {
  readonly #parts: ExchangeParts;
  readonly #connection: ClientConnection;
  readonly #headerReader: ResponseHeaderReader;
  readonly #errorLines: ErrorLines;
  #header: ResponseHeader | null = null;
  #response: Response | null = null;
  #controller: ReadableByteStreamController | null = null;
  #received = 0;
  /** Whether body bytes were queued since the reader asked for some. */
  #hasQueued = false;
  #failure: { error: unknown } | null = null;
  #isEnded = false;
  /** Whether more is to be sent than the write under way. */
  #isSending = true;
  #isSent = false;
  #isFinished = false;

  /**
   * Takes a request and a connection.
   *
   * @param parts What it is made of.
   */
  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#connection = parts.connection;
    this.#headerReader = new ResponseHeaderReader(parts.maxHeaderBytes);
    this.#errorLines = new ErrorLines(parts.onStderr);
  }

  /** Whether the header of the answer has come. */
  get hasHeader(): boolean {
    return this.#header !== null;
  }

  /** Whether the caller has all there is of the answer: it has no body. */
  get isAnswered(): boolean {
    return this.#response !== null && this.#response.body === null;
  }

  /** Whether request and answer are whole: a next one may follow. */
  get isComplete(): boolean {
    return this.#isEnded && this.#isSent && this.#failure === null;
  }

  /**
   * Sends the request and waits for the header of its answer.
   *
   * @returns The response; its body streams.
   * @throws Why there is none.
   */
  async run(): Promise<Response> {
    this.#connection.begin(this);
    // Alongside, for an answer may come before the body has gone.
    this.#send().catch((error) => this.abort(error));
    while (this.#response === null) await this.#read();
    if (this.#response.body === null && !this.#isEnded) this.#drop();
    return this.#response;
  }

  /**
   * Gives the request up.
   *
   * @param reason What the caller, or who reads the body, is told.
   */
  abort(reason: unknown): void {
    if (this.#isFinished) return;
    if (!this.#isEnded) this.#connection.abort();
    this.#fail(reason);
  }

  // The request

  async #send(): Promise<void> {
    const { body, variables, keepsConnection } = this.#parts;
    const out = new OutputBuffer(variables.length + 8 * HEADER_LENGTH);
    out.beginRequest(
      REQUEST_ID,
      Role.RESPONDER,
      keepsConnection ? KEEP_CONN : 0,
    );
    out.stream(RecordType.PARAMS, REQUEST_ID, variables);
    out.endStream(RecordType.PARAMS, REQUEST_ID);
    if (body === null || body.length === 0) {
      await this.#sendEnd(out);
    } else if (body.isAtHand || await this.#write(out)) {
      // The service starts with the variables; its body may be waited for.
      await this.#sendBody(out, body);
    }
  }

  async #sendBody(out: OutputBuffer, body: RequestBody): Promise<void> {
    const { length } = body;
    let sent = 0;
    for await (const chunk of body.chunks()) {
      for (let at = 0; at < chunk.length; at += WRITE_BYTES) {
        const end = Math.min(chunk.length, at + WRITE_BYTES);
        sent += end - at;
        if (length >= 0 && sent > length) throw wrongLength(length, "more");
        out.stream(RecordType.STDIN, REQUEST_ID, chunk, at, end);
        // The end leaves with the last byte: the answer need not wait until
        // the source says that there is no more.
        if (sent === length) await this.#sendEnd(out);
        else if (!await this.#write(out)) return;
      }
    }
    if (this.#isFinished || this.#isSent) return;
    if (length >= 0) throw wrongLength(length, `${sent}`);
    await this.#sendEnd(out);
  }

  /** Writes what is encoded, and the end of FCGI_STDIN. */
  async #sendEnd(out: OutputBuffer): Promise<void> {
    out.endStream(RecordType.STDIN, REQUEST_ID);
    this.#isSending = false;
    this.#isSent = await this.#write(out);
  }

  /** Writes what is encoded; false where it is in vain. */
  async #write(out: OutputBuffer): Promise<boolean> {
    if (this.#isFinished) return false;
    const isWritten = await this.#connection.write(
      out.bytes.subarray(0, out.length),
    );
    out.clear();
    // Where the server takes no more, it may have answered all the same:
    // reading tells.
    return isWritten && !this.#isFinished;
  }

  // The answer

  /** @ignore */
  output(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.#header === null) {
      at = this.#headerReader.push(buffer, start, end);
      if (at < 0) return;
      this.#begin(this.#headerReader.header());
    }
    if (at === end) return;
    this.#received += end - at;
    const { contentLength } = this.#header!;
    if (this.#controller === null) {
      // Nobody sees it: it is worth so much, and no more, to keep the
      // connection.
      if (this.#received > DROP_BYTES) this.#connection.close();
    } else if (contentLength >= 0 && this.#received > contentLength) {
      throw lengthMismatch(contentLength, this.#received);
    } else {
      this.#hasQueued = true;
      this.#controller.enqueue(buffer.slice(at, end));
    }
  }

  /** @ignore */
  errorOutput(buffer: Uint8Array, start: number, end: number): void {
    this.#errorLines.push(buffer, start, end);
  }

  /** @ignore */
  ended(appStatus: number, protocolStatus: number): void {
    this.#isEnded = true;
    this.#errorLines.end();
    const controller = this.#controller;
    if (this.#header === null) {
      this.#fail(noHeader(appStatus, protocolStatus));
    } else if (controller !== null) {
      const { contentLength } = this.#header;
      if (contentLength >= 0 && this.#received < contentLength) {
        this.#fail(lengthMismatch(contentLength, this.#received));
      } else {
        controller.close();
        controller.byobRequest?.respond(0);
      }
    }
  }

  #begin(header: ResponseHeader): void {
    const { status, statusText, headers } = header;
    const isBodyless = this.#parts.isHead || isNullBodyStatus(status);
    const body = isBodyless ? null : new ReadableStream<Uint8Array>({
      type: "bytes",
      start: (controller) => {
        this.#controller = controller as ReadableByteStreamController;
      },
      pull: () => this.#pull(),
      cancel: (reason) => this.abort(reason),
    });
    this.#header = header;
    this.#response = new Response(body, {
      status,
      statusText,
      headers: headers.map(([name, value]): [string, string] => [name, value]),
    });
  }

  async #pull(): Promise<void> {
    this.#hasQueued = false;
    while (!this.#hasQueued && !this.#isEnded) await this.#read();
  }

  /** Reads the rest of an answer that is out already. */
  async #drop(): Promise<void> {
    try {
      while (!this.#isEnded) await this.#read();
    } catch {
      // The caller has a whole response: nobody is left to tell.
    }
  }

  async #read(): Promise<void> {
    this.#throwIfFailed();
    try {
      const hasCome = await this.#connection.read();
      if (!hasCome && !this.#isEnded) {
        this.#fail(closedEarly(this.#header !== null));
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#throwIfFailed();
    if (this.#isEnded) this.#finish();
  }

  #throwIfFailed(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  #fail(error: unknown): void {
    if (this.#isFinished) return;
    this.#failure = { error };
    this.#controller?.error(error);
    this.#finish();
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    const { finished } = this.#parts;
    if (this.#failure !== null || this.#isSent || this.#isSending) finished();
    // An answer may be seen before the write that led to it is known to be
    // over: it gets one turn of the event loop.
    else setTimeout(finished, 0);
  }
}

function closedEarly(hasHeader: boolean): FastCgiError {
  return new FastCgiError(
    "CLOSED",
    `The FastCGI server closed the connection before ${
      hasHeader
        ? "the end of its response (FCGI_END_REQUEST)"
        : "the header of its response was complete"
    }`,
    { status: 502 },
  );
}

function wrongLength(announced: number, sent: string): TypeError {
  return new TypeError(
    `Cannot send a body of ${sent} bytes: its Content-Length says ${announced}`,
  );
}

function lengthMismatch(announced: number, received: number): FastCgiError {
  return new FastCgiError(
    "BAD_RESPONSE",
    `The FastCGI server sent a body of ${received} bytes: its Content-Length says ${announced}`,
    { status: 502 },
  );
}

function noHeader(appStatus: number, protocolStatus: number): FastCgiError {
  switch (protocolStatus) {
    case ProtocolStatus.OVERLOADED:
    case ProtocolStatus.CANT_MPX_CONN:
      return new FastCgiError(
        "OVERLOADED",
        "The FastCGI server refused the request: it has too many (FCGI_OVERLOADED)",
        { status: 503 },
      );
    case ProtocolStatus.UNKNOWN_ROLE:
      return new FastCgiError(
        "UNKNOWN_ROLE",
        "The FastCGI server refused the request: it is no Responder (FCGI_UNKNOWN_ROLE)",
        { status: 502 },
      );
    default:
      return new FastCgiError(
        "BAD_RESPONSE",
        `The FastCGI server ended the request without a response header (application status ${appStatus})`,
        { status: 502 },
      );
  }
}
