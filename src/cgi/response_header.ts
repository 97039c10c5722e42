// ResponseHeaderReader: the header of a CGI response (RFC 3875, section 6)
// from bytes to words, for whoever plays the web server.
//
// Strict where servers are: what nginx, Apache or HAProxy refuse, such as a
// blank before the colon, is refused here. A line may end with a bare line
// feed, and a status may lack its reason, for programs write so.

import { LimitError, ProtocolError } from "../errors.ts";
import { isHopByHop } from "./header_block.ts";
import { reasonPhrase } from "./status.ts";
import { stripBlanks } from "./variables.ts";

/** A CGI response header, as HTTP has it. */
export interface ResponseHeader {
  /** The status, 200 to 599. */
  readonly status: number;
  /** The reason phrase, the registered one where none was sent. */
  readonly statusText: string;
  /**
   * The headers in the order sent, without `Status` and without hop-by-hop
   * ones, each character of a value one byte.
   */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The value of Content-Length, -1 where there is none. */
  readonly contentLength: number;
}

const LF = 10;
const CR = 13;

/** Reads one header as its bytes come. */
export class ResponseHeaderReader {
  readonly #maxBytes: number;
  #text = "";
  #isLineEmpty = true;

  /**
   * Creates a reader.
   *
   * @param maxBytes The most bytes a header may have.
   */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next bytes.
   *
   * @param buffer What holds them; free for reuse on return.
   * @param start Where they begin.
   * @param end Where they end, excluded.
   * @returns The offset after the empty line that ends the header; -1 where it
   * has not come.
   * @throws {LimitError} `HEADER_TOO_LARGE`, status 502, past the limit.
   */
  push(buffer: Uint8Array, start: number, end: number): number {
    const room = this.#maxBytes - this.#text.length;
    const last = Math.min(end, start + room);
    let isLineEmpty = this.#isLineEmpty;
    for (let at = start; at < last; at++) {
      const byte = buffer[at];
      if (byte === LF) {
        if (isLineEmpty) {
          this.#text += latin1(buffer, start, at + 1);
          return at + 1;
        }
        isLineEmpty = true;
      } else if (byte !== CR) isLineEmpty = false;
    }
    if (end - start > room) {
      throw new LimitError(
        "HEADER_TOO_LARGE",
        `The response header is more than the ${this.#maxBytes} bytes that maxHeaderBytes allows`,
        this.#maxBytes,
        this.#text.length + end - start,
        { status: 502 },
      );
    }
    this.#text += latin1(buffer, start, end);
    this.#isLineEmpty = isLineEmpty;
    return -1;
  }

  /**
   * What the header says, once it is complete.
   *
   * @returns It.
   * @throws {ProtocolError} `BAD_RESPONSE`, status 502, where it is malformed.
   */
  header(): ResponseHeader {
    return parseResponseHeader(this.#text);
  }
}

/** Not `TextDecoder`, whose "latin1" is windows-1252. */
function latin1(buffer: Uint8Array, start: number, end: number): string {
  let text = "";
  // As arguments of one call: so many at a time fit on any stack.
  for (let at = start; at < end; at += 4096) {
    const part = buffer.subarray(at, Math.min(end, at + 4096));
    text += String.fromCharCode(...part);
  }
  return text;
}

/** A field line (RFC 9110, section 5.5), blanks around the value included. */
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)$/;

/** A line that goes on with the value of the one before. */
const FOLD = /^[ \t][\t\x20-\x7e\x80-\xff]*$/;

function parseResponseHeader(text: string): ResponseHeader {
  const fields: [name: string, value: string][] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line === "") continue;
    const last = fields.at(-1);
    if (FOLD.test(line) && last !== undefined) {
      // Folding is obsolete; programs that fold mean a blank.
      last[1] += ` ${stripBlanks(line)}`;
      continue;
    }
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined) throw bad(`the line ${quote(line)} is no header`);
    fields.push([name.toLowerCase(), stripBlanks(value!)]);
  }
  let status = -1;
  let statusText = "";
  let contentLength = -1;
  let hasLocation = false;
  const headers: [name: string, value: string][] = [];
  for (const [name, value] of fields) {
    if (name === "status") {
      const [, digits, reason] = /^([2-5]\d\d)(?:[ \t]+(.*))?$/.exec(value) ??
        [];
      if (digits === undefined) {
        throw bad(`the status ${quote(value)} is none of 200 to 599`);
      }
      status = Number(digits);
      statusText = reason ?? "";
      continue;
    }
    if (isHopByHop(name)) continue;
    if (name === "content-length") {
      const length = /^\d{1,15}$/.test(value) ? Number(value) : -1;
      if (length < 0 || (contentLength >= 0 && contentLength !== length)) {
        throw bad(`the Content-Length ${quote(value)} is no length`);
      }
      if (contentLength >= 0) continue;
      contentLength = length;
    }
    hasLocation ||= name === "location";
    headers.push([name, value]);
  }
  if (status < 0) status = hasLocation ? 302 : 200;
  return {
    status,
    statusText: statusText || reasonPhrase(status),
    headers,
    contentLength,
  };
}

function bad(why: string): ProtocolError {
  return new ProtocolError(
    "BAD_RESPONSE",
    `The response header is malformed: ${why}`,
    0,
    0,
    { status: 502 },
  );
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
