// ServiceResponse: what an application says in answer to one request.

import { HeaderBlock } from "./cgi/header_block.ts";
import {
  checkRedirect,
  checkStatus,
  checkStatusText,
  isNullBodyStatus,
} from "./cgi/status.ts";
import { writeCookie } from "./cookies.ts";
import type { CookieOptions } from "./cookies.ts";
import type { SendFileOptions } from "./files/options.ts";
import { PendingWork } from "./pending_work.ts";
import {
  dropBodyHeaders,
  failBegun,
  locationOf,
  prepareEvents,
  ResponseHeaders,
} from "./response_headers.ts";
import type { ResponseDefaults } from "./response_headers.ts";
import type { Exchange } from "./server/exchange.ts";

/**
 * The response to one request. It begins with the first
 * {@linkcode ServiceResponse.write} or {@linkcode ServiceResponse.begin}; from
 * then on status and headers are fixed.
 *
 * @example Answer with JSON
 * ```ts
 * import { Application } from "@smisk/smisk";
 *
 * class MyApp extends Application {
 *   override service() {
 *     this.response.headers.set("cache-control", "no-store");
 *     this.response.json({ hello: "world" });
 *   }
 * }
 * new MyApp();
 * ```
 */
export class ServiceResponse {
  readonly #exchange: Exchange;
  readonly #defaults: ResponseDefaults;
  #status: number;
  #statusText = "";
  #headers: ResponseHeaders | null = null;
  #hasBegun = false;
  #flushesEach = false;
  #pending: PendingWork | null = null;

  /** @ignore */
  constructor(exchange: Exchange, defaults: ResponseDefaults, status: number) {
    this.#exchange = exchange;
    this.#defaults = defaults;
    this.#status = status;
  }

  /**
   * The status, 200 to 599.
   *
   * @throws {RangeError} When set to anything else.
   * @throws {TypeError} When set after the response has begun.
   * @default {200} (403 for an Authorizer, which thereby denies)
   */
  get status(): number {
    return this.#status;
  }
  set status(status: number) {
    if (this.#hasBegun) failBegun("the status");
    checkStatus(status);
    this.#pending?.forgive();
    this.#status = status;
  }

  /**
   * The reason phrase; empty for the registered one. Space around it is lost.
   *
   * @throws {TypeError} When set to what would break the line, or after the
   * response has begun.
   */
  get statusText(): string {
    return this.#statusText;
  }
  set statusText(statusText: string) {
    if (this.#hasBegun) failBegun("the status text");
    checkStatusText(statusText);
    this.#statusText = statusText.trim();
  }

  /**
   * The headers. `Content-Type` is the application's default where it is not
   * set; hop-by-hop headers are not sent. Once the response has begun, changing
   * them throws a `TypeError`.
   */
  get headers(): Headers {
    if (this.#headers === null) {
      this.#headers = new ResponseHeaders({
        "content-type": this.#defaults.contentType,
      });
      if (this.#hasBegun) ResponseHeaders.fix(this.#headers);
    }
    return this.#headers;
  }

  /**
   * The application status of FCGI_END_REQUEST (FastCGI 1.0, section 5.5), 32
   * bits; web servers ignore it.
   *
   * @default {0}
   */
  get appStatus(): number {
    return this.#exchange.output.appStatus;
  }
  set appStatus(appStatus: number) {
    this.#exchange.setStatus(appStatus >>> 0);
  }

  /** Whether the response has begun. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /**
   * Fixes status and headers. They leave with what is written next, at a
   * {@linkcode ServiceResponse.flush} or at the end.
   *
   * @throws {TypeError} Where the response has begun already.
   */
  begin(): void {
    if (this.#hasBegun) {
      throw new TypeError("Cannot begin the response: it has begun already");
    }
    this.#begin();
  }

  /** @ignore Begins with a header block made elsewhere. */
  beginWith(head: HeaderBlock, status: number): void {
    this.#hasBegun = true;
    this.#status = status;
    this.#exchange.begin(head, isNullBodyStatus(status));
  }

  #begin(): void {
    this.#pending?.forgive();
    const { contentType } = this.#defaults;
    const hasNoBody = isNullBodyStatus(this.#status);
    // What has no body has no type; of a 304 a cache would believe it.
    if (hasNoBody && this.headers.get("content-type") === contentType) {
      this.headers.delete("content-type");
    }
    const headers = this.#headers;
    this.#hasBegun = true;
    if (headers === null && this.#status === 200 && this.#statusText === "") {
      this.#exchange.begin(this.#defaults.head, false);
      return;
    }
    if (headers !== null) {
      this.#flushesEach = prepareEvents(headers);
      ResponseHeaders.fix(headers);
    }
    const head = new HeaderBlock(
      this.#status,
      this.#statusText,
      headers ?? [["content-type", contentType]],
    );
    this.#exchange.begin(head, hasNoBody);
  }

  /**
   * Writes to the body, and begins the response. Nothing is lost, awaited or
   * not; awaiting it holds a fast writer back. Where more than 64 KiB wait, bytes must
   * not change until it settles. What is written leaves when 64 KiB wait, at a
   * {@linkcode ServiceResponse.flush}, or at the end.
   *
   * @param chunk A string, encoded in the application's charset, or bytes.
   * @returns Settles when more should be written.
   * @throws {TypeError} Where the chunk is neither.
   * @throws {AbortedError | ClosedError} (when awaited) once the request was
   * given up.
   */
  write(chunk: string | Uint8Array): Promise<void> {
    if (typeof chunk === "string") {
      const { encode } = this.#defaults;
      return this.#write(encode === null ? chunk : encode(chunk));
    }
    if (chunk instanceof Uint8Array) return this.#write(chunk);
    throw new TypeError(
      `Cannot write a value of type ${typeof chunk}: write takes a string or a Uint8Array`,
    );
  }

  #write(chunk: string | Uint8Array): Promise<void> {
    if (!this.#hasBegun) this.#begin();
    const written = this.#exchange.write(chunk);
    // An event that waits for the next is no event.
    return this.#flushesEach ? this.#exchange.flush() : written;
  }

  /**
   * Writes each of several chunks, as {@linkcode ServiceResponse.write} does.
   * An array is written whole, awaited or not; await anything else.
   *
   * @param chunks The strings or bytes.
   * @returns Settles when all are written, and more should be.
   */
  writeLines(
    chunks: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
  ): Promise<void> {
    if (!Array.isArray(chunks)) return this.#writeEach(chunks);
    // As it comes from write(): who does not await it must not crash the
    // process with it when the client goes away.
    let written = Promise.resolve();
    for (const chunk of chunks) written = this.write(chunk);
    return written;
  }

  async #writeEach(
    chunks: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
  ): Promise<void> {
    for await (const chunk of chunks) await this.write(chunk);
  }

  /**
   * The body as a stream. Closing it changes nothing: the response ends when
   * `service()` returns. Aborting it breaks the response off.
   */
  get writable(): WritableStream<Uint8Array> {
    return new WritableStream({
      write: (chunk) => this.write(chunk),
      abort: () => this.#exchange.breakOff(),
    });
  }

  /**
   * Sends what was written, and the header block if it has not left.
   *
   * @returns Settles once it is on its way.
   */
  flush(): Promise<void> {
    if (!this.#hasBegun) this.#begin();
    return this.#exchange.flush();
  }

  /**
   * Writes a value as JSON, with its Content-Type unless another was set or
   * the response has begun.
   *
   * @param value What `JSON.stringify` takes.
   * @returns As of {@linkcode ServiceResponse.write}.
   * @throws {TypeError} Where the value has no JSON.
   */
  json(value: unknown): Promise<void> {
    const text = JSON.stringify(value);
    if (text === undefined) {
      throw new TypeError(`Cannot write ${typeof value} as JSON`);
    }
    if (!this.#hasBegun) {
      const { headers } = this;
      if (headers.get("content-type") === this.#defaults.contentType) {
        headers.set("content-type", "application/json");
      }
    }
    // JSON is UTF-8 whatever the charset of pages (RFC 8259, section 8.1).
    return this.#write(text);
  }

  /**
   * Answers with a file: with its media type and length, as a whole or in the
   * ranges asked for, or with 304 where the client has it already (RFC 9110,
   * sections 13 and 14). Headers set before it stay; another status than 200
   * has the file sent whole. The response's end waits for it, awaited or not.
   *
   * Where the application's option `handOver` says so, the web server sends it.
   *
   * @param path Where it is; with the option `root`, where below that.
   * @param options What else is said of it.
   * @returns Settles when it is written.
   * @throws {HttpError} (when awaited) 404 where there is no such file, or it
   * leads out of the root; 403 where the system does not let it be read.
   * @throws {FastCgiError} (when awaited) `PERMISSION_MISSING` where the runtime
   * does not; `FILE_CHANGED` where the file changed while it was sent.
   * @throws {AbortedError | ClosedError} (when awaited) once the request was
   * given up.
   * @throws {TypeError} After the response has begun, or while another file is
   * being sent.
   */
  sendFile(path: string | URL, options: SendFileOptions = {}): Promise<void> {
    if (this.#hasBegun || this.#pending?.isUnderWay) {
      throw new TypeError(
        "Cannot send a file after the response has begun: it is the whole of a response",
      );
    }
    const work: Promise<void> = import("./file_answer.ts").then((
      { answerWithFile },
    ) =>
      answerWithFile({
        exchange: this.#exchange,
        response: this,
        defaults: this.#defaults,
        path,
        options,
        isCurrent: () => this.pending === work,
      })
    );
    this.waitFor(work);
    return work;
  }

  /**
   * Redirects the client, with an empty body.
   *
   * @param url Where to: absolute, or relative to the request.
   * @param status 301, 302, 303, 307 or 308.
   * @throws {RangeError} Where the status is no redirect.
   * @throws {TypeError} Where the address holds control characters, or after
   * the response has begun.
   */
  redirect(url: string | URL, status = 302): void {
    checkRedirect(status);
    this.headers.set("location", locationOf(String(url)));
    this.status = status;
  }

  /**
   * Sets a cookie.
   *
   * @param name The name.
   * @param value The value; percent-encoded where it must be.
   * @param options The attributes; the path is `/` by default.
   * @throws {TypeError} Where a part cannot stand in the header, or after the
   * response has begun.
   */
  setCookie(name: string, value: string, options: CookieOptions = {}): void {
    this.headers.append("set-cookie", writeCookie(name, value, options));
  }

  /**
   * Deletes a cookie of the client.
   *
   * @param name The name.
   * @param options The attributes it was set with: the path and the domain
   * must be the same, and a `__Secure-` or `__Host-` name needs `secure`.
   */
  deleteCookie(
    name: string,
    options: Omit<CookieOptions, "expires" | "maxAge"> = {},
  ): void {
    this.setCookie(name, "", { ...options, expires: new Date(0), maxAge: 0 });
  }

  /** @ignore Lets the end of the response wait for work. */
  waitFor(work: Promise<void>): void {
    this.#pending ??= new PendingWork();
    this.#pending.waitFor(work);
  }

  /** @ignore What the end of the response waits for. */
  get pending(): Promise<void> | null {
    return this.#pending === null ? null : this.#pending.work;
  }

  /**
   * Makes another response possible, where nothing has left.
   *
   * @param keepsHeaders Whether headers stay that do not describe the body.
   * @returns Whether nothing has left.
   * @ignore
   */
  reset(keepsHeaders: boolean): boolean {
    this.#pending?.drop();
    const { output } = this.#exchange;
    if (output.isHeadSent) return false;
    const kept = keepsHeaders && !this.#hasBegun ? this.#headers : null;
    output.reset();
    output.hasNoBody = this.#exchange.isHead;
    this.#hasBegun = false;
    this.#status = 200;
    this.#statusText = "";
    this.#headers = kept;
    this.#flushesEach = false;
    if (kept !== null) {
      dropBodyHeaders(kept);
      kept.set("content-type", this.#defaults.contentType);
    }
    return true;
  }

  /** @ignore Ends the response. */
  finish(): void {
    if (!this.#exchange.isOpen) return;
    if (!this.#hasBegun) this.#begin();
    this.#exchange.finish();
  }
}
