// What is answered before the application: `pong` on the ping path, and on the
// status path what the server has done and does, as text, JSON, HTML or
// OpenMetrics. Nothing of a request is echoed.

import { chooseForm } from "../accept.ts";
import { HeaderBlock } from "../cgi/header_block.ts";
import { Role } from "../protocol/constants.ts";
import type { Exchange } from "../server/exchange.ts";
import type { Status } from "./status.ts";

/** What is answered where; empty for nothing. */
export interface Paths {
  /** Answered with `pong`. */
  readonly pingPath: string;
  /** Answered with the status. */
  readonly statusPath: string;
}

/** The forms of the status, the first where nothing is asked for. */
const FORMS = ["text", "json", "html", "openmetrics"] as const;

/** Their media types, as clients ask for them. */
const TYPES: readonly (readonly string[])[] = [
  ["text/plain"],
  ["application/json"],
  ["text/html", "application/xhtml+xml"],
  ["application/openmetrics-text"],
];

const CONTENT_TYPES: readonly string[] = [
  "text/plain; charset=utf-8",
  "application/json",
  "text/html; charset=utf-8",
  "application/openmetrics-text; version=1.0.0; charset=utf-8",
];

/** Answers in the application's place. */
export class Pages {
  readonly #paths: Paths;
  readonly #status: () => Status | Promise<Status>;
  readonly #report: (message: string) => void;

  /**
   * Creates what answers.
   *
   * @param paths What is answered where.
   * @param status Tells the status.
   * @param report Tells what goes wrong.
   */
  constructor(
    paths: Paths,
    status: () => Status | Promise<Status>,
    report: (message: string) => void,
  ) {
    this.#paths = paths;
    this.#status = status;
    this.#report = report;
  }

  /**
   * Answers a request, if it is for one of the paths.
   *
   * @param exchange The request.
   * @returns Whether it is.
   */
  answer(exchange: Exchange): boolean {
    // To an Authorizer's web server a 200 is leave to go on.
    if (exchange.role !== Role.RESPONDER) return false;
    const [path, query] = targetOf(exchange);
    const { pingPath, statusPath } = this.#paths;
    if (path === "" || path !== pingPath && path !== statusPath) return false;
    const method = exchange.latin1Param("REQUEST_METHOD");
    if (method !== "GET" && method !== "HEAD") {
      send(exchange, 405, CONTENT_TYPES[0]!, "405 Method Not Allowed\n", [
        ["allow", "GET, HEAD"],
      ]);
    } else if (path === pingPath) {
      send(exchange, 200, CONTENT_TYPES[0]!, "pong\n");
    } else this.#tell(exchange, query);
    return true;
  }

  async #tell(exchange: Exchange, query: string): Promise<void> {
    const asked = query.split("&").map((part) => part.split("=", 1)[0]);
    const named = FORMS.findIndex((form) => asked.includes(form));
    const accept = exchange.latin1Param("HTTP_ACCEPT") ?? "";
    const form = named >= 0 ? named : Math.max(0, chooseForm(accept, TYPES));
    try {
      const [{ writeStatus }, status] = await Promise.all([
        import("./status.ts"),
        this.#status(),
      ]);
      send(
        exchange,
        200,
        CONTENT_TYPES[form]!,
        writeStatus(status, FORMS[form]!),
        [
          ["vary", "Accept"],
          ["content-security-policy", "default-src 'none'"],
        ],
      );
    } catch (error) {
      this.#report(
        `Cannot tell the status: ${
          error instanceof Error ? error.message : error
        }`,
      );
      exchange.refuse(500);
    }
  }
}

/** The path and the query that were asked for. */
function targetOf(exchange: Exchange): [path: string, query: string] {
  const read = (name: string) => exchange.latin1Param(name) ?? "";
  const uri = read("REQUEST_URI").replace(
    /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i,
    "",
  );
  if (uri === "") {
    return [read("SCRIPT_NAME") + read("PATH_INFO"), read("QUERY_STRING")];
  }
  const at = uri.indexOf("?");
  return at < 0 ? [uri, ""] : [uri.slice(0, at), uri.slice(at + 1)];
}

function send(
  exchange: Exchange,
  status: number,
  type: string,
  body: string,
  headers: readonly (readonly [string, string])[] = [],
): void {
  const head = new HeaderBlock(status, "", [
    ["content-type", type],
    ["cache-control", "no-store"],
    ["x-content-type-options", "nosniff"],
    ...headers,
  ]);
  exchange.begin(head, false);
  exchange.write(body);
  exchange.finish();
}
