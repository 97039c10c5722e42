// The answer for an error: as a page, as problem details (RFC 9457) or as plain
// text, whichever the client asks for. It is loaded with the first error.
//
// An operator finds the error in the log by its reference. A stranger learns
// nothing of the program: no versions, no paths, no stack.

import { chooseForm } from "./accept.ts";
import { describeCauses } from "./describe_error.ts";
import type { ErrorTrace } from "./files/traceback.ts";
import type { ServiceResponse } from "./response.ts";

/** What an answer for an error says. */
export interface Fault {
  /** The status. */
  readonly status: number;
  /** What happened, in a few words. */
  readonly title: string;
  /** A sentence on it; empty for the one that fits the status. */
  readonly message: string;
  /** What the log calls it; empty where the log does not have it. */
  readonly reference: string;
}

/** A fault, with what a page of it needs. */
export interface FaultPage extends Fault {
  /** When. */
  readonly time: Date;
  /** For the developer alone; empty otherwise. */
  readonly traceback: readonly ErrorTrace[];
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Escapes text for HTML, in content and in quoted attributes.
 *
 * @param text The text.
 * @returns It, harmless.
 */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}

/** What is said where an error has no message of its own. */
const SENTENCES: Readonly<Record<number, string>> = {
  400: "The request could not be understood.",
  401: "You have to sign in to see this.",
  403: "You are not allowed to see this.",
  404: "There is nothing at this address.",
  405: "This cannot be done at this address.",
  408: "The request took too long to arrive.",
  410: "What was at this address is gone.",
  413: "What was sent is too large.",
  415: "What was sent is of a kind that is not taken here.",
  429: "There were too many requests. Try again later.",
  500: "Something went wrong here. It is not your fault.",
  501: "This cannot be done here.",
  502: "The service could not be reached. Try again later.",
  503: "The service is not available at the moment. Try again later.",
  504: "The answer took too long. Try again later.",
};

/**
 * The sentence on a fault.
 *
 * @param fault The fault.
 * @returns Its own message, or what fits its status.
 */
export function sentenceOf({ status, message }: Fault): string {
  if (message !== "" || status < 400) return message;
  return SENTENCES[status] ?? SENTENCES[status < 500 ? 400 : 500]!;
}

const CSS = `
:root{color-scheme:light dark;--ink:#1d2430;--soft:#5b6677;--faint:#dfe4ec;--page:#f5f7fa;--card:#fff;--mark:#b4232a;--line:#fdecec}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf3;--soft:#9aa6b8;--faint:#2c3442;--page:#11151c;--card:#191f29;--mark:#ff8b8b;--line:#3a2027}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;padding:8vh 1.25rem 3rem;background:var(--page);color:var(--ink);font:1rem/1.6 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:36rem;margin:0 auto;padding:2.5rem;background:var(--card);border:1px solid var(--faint);border-radius:.75rem;box-shadow:0 1px 2px #0000000d,0 8px 24px #0000000d}
.status{margin:0 0 .5rem;color:var(--mark);font-weight:600;letter-spacing:.04em}
h1{margin:0 0 .75rem;font-size:1.9rem;line-height:1.2;letter-spacing:-.015em;text-wrap:balance}
main p{margin:0;color:var(--soft)}
dl{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;margin:2rem 0 0;padding-top:1.25rem;border-top:1px solid var(--faint);font-size:.875rem}
dt{color:var(--soft)}
dd{margin:0}
code,pre,.reference{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.reference{user-select:all}
section{max-width:64rem;margin:1.5rem auto 0;padding:1.5rem 2rem;background:var(--card);border:1px solid var(--faint);border-radius:.75rem;font-size:.875rem}
h2{margin:0 0 1rem;font-size:1rem;line-height:1.5;white-space:pre-wrap}
h2 small{display:block;color:var(--soft);font-weight:400;font-size:.875rem}
ol{margin:0;padding:0;list-style:none}
li{padding:.4rem 0;border-top:1px solid var(--faint)}
li>code{padding-left:.9rem;color:var(--soft)}
summary{cursor:pointer}
pre{margin:.5rem 0;padding-left:.75rem;overflow-x:auto;font-size:.8125rem;line-height:1.55;overflow-wrap:normal}
mark{display:inline-block;min-width:calc(100% + .75rem);margin-left:-.75rem;padding-left:.75rem;color:inherit;background:var(--line);box-shadow:inset 3px 0 var(--mark)}
`.trim().replaceAll("\n", "");

/**
 * A fault as a page.
 *
 * @param fault The fault.
 * @returns The page, everything escaped.
 */
export function htmlPage(fault: FaultPage): string {
  const { status, title, traceback } = fault;
  const isFault = status >= 400;
  const number = isFault ? `<p class="status">${status}</p>\n` : "";
  const sentence = sentenceOf(fault);
  const facts = isFault ? `<dl>${factsOf(fault)}</dl>\n` : "";
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(isFault ? `${status} ${title}` : title)}</title>
<style>${CSS}</style>
</head>
<body>
<main>
${number}<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(sentence)}</p>
${facts}</main>
${traceback.map(traceSection).join("")}</body>
</html>
`;
}

function factsOf({ reference, time }: FaultPage): string {
  const iso = time.toISOString();
  const shown = `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
  const when =
    `<div><dt>Time</dt><dd><time datetime="${iso}">${shown}</time></dd></div>`;
  if (reference === "") return when;
  return `<div><dt>Reference</dt><dd class="reference">${
    escapeHtml(reference)
  }</dd></div>${when}`;
}

function traceSection({ headline, frames }: ErrorTrace, index: number): string {
  const heading = index === 0 ? "" : "<small>Caused by</small>";
  // The first place of the program's own is where to look.
  const open = frames.findIndex(({ lines }) => lines.length > 0);
  const items = frames.map(({ text, lines, first, line }, i) => {
    const name = `<code>${escapeHtml(text)}</code>`;
    if (lines.length === 0) return `<li>${name}</li>\n`;
    const width = String(first + lines.length - 1).length;
    const code = lines.map((content, j) => {
      const number = first + j;
      const shown = escapeHtml(
        `${String(number).padStart(width)}  ${content}`,
      );
      return number === line ? `<mark>${shown}</mark>` : shown;
    });
    return `<li><details${i === open ? " open" : ""}><summary>${name}` +
      `</summary><pre>${code.join("\n")}</pre></details></li>\n`;
  });
  return `<section>
<h2>${heading}${escapeHtml(headline)}</h2>
<ol>
${items.join("")}</ol>
</section>
`;
}

/**
 * A fault as problem details (RFC 9457).
 *
 * @param fault The fault.
 * @returns What is to be sent as JSON.
 */
export function problemDetails(
  fault: FaultPage,
): Record<string, string | number | string[]> {
  const { status, title, reference, time, traceback } = fault;
  return {
    type: "about:blank",
    title,
    status,
    detail: sentenceOf(fault),
    ...(reference === "" ? {} : { reference }),
    time: time.toISOString(),
    ...(traceback.length === 0 ? {} : { traceback: traceLines(traceback) }),
  };
}

/**
 * A fault as text.
 *
 * @param fault The fault.
 * @returns The text, a line each.
 */
export function plainText(fault: FaultPage): string {
  const { status, title, reference, time, traceback } = fault;
  const isFault = status >= 400;
  const lines = [isFault ? `${status} ${title}` : title, sentenceOf(fault)];
  if (reference !== "") lines.push(`Reference: ${reference}`);
  if (isFault) lines.push(`Time: ${time.toISOString()}`);
  if (traceback.length > 0) lines.push("", ...traceLines(traceback));
  return lines.join("\n") + "\n";
}

function traceLines(traceback: readonly ErrorTrace[]): string[] {
  return traceback.flatMap(({ headline, frames }, i) => [
    ...`${i === 0 ? "" : "Caused by: "}${headline}`.split("\n"),
    ...frames.map(({ text }) => `    at ${text}`),
  ]);
}

/** The forms of an answer, and the media types that ask for each. */
const FORMS = [
  ["text/html", "application/xhtml+xml"],
  ["application/problem+json", "application/json"],
  ["text/plain"],
] as const;

/** The page has a style of its own, and nothing else may run or load in it. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** How an answer is written. */
export interface FaultOptions {
  /** What the client accepts. */
  readonly accept: string;
  /** The charset of the application. */
  readonly charset: string;
  /** What was thrown, to be shown; nothing is shown of undefined. */
  readonly thrown?: { readonly error: unknown } | undefined;
}

/**
 * Writes the answer for a fault.
 *
 * @param response The response, which has not begun and has its status.
 * @param fault What it says.
 * @param options How.
 */
export async function writeFault(
  response: ServiceResponse,
  fault: Fault,
  { accept, charset, thrown }: FaultOptions,
): Promise<void> {
  let traceback: ErrorTrace[] = [];
  if (thrown !== undefined) {
    const { tracebackOf } = await import("./files/traceback.ts");
    traceback = await tracebackOf(describeCauses(thrown.error));
  }
  if (response.hasBegun) return;
  const page = { ...fault, time: new Date(), traceback };
  const { headers } = response;
  const isPassing = fault.status < 400 || fault.status >= 500;
  if (thrown !== undefined || isPassing && !headers.has("cache-control")) {
    headers.set("cache-control", "no-store");
  }
  headers.append("vary", "Accept");
  headers.set("x-content-type-options", "nosniff");
  switch (chooseForm(accept, FORMS)) {
    case 0:
      headers.set("content-type", `text/html; charset=${charset}`);
      headers.set("content-security-policy", POLICY);
      response.write(htmlPage(page));
      break;
    case 1:
      headers.set("content-type", "application/problem+json");
      response.json(problemDetails(page));
      break;
    default:
      // Also for who wants none of them, such as an image's place in a page.
      headers.set("content-type", `text/plain; charset=${charset}`);
      response.write(plainText(page));
  }
}
