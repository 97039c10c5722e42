// ServiceRequest: what a web server says of one request. Everything is decoded
// when it is asked for, and only that.

import { normalVariable, requestHeaders, requestId } from "./cgi/variables.ts";
import { requestUrl } from "./cgi/url.ts";
import { readCookies } from "./cookies.ts";
import type { CookieOptions } from "./cookies.ts";
import type { Form, FormOptions } from "./forms/form.ts";
import { queryOf } from "./forms/form_text.ts";
import type { FormRules } from "./forms/read_form.ts";
import { lazyEnv } from "./lazy_env.ts";
import { escapeControls, readLines } from "./lines.ts";
import { Role } from "./protocol/constants.ts";
import type { PairIndex } from "./protocol/pair_index.ts";
import type { Exchange } from "./server/exchange.ts";
import type { Session } from "./sessions/session.ts";
import type { SessionSource } from "./sessions/session_hold.ts";

/** What holds for all requests of an application. */
export interface RequestRules extends FormRules {
  /** Where their sessions come from. */
  readonly sessions: SessionSource;
}

/** Characters of a request's id that a line begins with. */
const MOST_ID = 128;

let readExchange: (request: ServiceRequest) => Exchange;
let readMount: (request: ServiceRequest) => string;

/**
 * The exchange of a request, for what answers in a way of its own.
 *
 * @param request The request.
 * @returns Its exchange.
 */
export function exchangeOf(request: ServiceRequest): Exchange {
  return readExchange(request);
}

/**
 * The prefix that is taken off the path of a request's URL.
 *
 * @param request The request.
 * @returns The application's mount, empty where it has none.
 */
export function mountOf(request: ServiceRequest): string {
  return readMount(request);
}

/**
 * One request. What is read of it before `service()` has returned stays
 * readable; parameters first asked for after that are an error.
 *
 * @example Greet by name
 * ```ts
 * import { Application } from "@smisk/smisk";
 *
 * class MyApp extends Application {
 *   override service() {
 *     const name = this.request.query.get("name") ?? "World";
 *     this.response.headers.set("content-type", "text/plain; charset=utf-8");
 *     this.response.write(`Hello ${name}!`);
 *   }
 * }
 * new MyApp();
 * ```
 */
export class ServiceRequest {
  static {
    readExchange = (request) => request.#exchange;
    readMount = (request) => request.#mount;
  }

  readonly #exchange: Exchange;
  readonly #mount: string;
  readonly #rules: RequestRules;
  #env: Readonly<Record<string, string>> | null = null;
  /** What is behind `#env`, where it can be. */
  #index: PairIndex | null = null;
  #url: URL | null = null;
  #query: URLSearchParams | null = null;
  #headers: Headers | null = null;
  #cookies: Readonly<Record<string, string>> | null = null;
  #isBodyUsed = false;
  #body: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;
  #form: Promise<Form> | null = null;
  #data: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;

  /** @ignore */
  constructor(exchange: Exchange, mount: string, rules: RequestRules) {
    this.#exchange = exchange;
    this.#mount = mount;
    this.#rules = rules;
  }

  /**
   * Every parameter of the web server (RFC 3875, section 4.1), as UTF-8;
   * invalid bytes become U+FFFD. Of a repeated name the last counts. The
   * object is read-only and outlives the request; it cannot be cloned, for
   * which `{ ...env }` is a plain copy.
   */
  get env(): Readonly<Record<string, string>> {
    return this.#env ??= this.#makeEnv();
  }

  #makeEnv(): Readonly<Record<string, string>> {
    this.#index = this.#exchange.indexParams();
    return lazyEnv(this.#exchange, this.#index);
  }

  /**
   * One parameter, without decoding the others.
   *
   * @param name The name, such as `REMOTE_USER`.
   * @returns The value, undefined where there is none.
   */
  param(name: string): string | undefined {
    if (this.#env !== null) return this.#env[name];
    return this.#exchange.param(name) ?? undefined;
  }

  /** The method, such as `GET`. Never empty. */
  get method(): string {
    return this.param("REQUEST_METHOD")!;
  }

  /**
   * The URL as the client asked for it, less the application's `mount`.
   * Changing it changes nothing else.
   */
  get url(): URL {
    return this.#url ??= requestUrl(
      (name) => this.#latin1(name),
      this.#mount,
    );
  }

  /** A parameter, a character per byte. */
  #latin1(name: string): string | null {
    if (this.#index?.isAscii) return this.#index.get(name) ?? null;
    return this.#exchange.latin1Param(name);
  }

  /**
   * The query of {@linkcode ServiceRequest.url}, in the application's charset
   * (which the platform does not know: `url.searchParams` is always UTF-8).
   *
   * @throws {FastCgiError} `TEXT_UNDECODABLE`, status 400, where it is not of
   * the charset and the application is not `tolerant`.
   */
  get query(): URLSearchParams {
    return this.#query ??= queryOf(this.url, this.#rules);
  }

  /**
   * The headers, the same whichever web server passes them on. Repeated ones
   * are joined; `Proxy` is none (httpoxy), and those of the client's connection
   * are not there.
   */
  get headers(): Headers {
    return this.#headers ??= new Headers(requestHeaders(
      (pair) => this.#exchange.params(true, pair),
      this.#exchange.contentLength,
      (name) => this.#latin1(name),
    ));
  }

  /** The role that is asked for (FastCGI 1.0, section 6). */
  get role(): "responder" | "authorizer" | "filter" {
    const { role } = this.#exchange;
    if (role === Role.AUTHORIZER) return "authorizer";
    return role === Role.FILTER ? "filter" : "responder";
  }

  #useBody(): Exchange {
    if (this.#isBodyUsed) {
      throw new TypeError("Cannot read the body: it was read already");
    }
    this.#isBodyUsed = true;
    return this.#exchange;
  }

  /**
   * The body, as it comes. It can be read once, in one of its forms.
   *
   * @throws {TypeError} Where it was read already in another form.
   */
  get body(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#body ??= this.#useBody().input.stream();
  }

  /**
   * The whole body.
   *
   * @returns The bytes.
   * @throws {TypeError} Where it was read already.
   * @throws {ProtocolError} `BODY_TRUNCATED` where it is shorter than announced.
   * @throws {LimitError} `BODY_TOO_LARGE` or `BODY_TIMEOUT`.
   * @throws {AbortedError | ClosedError} Where the request was given up.
   */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const exchange = this.#useBody();
    return await exchange.input.all(exchange.contentLength);
  }

  /**
   * The whole body as UTF-8; errors as of {@linkcode ServiceRequest.bytes}.
   *
   * @returns The text.
   */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /**
   * The whole body, parsed as JSON; errors as of
   * {@linkcode ServiceRequest.bytes}, and a `SyntaxError` where it is none.
   *
   * @returns The value.
   */
  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  /**
   * The whole body as the platform's `FormData`, in UTF-8 and held in memory
   * with all its files, where {@linkcode ServiceRequest.form} stores them.
   * Errors as of {@linkcode ServiceRequest.bytes}, and a `TypeError` where it
   * is no form.
   *
   * @returns The form.
   * @throws {LimitError} `FORM_TOO_LARGE` (`maxFormBytes`, of an urlencoded
   * form) or `UPLOAD_TOO_LARGE` (`maxUploadBytes`, of a multipart form).
   */
  async formData(): Promise<FormData> {
    const type = this.headers.get("content-type") ?? "";
    const exchange = this.#useBody();
    const { readFormBytes } = await import("./forms/read_form.ts");
    const body = await readFormBytes(exchange, type, this.#rules.limits);
    return await new Response(body, { headers: { "content-type": type } })
      .formData();
  }

  /**
   * The form that the body is, of `application/x-www-form-urlencoded` or
   * `multipart/form-data` (RFC 7578); an empty form where there is neither a
   * body nor a Content-Type. Files are stored as they come, each under a name
   * of its own and readable by the program's user alone, and removed when the
   * request ends, however it ends, unless they were moved.
   *
   * Text is read in the charset of its part, else in that which a field named
   * `_charset_` or the Content-Type tells, else in the application's. What is
   * not of it is taken for ISO-8859-1, or refused where the application is not
   * `tolerant`. Called again, it gives the same form.
   *
   * @param options Where files go, and limits for this form alone.
   * @returns The form. What of it was stored is removed where it fails; errors
   * as of {@linkcode ServiceRequest.bytes} besides.
   * @throws {TypeError} Where the body was read already, in another form.
   * @throws {LimitError} Status 413: `FORM_TOO_LARGE` (`maxFormBytes`),
   * `UPLOAD_TOO_LARGE` (`maxUploadBytes`), `TOO_MANY_PARTS` (`maxFormParts`).
   * @throws {FastCgiError} `FORM_MALFORMED` or `TEXT_UNDECODABLE`, status 400;
   * `UNSUPPORTED_FORM`, status 415, where the body is of another media type;
   * `UPLOAD_FAILED`, `PERMISSION_MISSING` or `PACKAGE_MISSING`, status 500.
   *
   * @example Take a form
   * ```ts
   * import { Application } from "@smisk/smisk";
   *
   * class MyApp extends Application {
   *   override async service() {
   *     const { fields, files } = await this.request.form();
   *     const title = fields.get("title") ?? "untitled";
   *     this.response.json({ title, files: files.size });
   *   }
   * }
   * new MyApp();
   * ```
   */
  form(options: FormOptions = {}): Promise<Form> {
    if (this.#form === null) {
      this.#form = this.#readForm(options);
      // Who does not await it must not crash the process with it.
      this.#form.catch(() => {});
    }
    return this.#form;
  }

  async #readForm(options: FormOptions): Promise<Form> {
    const exchange = this.#useBody();
    // Before anything is awaited: parameters last as long as the service.
    const type = this.param("CONTENT_TYPE") ?? "";
    const { readForm } = await import("./forms/read_form.ts");
    return await readForm(exchange, type, this.#rules, options);
  }

  /**
   * The body line by line, as UTF-8 and without the line ends (LF or CR LF).
   * Leaving the loop early drops the rest.
   *
   * @returns The lines; errors as of {@linkcode ServiceRequest.bytes}.
   * @throws {TypeError} Where the body was read already.
   */
  lines(): AsyncGenerator<string, void, undefined> {
    return readLines(this.#useBody().input);
  }

  /** The file of the Filter role (FastCGI 1.0, section 6.4); empty otherwise. */
  get data(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#data ??= this.#exchange.data.stream();
  }

  /** The bytes of {@linkcode ServiceRequest.data}, 0 where it is unknown. */
  get dataLength(): number {
    return Math.max(0, this.#exchange.dataLength);
  }

  /**
   * When the file of the Filter role last changed (FCGI_DATA_LAST_MOD);
   * an invalid date where it is unknown.
   */
  get dataLastModified(): Date {
    const seconds = this.param("FCGI_DATA_LAST_MOD");
    return new Date(seconds ? Number(seconds) * 1000 : NaN);
  }

  /** The cookies; a null prototype. */
  get cookies(): Readonly<Record<string, string>> {
    return this.#cookies ??= Object.freeze(
      readCookies(this.headers.get("cookie") ?? ""),
    );
  }

  /**
   * The session of the client, or a new one: see {@linkcode Session}. It is
   * read the first time, and the same object each time until it is destroyed.
   *
   * @param options Attributes of its cookie, over `sessionCookie` of the
   * application. With `maxAge` or `expires`, the cookie is sent anew with each
   * response of the request that asks for it; without, only when the id is new.
   * @returns The session.
   * @throws {FastCgiError} `SESSION_STORE` where the store fails; the reason
   * of `signal` where the request was given up.
   * @throws {TypeError} Where an attribute cannot be one or comes after the
   * response has begun, or where the request is over.
   */
  session(options: CookieOptions = {}): Promise<Session> {
    const session = import("./sessions/session_hold.ts").then(
      ({ openSession }) =>
        openSession(this.#exchange, this, this.#rules.sessions, options),
    );
    // Who does not await it must not crash the process with it.
    session.catch(() => {});
    return session;
  }

  /**
   * Fires when the request is given up: FCGI_ABORT_REQUEST, connection loss,
   * a time-out, a forced stop. Never after it was answered. Its reason is an
   * {@linkcode AbortedError}, {@linkcode ClosedError} or
   * {@linkcode LimitError}.
   */
  get signal(): AbortSignal {
    return this.#exchange.signal;
  }

  /** Whether it can still be answered. */
  get isActive(): boolean {
    return this.#exchange.isOpen;
  }

  /** The page that led here, null where none is told or it is no URL. */
  get referrer(): URL | null {
    const referrer = this.param("HTTP_REFERER");
    return referrer ? URL.parse(referrer) : null;
  }

  /** The client's address, empty where the web server does not tell. */
  get remoteAddr(): string {
    return normalVariable("REMOTE_ADDR", (name) => this.#latin1(name)) ?? "";
  }

  /**
   * Writes one line to the FastCGI error stream, which web servers log. It
   * travels with the output that follows, and begins with the id that the web
   * server has given the request, if any.
   *
   * @param message The line; control characters are escaped.
   */
  log(message: string): void {
    const isKnown = this.#index?.isAscii || this.#exchange.hasParamsAtHand;
    const id = isKnown ? requestId((name) => this.#latin1(name)) : null;
    const prefix = id === null ? "" : `[${id.slice(0, MOST_ID)}] `;
    this.#exchange.log(escapeControls(prefix + message));
  }
}
