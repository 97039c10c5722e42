// Serving: how an application's requests are served: exchanges become calls of
// service() with a request and a response, and errors become answers. It is
// loaded once a server listens, with the server itself: what a program loads
// before that is time in which nobody can connect.

import { HeaderBlock } from "./cgi/header_block.ts";
import { reasonPhrase } from "./cgi/status.ts";
import { textEncoderOf } from "./charset.ts";
import type { CookieOptions } from "./cookies.ts";
import { describeError } from "./describe_error.ts";
import type { Fault } from "./error_page.ts";
import {
  AbortedError,
  ClosedError,
  FastCgiError,
  HttpError,
} from "./errors.ts";
import { Role } from "./protocol/constants.ts";
import { ServiceRequest } from "./request.ts";
import type { RequestRules } from "./request.ts";
import { ServiceResponse } from "./response.ts";
import type { ResponseDefaults } from "./response_headers.ts";
import { isPromise } from "./scope.ts";
import type { RequestScope } from "./scope.ts";
import type { Exchange } from "./server/exchange.ts";
import type { SessionStore } from "./sessions/store.ts";
import type { HandOver, Limits } from "./options.ts";

/** Milliseconds that a stop waits for files to be removed. */
const CLEANING_TIMEOUT_MS = 5_000;

/** One request being served. */
export class Transaction {
  /** What is asked. */
  request: ServiceRequest;
  /** What is answered. */
  response: ServiceResponse;
  /** Whether it has been answered, and holds neither any more. */
  isOver = false;

  /**
   * Begins it.
   *
   * @param request What is asked.
   * @param response What is answered.
   */
  constructor(request: ServiceRequest, response: ServiceResponse) {
    this.request = request;
    this.response = response;
  }

  /**
   * Ends it. What a request has started, such as a connection that is kept, is
   * in its context for as long as it lives: all that the request is made of
   * would live as long.
   */
  end(): void {
    this.isOver = true;
    this.request = this.response = null!;
  }
}

/** The application, as seen from here. */
export interface ServedApplication {
  /** The encoding of written strings and of form text. */
  readonly charset: string;
  /** Whether text that is not of it is taken for ISO-8859-1. */
  readonly tolerant: boolean;
  /** Whether error pages show stacks. */
  readonly showTraceback: boolean;
  /** What keeps sessions. */
  readonly sessions: SessionStore;
  /** The attributes of their cookie. */
  readonly sessionCookie: CookieOptions;
  /** Serves one request. */
  service(
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void>;
  /** Answers for an error. */
  error(
    error: unknown,
    request: ServiceRequest,
    response: ServiceResponse,
  ): void | Promise<void>;
}

/** What serving needs beside the application. */
export interface ServingParts {
  /** What `this.request` and `this.response` are. */
  readonly scope: RequestScope<Transaction>;
  /** The prefix taken off the path of URLs. */
  readonly mount: string;
  /** The limits in force. */
  readonly limits: Limits;
  /** Where web servers may send files from; null for nowhere. */
  readonly handOver: HandOver | null;
  /** Writes a line to the server's own log. */
  report(message: string): void;
}

/** Serves the requests of one application. */
export class Serving {
  readonly #app: ServedApplication;
  readonly #parts: ServingParts;
  #charset = "";
  #defaults!: ResponseDefaults;
  readonly #rules: RequestRules;
  /** What is being cleaned up, and the requests it is of. */
  readonly #cleaning = new Map<Promise<void>, Exchange>();

  /**
   * Creates what serves an application.
   *
   * @param app The application.
   * @param parts What else is needed.
   */
  constructor(app: ServedApplication, parts: ServingParts) {
    this.#app = app;
    this.#parts = parts;
    this.#rules = {
      get charset() {
        return app.charset;
      },
      get tolerant() {
        return app.tolerant;
      },
      limits: parts.limits,
      sessions: { app, describe: describeError },
      report: parts.report,
      awaitCleaning: (exchange, cleaned) => {
        this.#cleaning.set(cleaned, exchange);
        cleaned.finally(() => this.#cleaning.delete(cleaned));
      },
    };
    this.#fit();
  }

  /**
   * Waits until the requests that have ended have left nothing behind, for a
   * bounded time.
   */
  async clean(): Promise<void> {
    const cleaning: Promise<void>[] = [];
    for (const [cleaned, exchange] of this.#cleaning) {
      if (exchange.isEnded) cleaning.push(cleaned);
    }
    if (cleaning.length === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#parts.report(
          `Uploaded files may be left behind: they were not removed within ${CLEANING_TIMEOUT_MS} ms`,
        );
        resolve();
      }, CLEANING_TIMEOUT_MS);
    });
    await Promise.race([Promise.all(cleaning), late]);
    clearTimeout(timer);
  }

  /** Follows a change of the application's charset. */
  #fit(): void {
    const { charset } = this.#app;
    const contentType = `text/html; charset=${charset}`;
    this.#charset = charset;
    this.#defaults = {
      contentType,
      head: new HeaderBlock(200, "", [["content-type", contentType]]),
      encode: textEncoderOf(charset),
      handOver: this.#parts.handOver,
    };
  }

  /**
   * Serves one request. Never throws.
   *
   * @param exchange The request.
   */
  readonly serve = (exchange: Exchange): void => {
    if (this.#app.charset !== this.#charset) this.#fit();
    const transaction = new Transaction(
      new ServiceRequest(exchange, this.#parts.mount, this.#rules),
      new ServiceResponse(
        exchange,
        this.#defaults,
        exchange.role === Role.AUTHORIZER ? 403 : 200,
      ),
    );
    let served: void | Promise<void>;
    try {
      served = this.#parts.scope.run(transaction, this.#service);
    } catch (error) {
      this.#fail(error, exchange, transaction);
      return;
    }
    if (!isPromise(served)) this.#finish(exchange, transaction);
    else {
      served.then(
        () => this.#finish(exchange, transaction),
        (error) => this.#fail(error, exchange, transaction),
      );
    }
  };

  #finish(exchange: Exchange, transaction: Transaction): void {
    const { response } = transaction;
    try {
      if (response.pending === null && exchange.hold === null) {
        response.finish();
        transaction.end();
      } else this.#finishLater(exchange, transaction);
    } catch (error) {
      // What begins only now, a header that is too long, fails only now.
      this.#fail(error, exchange, transaction);
    }
  }

  #finishLater(exchange: Exchange, transaction: Transaction): void {
    const { response } = transaction;
    const fail = (error: unknown) => this.#fail(error, exchange, transaction);
    if (response.pending === null) end(exchange, response)?.catch(fail);
    else response.pending.then(() => this.#finish(exchange, transaction), fail);
  }

  readonly #service = ({ request, response }: Transaction) =>
    this.#app.service(request, response);

  #fail(error: unknown, exchange: Exchange, transaction: Transaction): void {
    const { report, scope } = this.#parts;
    if (!exchange.isOpen) {
      // Nobody is left to answer. What the abort itself caused is no news.
      if (error !== exchange.abortReason && !isGone(error)) {
        report(describeError(error));
      }
      return;
    }
    const { request, response } = transaction;
    if (response.hasBegun) {
      // Even as a whole page it must not pass for what was begun.
      response.appStatus ||= 1;
      exchange.closesConnection = true;
    }
    // WWW-Authenticate and the like belong to the status that is thrown.
    const isBroken = !response.reset(error instanceof HttpError);
    if (!isBroken) response.status = statusOf(error);
    if (isBroken || !(error instanceof HttpError) || error.status >= 500) {
      exchange.hold?.discard();
    }
    const finish = (): Promise<void> | null => {
      const { pending } = response;
      if (pending !== null) return pending.then(finish).then(() => {});
      if (!isBroken) return end(exchange, response);
      exchange.breakOff();
      return null;
    };
    const giveUp = (second: unknown) => {
      report(`error() failed: ${describeError(second)}`);
      report(`  while answering: ${describeError(error)}`);
      exchange.refuse(500);
    };
    try {
      const answered = scope.run(
        transaction,
        () => this.#app.error(error, request, response),
      );
      const finished = isPromise(answered) ? answered.then(finish) : finish();
      finished?.catch(giveUp);
    } catch (second) {
      giveUp(second);
    }
  }

  /**
   * Answers for an error as an application does that has no `error()` of its
   * own.
   *
   * @param error What was thrown.
   * @param request The request.
   * @param response The response, with its status; its end waits for the
   * answer, whoever else does.
   */
  answerError(
    error: unknown,
    request: ServiceRequest,
    response: ServiceResponse,
  ): void {
    const status = statusOf(error);
    let reference = "";
    // What breaks off without a word of why is a riddle, whatever the status.
    if ((status >= 500 || response.hasBegun) && !isGone(error)) {
      reference = newReference();
      const lines = `[${reference}] ${describeError(error)}`.split("\n");
      for (const line of lines) request.log(line);
    }
    // What has left cannot be taken back: the response is broken off.
    if (response.hasBegun) return;
    const isTold = status < 500 || error instanceof HttpError;
    const message = isTold && error instanceof Error ? error.message : "";
    this.#answer(
      request,
      response,
      { status, title: reasonPhrase(status), message, reference },
      this.#app.showTraceback ? { error } : undefined,
    );
  }

  /**
   * Answers as an application does that has no `service()` of its own.
   *
   * @param request The request.
   * @param response The response; its end waits for the answer.
   */
  answerNothing(request: ServiceRequest, response: ServiceResponse): void {
    this.#answer(request, response, {
      status: response.status,
      title: "No services available",
      message: "This application overrides no service().",
      reference: "",
    });
  }

  #answer(
    request: ServiceRequest,
    response: ServiceResponse,
    fault: Fault,
    thrown?: { error: unknown },
  ): void {
    const accept = request.param("HTTP_ACCEPT") ?? "";
    const { charset } = this.#app;
    // No promise is returned: whoever calls this may not await it.
    response.waitFor(
      import("./error_page.ts").then(({ writeFault }) =>
        writeFault(response, fault, { accept, charset, thrown })
      ),
    );
  }
}

/** What an answer and a line of the log have in common, such as `7KQ2-M9XD`. */
function newReference(): string {
  const letters = Array.from(
    crypto.getRandomValues(new Uint8Array(8)),
    (byte) => REFERENCE_LETTERS[byte & 31],
  );
  return `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`;
}

/** None that could be read for another: no I, L, O or U. */
const REFERENCE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * Ends a response: at once, or when what must be done before has been done.
 */
function end(
  exchange: Exchange,
  response: ServiceResponse,
): Promise<void> | null {
  const { hold } = exchange;
  let held = null;
  if (hold !== null) {
    if (exchange.isOpen && !response.hasBegun) response.begin();
    held = hold.beforeEnd();
  }
  if (held !== null) return held.then(() => response.finish());
  response.finish();
  return null;
}

/** Whether an error tells that nobody is left to be answered: no news. */
function isGone(error: unknown): boolean {
  return error instanceof AbortedError || error instanceof ClosedError;
}

/** The status that answers an error: 400 to 599. */
function statusOf(error: unknown): number {
  const status = error instanceof FastCgiError ? error.status : 500;
  return status >= 400 && status <= 599 ? status : 500;
}
