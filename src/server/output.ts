// Output: the response of one request, from what the application writes to
// records in the connection's output buffer. It knows what is to be sent;
// the connection knows when.
//
// Hot: a response that is complete when the service returns goes through
// `#whole`, which encodes header, body, end of stream and FCGI_END_REQUEST in
// one go, with no copy of the body before. Profiled with 64 connections: the
// text goes straight into the output (encoding it to bytes first cost 0.4 µs),
// and its length is taken for that of ASCII, which is checked while writing.

import type { HeaderBlock } from "../cgi/header_block.ts";
import {
  BODY_LENGTH,
  HEADER_LENGTH,
  MAX_CONTENT_LENGTH,
  ProtocolStatus,
  RecordType,
} from "../protocol/constants.ts";
import type { OutputBuffer } from "../protocol/encoder.ts";

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

/** Bytes of a response that may wait before `write` asks to be awaited. */
export const HIGH_WATER = 64 * 1024;

/** Bytes of log lines that wait for output to travel with. */
const ERROR_LOG_LIMIT = 256 * 1024;

/** Bytes of a record that are worth its header. */
const LEAST_ROOM = 1024;

/** Characters of a body, and bytes of a header, that surely fit one record. */
const WHOLE_LIMIT = 10 * 1024;

/** What ends a stream and a request, with nothing in them. */
const END_LENGTH = HEADER_LENGTH + HEADER_LENGTH + BODY_LENGTH;

/** In place of an array that most responses never need. */
const NONE: Uint8Array[] = [];
const NO_LINES: readonly string[] = [];

/** The response of one request. */
export class Output {
  readonly #id: number;
  #head: HeaderBlock | null = null;
  #isHeadSent = false;
  /** Strings written before anything else, joined; what follows is #chunks. */
  #text = "";
  #chunks: Uint8Array[] = NONE;
  #errors: Uint8Array[] = NONE;
  #errorBytes = 0;
  /** How far the first of #chunks has been sent. */
  #sent = 0;
  /** Bytes (of #text: characters) that wait. */
  queued = 0;
  /** Body bytes written so far, those of #text not counted. */
  #written = 0;
  /** Body bytes written that are not sent. */
  #dropped = 0;
  /** Body bytes that have left. */
  bodyBytes = 0;
  /** Whether no body is sent: HEAD, and some statuses. */
  hasNoBody = false;
  /** Whether a length is told of a body that is not sent: HEAD alone. */
  tellsLength = true;
  /** What may leave before the end: set by a flush, cleared once it has. */
  isFlushing = false;
  /** Whether the application has finished. */
  isFinished = false;
  /** The application status of FCGI_END_REQUEST. */
  appStatus = 0;
  /** The protocol status of FCGI_END_REQUEST. */
  protocolStatus: ProtocolStatus = ProtocolStatus.REQUEST_COMPLETE;

  /**
   * Creates the response of a request.
   *
   * @param id The request id.
   */
  constructor(id: number) {
    this.#id = id;
  }

  /** Whether any of it has left. */
  get isHeadSent(): boolean {
    return this.#isHeadSent;
  }

  /** The header block, null before it is known. */
  get head(): HeaderBlock | null {
    return this.#head;
  }

  /**
   * Fixes the header block.
   *
   * @param head The block.
   * @param hasNoBody Whether the status has none.
   * @throws {RangeError} Where the block is larger than a record.
   */
  begin(head: HeaderBlock, hasNoBody: boolean): void {
    if (head.maxLength > MAX_CONTENT_LENGTH) {
      throw new RangeError(
        `Cannot send a header of up to ${head.maxLength} bytes: it must fit into one record of ${MAX_CONTENT_LENGTH}`,
      );
    }
    this.#head = head;
    if (hasNoBody) {
      this.hasNoBody = true;
      this.tellsLength = false;
    }
  }

  /**
   * Adds to the body. More than the announced Content-Length is cut off.
   *
   * @param chunk A string, to be sent as UTF-8, or bytes.
   * @param isLent Whether bytes stay as they are until they were encoded.
   * @returns The bytes cut off.
   */
  push(chunk: string | Uint8Array, isLent = false): number {
    if (chunk.length === 0) return 0;
    const declared = this.#head?.contentLength ?? -1;
    if (typeof chunk === "string" && this.#written === 0 && declared < 0) {
      this.#text += chunk;
      this.queued = this.#text.length;
      return 0;
    }
    this.#encodeText();
    let bytes = typeof chunk === "string" ? textEncoder.encode(chunk) : chunk;
    const room = declared < 0 || this.hasNoBody
      ? Infinity
      : declared - this.#written;
    const excess = Math.max(0, bytes.length - room);
    if (excess > 0) bytes = bytes.subarray(0, bytes.length - excess);
    this.#written += bytes.length;
    this.#dropped += this.hasNoBody ? bytes.length : excess;
    if (!this.hasNoBody && bytes.length > 0) {
      this.queued += bytes.length;
      // Past the mark the caller waits until its bytes have been taken; before,
      // it may reuse them at once.
      const isOwn = isLent || typeof chunk === "string" ||
        this.queued > HIGH_WATER;
      this.#append(isOwn ? bytes : bytes.slice());
    }
    return excess;
  }

  /**
   * Whether so much was written, and dropped, since this was last asked that the
   * writer is to be held back all the same: nothing else would do it.
   */
  hasDropped(): boolean {
    if (this.#dropped <= HIGH_WATER) return false;
    this.#dropped = 0;
    return true;
  }

  #append(bytes: Uint8Array): void {
    if (this.#chunks === NONE) this.#chunks = [];
    this.#chunks.push(bytes);
  }

  /** Turns #text into bytes, which can be counted and split. */
  #encodeText(): void {
    if (this.#text === "") return;
    const bytes = textEncoder.encode(this.#text);
    this.#text = "";
    this.#written = bytes.length;
    this.queued = 0;
    if (this.hasNoBody) return;
    this.#append(bytes);
    this.queued = bytes.length;
  }

  /**
   * Adds a line to the error stream.
   *
   * @param line The line, without its end.
   * @returns Whether it will be sent; otherwise too many wait.
   */
  log(line: string): boolean {
    const bytes = textEncoder.encode(line + "\n");
    if (this.#errorBytes + bytes.length > ERROR_LOG_LIMIT) return false;
    if (this.#errors === NONE) this.#errors = [];
    this.#errors.push(bytes);
    this.#errorBytes += bytes.length;
    return true;
  }

  /**
   * Takes the lines of the error stream that found no output to travel with.
   *
   * @returns The lines, without their ends.
   */
  takeErrors(): readonly string[] {
    if (this.#errors.length === 0) return NO_LINES;
    const lines = this.#errors.map((line) =>
      textDecoder.decode(line).slice(0, -1)
    );
    this.#errors = NONE;
    return lines;
  }

  /** Drops what has not left, so that another response can take its place. */
  reset(): void {
    // What has left stays known.
    if (!this.#isHeadSent) this.#head = null;
    this.#text = "";
    this.#chunks = NONE;
    this.#sent = 0;
    this.queued = 0;
    this.#written = 0;
    this.hasNoBody = false;
    this.tellsLength = true;
    this.isFlushing = false;
  }

  /**
   * Bytes that the announced Content-Length promises beyond what was written.
   */
  get missing(): number {
    const declared = this.#head?.contentLength ?? -1;
    if (declared < 0 || this.hasNoBody) return 0;
    this.#encodeText();
    return declared - this.#written;
  }

  /** Whether anything may be sent now. */
  get isReady(): boolean {
    return this.isFinished || this.isFlushing;
  }

  /**
   * Encodes what may be sent.
   *
   * @param out Where to.
   * @param limit The length of `out` at which to stop.
   * @param mayEnd Whether FCGI_END_REQUEST may follow: the input is complete.
   * @returns `"more"` where `out` is full, `"ended"` once FCGI_END_REQUEST is
   * in it, otherwise `"idle"`.
   */
  encode(
    out: OutputBuffer,
    limit: number,
    mayEnd: boolean,
  ): "more" | "idle" | "ended" {
    if (!this.#isHeadSent) {
      if (this.#head === null) return "idle";
      if (
        this.isFinished && !this.hasNoBody && this.#errors.length === 0 &&
        this.#chunks.length === 0 && this.queued <= WHOLE_LIMIT &&
        this.#head.maxLength <= WHOLE_LIMIT
      ) {
        return this.#whole(out, mayEnd);
      }
      this.#begin(out, limit);
    }
    if (!this.#stream(out, limit)) return "more";
    if (!this.isFinished) {
      this.isFlushing = false;
      return "idle";
    }
    if (!mayEnd) return "idle";
    this.#writeErrors(out);
    this.#end(out);
    return "ended";
  }

  /** A short, complete response of one string, in one record. */
  #whole(out: OutputBuffer, mayEnd: boolean): "idle" | "ended" {
    const head = this.#head!;
    const text = this.#text;
    out.reserve(HEADER_LENGTH + head.maxLength + text.length + END_LENGTH);
    const start = out.length;
    out.header(RecordType.STDOUT, this.#id, 0);
    out.length = head.write(
      out.bytes,
      out.length,
      this.#lengthToTell(text.length),
    );
    if (out.text(text) === text.length) {
      setLength(out, start);
      this.bodyBytes = text.length;
      this.#text = "";
      this.queued = 0;
      this.#isHeadSent = true;
    } else {
      // Not ASCII after all: once more, with the length known.
      out.length = start;
      this.#begin(out, Infinity);
    }
    if (!mayEnd) return "idle";
    this.#end(out);
    return "ended";
  }

  /** The header block, with as much of the body as its record takes. */
  #begin(out: OutputBuffer, limit: number): void {
    const head = this.#head!;
    this.#encodeText();
    const start = out.length;
    out.header(RecordType.STDOUT, this.#id, 0);
    out.reserve(head.maxLength);
    const length = this.isFinished ? this.#written : -1;
    out.length = head.write(out.bytes, out.length, this.#lengthToTell(length));
    // The error stream has its place after the header and before the body.
    if (this.#errors.length === 0) {
      const content = out.length - start - HEADER_LENGTH;
      this.#take(
        out,
        Math.min(MAX_CONTENT_LENGTH - content, limit - out.length),
      );
    }
    setLength(out, start);
    this.#isHeadSent = true;
  }

  /** The Content-Length for the header: -1 for none. */
  #lengthToTell(complete: number): number {
    const declared = this.#head!.contentLength;
    if (declared >= 0) return declared;
    return this.isFinished && this.tellsLength ? complete : -1;
  }

  /** Sends what waits of the body; false where `out` is full. */
  #stream(out: OutputBuffer, limit: number): boolean {
    this.#encodeText();
    if (this.#chunks.length === 0) return true;
    let room = limit - out.length - HEADER_LENGTH;
    if (this.#errors.length > 0) {
      // However many they are, output follows them in the same write.
      this.#writeErrors(out);
      room = Math.max(room, LEAST_ROOM);
    }
    while (this.#chunks.length > 0) {
      if (room < LEAST_ROOM && room < this.queued) return false;
      const start = out.length;
      out.header(RecordType.STDOUT, this.#id, 0);
      this.#take(out, Math.min(MAX_CONTENT_LENGTH, room));
      setLength(out, start);
      room = limit - out.length - HEADER_LENGTH;
    }
    return true;
  }

  /** Moves up to so many bytes of the body into the record under way. */
  #take(out: OutputBuffer, most: number): void {
    let room = most;
    out.reserve(Math.max(0, Math.min(room, this.queued)));
    while (this.#chunks.length > 0 && room > 0) {
      const chunk = this.#chunks[0]!;
      const length = Math.min(room, chunk.length - this.#sent);
      out.bytes.set(
        chunk.subarray(this.#sent, this.#sent + length),
        out.length,
      );
      out.length += length;
      this.bodyBytes += length;
      this.#sent += length;
      this.queued -= length;
      room -= length;
      if (this.#sent === chunk.length) {
        this.#chunks.shift();
        this.#sent = 0;
      }
    }
  }

  #writeErrors(out: OutputBuffer): void {
    if (this.#errors.length === 0) return;
    for (const line of this.#errors) {
      out.stream(RecordType.STDERR, this.#id, line);
    }
    this.#errors = NONE;
    this.#errorBytes = 0;
  }

  #end(out: OutputBuffer): void {
    out.endResponse(this.#id, this.appStatus, this.protocolStatus);
  }
}

/** Fills in the content length of the record that begins at an offset. */
function setLength(out: OutputBuffer, start: number): void {
  const length = out.length - start - HEADER_LENGTH;
  out.bytes[start + 4] = length >>> 8;
  out.bytes[start + 5] = length;
}
