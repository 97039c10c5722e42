// What can be said of how a FastCGI server answers a request.

import { FastCgiError, RefusedError } from "../errors.ts";
import type { ClientAddress } from "../client/client.ts";
import { ask, printable } from "./ask.ts";
import type { Answered } from "./ask.ts";
import type { Findings } from "./findings.ts";
import { scriptParams } from "./get.ts";

/** How the request is made. */
export interface AnswerOptions {
  readonly path: string;
  readonly script: string | undefined;
  readonly timeoutMs: number;
}

/** An answer that takes longer is worth a word. */
const SLOW_MS = 1_000;
/** What nginx takes of a header, unless it is told more. */
const NGINX_HEADER_BYTES = 4096;
/** Lines of the error stream, and bytes of the body, that are looked at. */
const MOST_LINES = 5;
const MOST_BYTES = 4096;

/**
 * Sends a request, and looks at what comes.
 *
 * @param address Where to.
 * @param findings Takes what is found.
 * @param options The request.
 */
export async function checkAnswer(
  address: ClientAddress,
  findings: Findings,
  options: AnswerOptions,
): Promise<void> {
  const { path, script, timeoutMs } = options;
  const errors: string[] = [];
  let body = "";
  const decoder = new TextDecoder();
  let answered: Answered;
  try {
    answered = await ask(address, {
      method: "GET",
      target: path,
      headers: [],
      params: scriptParams(script, path),
      body: null,
      role: "responder",
      timeoutMs,
      // A stream of events has no end to wait for.
      mostMs: timeoutMs,
    }, {
      body(bytes) {
        if (body.length < MOST_BYTES) {
          body += decoder.decode(bytes.subarray(0, MOST_BYTES));
        }
      },
      stderr: (line) => {
        if (errors.length < MOST_LINES) errors.push(line);
      },
    });
  } catch (error) {
    if (!(error instanceof FastCgiError)) throw error;
    findings.problem(whyNoAnswer(error, path, timeoutMs));
    tellErrors(errors, findings);
    return;
  }
  const hint = hintOf(answered, body, errors, options);
  tellAnswer(answered, findings, path, hint !== null);
  if (hint !== null) findings.problem(hint);
  tellErrors(errors, findings);
  const { bodyBytes, header: { headers, status } } = answered;
  const isTyped = headers.some(([name]) =>
    name.toLowerCase() === "content-type"
  );
  if (!isTyped && status === 200 && bodyBytes > 0) {
    findings.warning(
      "The answer has no Content-Type, so that web servers guess: set one",
    );
  }
  if (answered.headerBytes > NGINX_HEADER_BYTES) {
    findings.warning(
      `The header of the answer has ${answered.headerBytes} bytes, and nginx takes ${NGINX_HEADER_BYTES}: raise fastcgi_buffer_size, or set fewer cookies`,
    );
  }
}

function tellAnswer(
  { bodyBytes, end, header: { headers, status, statusText }, totalMs }:
    Answered,
  findings: Findings,
  path: string,
  isExplained: boolean,
): void {
  const ms = Math.round(totalMs);
  const what = `GET ${path} is answered with ${status} ${
    printable(statusText)
  }, ${bodyBytes} bytes of body, ${
    end === null ? `and has not ended after ${ms} ms` : `in ${ms} ms`
  }`;
  if (end === null && status < 500) {
    if (isEventStream(headers)) findings.ok(what);
    else {
      findings.warning(
        `${what}: a body without an end, or a slow one; --timeout waits longer`,
      );
    }
    return;
  }
  if (status >= 500 && !isExplained) {
    findings.problem(
      `${what}: the application failed, and its log says why`,
    );
  } else findings.ok(what);
  if (totalMs >= SLOW_MS) {
    findings.warning(
      `That took ${
        (totalMs / 1000).toFixed(1)
      } seconds: the program waits for something, or has too few workers. --slow-log of the program tells where it waits`,
    );
  }
  if (end !== null && end.appStatus !== 0) {
    findings.warning(
      `The application status of FCGI_END_REQUEST is ${end.appStatus}, which is no success: the response may be broken off`,
    );
  }
}

/** Whether a response may go on for as long as it likes. */
function isEventStream(headers: Answered["header"]["headers"]): boolean {
  return headers.some(([name, value]) =>
    name.toLowerCase() === "content-type" &&
    /^text\/event-stream\b/i.test(value)
  );
}

function tellErrors(errors: readonly string[], findings: Findings): void {
  for (const line of errors) findings.warning(`It logs: ${line}`);
}

/** Why there was no answer. */
function whyNoAnswer(
  error: FastCgiError,
  path: string,
  timeoutMs: number,
): string {
  if (error instanceof RefusedError) {
    return error.code === "OVERLOADED"
      ? "It refuses the request, for it has too many: raise its limit (maxRequestsPerConnection), or add workers"
      : "It refuses the role of a Responder: it may be an Authorizer, which answers before others do";
  }
  switch (error.code) {
    case "READ_TIMEOUT":
      return `GET ${path} is not answered within ${timeoutMs} ms: the program is stuck, or all its workers are busy. Look into its log, or wait longer with --timeout`;
    case "WRITE_TIMEOUT":
      return "It takes nothing of the request: the program is stuck";
    case "CLOSED":
      return `It closes the connection without an answer to GET ${path}: the program died, lets only other clients in (--allow, FCGI_WEB_SERVER_ADDRS, listen.allowed_clients of PHP-FPM), or does not speak FastCGI. Look into its log`;
    case "CONNECT_FAILED":
    case "CONNECT_TIMEOUT":
      return `It takes no second connection: ${error.message}`;
    default:
      return error.message;
  }
}

/** What is behind answers that many have wondered at. */
function hintOf(
  { header: { status } }: Answered,
  body: string,
  errors: readonly string[],
  { script }: AnswerOptions,
): string | null {
  const said = errors.join("\n");
  const file = script === undefined ? "what it is given" : `"${script}"`;
  if (
    /Primary script unknown|Unable to open primary script/.test(said) ||
    status === 404 && /^File not found\.\s*$/.test(body)
  ) {
    return script === undefined
      ? "PHP-FPM was given no script to run: name one with --script, as the web server does with SCRIPT_FILENAME"
      : `PHP-FPM finds no ${file}: SCRIPT_FILENAME is the path as PHP-FPM sees it, in its own container or chroot, and its user must be able to read it`;
  }
  if (/security\.limit_extensions/.test(said + body)) {
    return `PHP-FPM may not run ${file}: its name does not end as security.limit_extensions of the pool says`;
  }
  if (/^No input file specified\.\s*$/.test(body)) {
    return script === undefined
      ? "PHP was given no script to run: name one with --script, as the web server does with SCRIPT_FILENAME"
      : `PHP finds no ${file}: SCRIPT_FILENAME and the document root must be as PHP sees them`;
  }
  if (status === 403 && /^Access denied\.\s*$/.test(body)) {
    return `PHP-FPM may not run ${file}: see security.limit_extensions of the pool, and the permissions of the file`;
  }
  return null;
}
