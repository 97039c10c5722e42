// sendFile(): a file as the answer to a request: handed to the web server where
// it may be, otherwise sent in large pieces, the next being read while one is
// written. It knows the response by an interface, and closes what it opens.

import type { HandOver } from "../options.ts";
import { evaluateConditions, mayBeRanges } from "./conditions.ts";
import type { Validators } from "./conditions.ts";
import { attachment } from "./content_disposition.ts";
import { handOverHeader } from "./hand_over.ts";
import { mediaTypeOf } from "./media_types.ts";
import { OpenedFile } from "./opened_file.ts";
import type { SendFileOptions } from "./options.ts";
import { pathBelow, pathOf } from "./paths.ts";
import { contentRange, frameRanges, parseRanges } from "./ranges.ts";
import type { ByteRange } from "./ranges.ts";

/** The response, as it is seen from here. */
export interface FileResponse {
  /** The status. */
  status: number;
  /** The headers. */
  readonly headers: Headers;
  /** Fixes status and headers. */
  begin(): void;
  /** Writes bytes, which must not change until it settles. */
  write(bytes: Uint8Array): Promise<void>;
}

/** The request that is answered, and what the application says. */
export interface FileRequest {
  /** Whether it is one for a page: in the Responder role. */
  readonly isResponder: boolean;
  /** The Content-Type of a response that sets none. */
  readonly defaultType: string;
  /** Where web servers may send files from. */
  readonly handOver: HandOver | null;
  /** A parameter. */
  param(name: string): string | null;
  /** Whether a session may add a cookie when the response begins. */
  mayAddCookie(): boolean;
  /** Whether the file is still waited for: not once the client has gone. */
  isWanted(): boolean;
  /** Fails with the reason why it is not, where that is the client's. */
  giveUp(): Promise<void>;
}

/**
 * Bytes read at once; each file on its way has twice that. Measured: of 64 KiB,
 * which are copied once more, a file takes half as long again; of more, no less.
 */
const PIECE_LENGTH = 128 * 1024;

/**
 * Answers with a file.
 *
 * @param response The response, which has not begun.
 * @param request The request.
 * @param path The file's path.
 * @param options What else is said of it.
 */
export async function sendFile(
  response: FileResponse,
  request: FileRequest,
  path: string | URL,
  options: SendFileOptions,
): Promise<void> {
  const { root, dotFiles = false } = options;
  const directory = root === undefined ? null : pathOf(root);
  const file = await OpenedFile.open(
    directory === null ? pathOf(path) : pathBelow(directory, path, dotFiles),
    directory,
  );
  try {
    if (!request.isWanted()) return await request.giveUp();
    describe(response.headers, file, request, options);
    if (options.handOver !== false && await handOver(response, request, file)) {
      return;
    }
    if (!request.isWanted()) return await request.giveUp();
    await answer(response, request, file, options);
  } finally {
    file.close();
  }
}

/** Sets what is said of a file, whoever sends it. */
function describe(
  headers: Headers,
  { path }: OpenedFile,
  { defaultType }: FileRequest,
  { contentType, download = false }: SendFileOptions,
): void {
  if (contentType !== undefined) headers.set("content-type", contentType);
  else if (headers.get("content-type") === defaultType) {
    headers.set("content-type", mediaTypeOf(path));
  }
  if (download !== false) {
    const name = download === true ? path : download;
    headers.set("content-disposition", attachment(name));
  }
}

/** Whether the web server sends the file. */
async function handOver(
  response: FileResponse,
  request: FileRequest,
  file: OpenedFile,
): Promise<boolean> {
  if (request.handOver === null || !isPlainGet(response, request)) return false;
  const { headers } = response;
  const names = [...headers.keys()];
  if (request.mayAddCookie()) names.push("set-cookie");
  const header = await handOverHeader(
    request.param("SERVER_SOFTWARE") ?? "",
    request.handOver,
    {
      path: file.path,
      isHead: request.param("REQUEST_METHOD") === "HEAD",
      headers: names,
      isTypeOwn: headers.get("content-type") === mediaTypeOf(file.path),
    },
  );
  if (header === null || !request.isWanted()) return false;
  headers.set(header.name, header.value);
  headers.delete("content-length");
  if (header.takesValidators) setValidators(headers, file);
  response.begin();
  return true;
}

/** Whether conditions and ranges have a meaning. */
function isPlainGet(response: FileResponse, request: FileRequest): boolean {
  const method = request.param("REQUEST_METHOD");
  return request.isResponder && response.status === 200 &&
    (method === "GET" || method === "HEAD");
}

/** Sets those that the application has not set, and gives what holds. */
function setValidators(headers: Headers, file: OpenedFile): Validators {
  const { modified, hasSettled } = file;
  if (!headers.has("etag")) {
    const tag = `"${file.size.toString(16)}-${
      Math.trunc(modified).toString(16)
    }"`;
    headers.set("etag", hasSettled ? tag : `W/${tag}`);
  }
  if (!headers.has("last-modified")) {
    // Not after the time of the answer (RFC 9110, section 8.8.2.1).
    const time = new Date(Math.min(modified, Date.now()));
    headers.set("last-modified", time.toUTCString());
  }
  return {
    etag: headers.get("etag")!,
    lastModified: Date.parse(headers.get("last-modified")!),
    isDateStrong: hasSettled,
  };
}

/** Sends the file, what is asked for of it, or why not. */
async function answer(
  response: FileResponse,
  request: FileRequest,
  file: OpenedFile,
  { mayGrow = false }: SendFileOptions,
): Promise<void> {
  const { headers } = response;
  const { size } = file;
  const isHead = request.param("REQUEST_METHOD") === "HEAD";
  if (!headers.has("x-content-type-options")) {
    headers.set("x-content-type-options", "nosniff");
  }
  let ranges: ByteRange[] | null = null;
  if (isPlainGet(response, request)) {
    const header = (name: string) =>
      request.param(`HTTP_${name.replaceAll("-", "_").toUpperCase()}`) ??
        undefined;
    const validators = setValidators(headers, file);
    headers.set("accept-ranges", "bytes");
    const status = evaluateConditions(header, validators);
    if (status !== 200) return answerWithout(response, status);
    const range = isHead ? undefined : header("Range");
    if (range !== undefined && mayBeRanges(header, validators)) {
      ranges = parseRanges(range, size);
    }
  }
  if (ranges?.length === 0) {
    headers.set("content-range", contentRange(null, size));
    return answerWithout(response, 416);
  }
  const sending = new Sending(response, request, file, mayGrow);
  if (ranges === null) {
    headers.set("content-length", String(size));
    if (isHead || size === 0) return response.begin();
    return await sending.send([{ start: 0, end: size }]);
  }
  response.status = 206;
  if (ranges.length === 1) {
    const [range] = ranges;
    headers.set("content-range", contentRange(range!, size));
    headers.set("content-length", String(range!.end - range!.start));
    return await sending.send(ranges);
  }
  const type = headers.get("content-type") ?? mediaTypeOf(file.path);
  const frame = frameRanges(ranges, size, type);
  headers.set("content-type", frame.type);
  headers.set("content-length", String(frame.length));
  await sending.send(ranges, frame.heads, frame.tail);
}

/** Answers with a status, and nothing of the file. */
function answerWithout(response: FileResponse, status: number): void {
  for (const name of ["type", "length", "disposition", "encoding"]) {
    response.headers.delete(`content-${name}`);
  }
  response.status = status;
  response.begin();
}

/** Parts of a file on their way out. */
class Sending {
  readonly #response: FileResponse;
  readonly #request: FileRequest;
  readonly #file: OpenedFile;
  readonly #mayGrow: boolean;

  constructor(
    response: FileResponse,
    request: FileRequest,
    file: OpenedFile,
    mayGrow: boolean,
  ) {
    this.#response = response;
    this.#request = request;
    this.#file = file;
    this.#mayGrow = mayGrow;
  }

  /**
   * Sends parts. The last bytes of all wait until the file is known to be what
   * it was: what is made of two states of it must not pass for whole.
   *
   * @param ranges The parts.
   * @param heads What stands before each.
   * @param tail What stands after the last.
   */
  async send(
    ranges: readonly ByteRange[],
    heads: readonly Uint8Array[] = [],
    tail: Uint8Array | null = null,
  ): Promise<void> {
    for (const [i, range] of ranges.entries()) {
      if (!this.#request.isWanted()) return await this.#request.giveUp();
      const head = heads[i];
      if (head !== undefined) await this.#response.write(head);
      const isLast = tail === null && i === ranges.length - 1;
      await this.#sendRange(range, isLast);
    }
    if (!this.#request.isWanted()) return await this.#request.giveUp();
    if (tail === null) return;
    this.#check();
    await this.#response.write(tail);
  }

  async #sendRange({ start, end }: ByteRange, isLast: boolean): Promise<void> {
    let piece: Uint8Array = EMPTY;
    let other: Uint8Array = EMPTY;
    let position = start;
    let length = Math.min(PIECE_LENGTH, end - start);
    piece = await this.#fill(piece, position, length);
    while (length > 0) {
      if (!this.#request.isWanted()) return await this.#request.giveUp();
      position += length;
      length = Math.min(PIECE_LENGTH, end - position);
      if (length === 0 && isLast) this.#check();
      // Both, whatever the other does: the file must not be closed while it is
      // read, nor bytes be changed that are not written.
      const [written, filled] = await Promise.allSettled([
        this.#response.write(piece),
        length === 0 ? EMPTY : this.#fill(other, position, length),
      ]);
      if (written.status === "rejected") throw written.reason;
      if (filled.status === "rejected") throw filled.reason;
      other = piece;
      piece = filled.value;
    }
  }

  /** Reads into bytes there are, or into new ones. */
  async #fill(
    bytes: Uint8Array,
    position: number,
    length: number,
  ): Promise<Uint8Array> {
    const piece = bytes.length < length
      ? new Uint8Array(length)
      : bytes.subarray(0, length);
    await this.#file.fill(piece, position);
    return piece;
  }

  #check(): void {
    if (!this.#mayGrow && !this.#file.isUnchanged) throw this.#file.changed();
  }
}

const EMPTY = new Uint8Array(0);
