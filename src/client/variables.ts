// A web request as CGI variables (RFC 3875, section 4.1): what a web server
// makes of one, the way the careful ones do (nginx, HAProxy).

import { isHopByHop } from "../cgi/header_block.ts";
import { isHost } from "../cgi/url.ts";
import { FastCgiError } from "../errors.ts";

/** The variables of a request; a value of bytes is sent as it is. */
export type Variables = Map<string, string | Uint8Array>;

/**
 * Parameters of a request: text, which is sent as UTF-8, or bytes; null leaves
 * one out that would be made of the request.
 */
export type FastCGIParams = Readonly<
  Record<string, string | Uint8Array | null>
>;

/**
 * Headers for the client alone: those of one connection are asked for by
 * `isHopByHop`. A program takes HTTP_PROXY for the variable of that name.
 */
const NO_VARIABLES: ReadonlySet<string> = new Set([
  "content-length",
  "expect",
  "proxy",
]);

/**
 * Makes the variables of a request.
 *
 * SCRIPT_NAME is empty and PATH_INFO the whole path. Headers that are no
 * variable: those of one connection, those that `Connection` names, `Expect`,
 * `Proxy`, and names with anything but letters, digits and hyphens, for `X_Y`
 * would pass for `X-Y`.
 *
 * @param request The request.
 * @param contentLength The length of its body, -1 where it is unknown; null
 * where there is none.
 * @param params Further variables; one of the same name is replaced.
 * @returns The variables.
 * @throws {FastCgiError} `BAD_REQUEST`, status 400, where its Host is no
 * host.
 */
export function requestVariables(
  request: Request,
  contentLength: number | null,
  params: FastCGIParams,
): Variables {
  const url = urlOf(request);
  const isHttps = url.protocol === "https:";
  const variables: Variables = new Map<string, string | Uint8Array>([
    ["GATEWAY_INTERFACE", "CGI/1.1"],
    ["SERVER_SOFTWARE", "smisk"],
    ["SERVER_PROTOCOL", "HTTP/1.1"],
    ["SERVER_NAME", url.hostname],
    ["SERVER_PORT", url.port || (isHttps ? "443" : "80")],
    ["REQUEST_METHOD", request.method],
    ["REQUEST_SCHEME", isHttps ? "https" : "http"],
    ["REQUEST_URI", url.pathname + url.search],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", percentDecode(url.pathname)],
    ["QUERY_STRING", url.search.slice(1)],
    ["HTTP_HOST", url.host],
  ]);
  if (isHttps) variables.set("HTTPS", "on");
  if (contentLength !== null && contentLength >= 0) {
    variables.set("CONTENT_LENGTH", String(contentLength));
  }
  const nominated = nominatedHeaders(request.headers);
  for (const [name, value] of request.headers) {
    if (NO_VARIABLES.has(name) || nominated.includes(name)) continue;
    if (isHopByHop(name) || !/^[a-z0-9-]+$/.test(name)) continue;
    const variable = name.replaceAll("-", "_").toUpperCase();
    variables.set(
      name === "content-type" ? variable : `HTTP_${variable}`,
      latin1(value),
    );
  }
  for (const [name, value] of Object.entries(params)) {
    if (value === null) variables.delete(name);
    else variables.set(name, value);
  }
  return variables;
}

/**
 * The URL of a request. One of `Deno.serve` is made of the Host that the
 * client sent, unchecked: `Host: a/b?` would choose another path than the one
 * asked for.
 */
function urlOf(request: Request): URL {
  const host = request.headers.get("host");
  if (host !== null && host !== "" && !isHost(host)) {
    throw badRequest(`its Host ${JSON.stringify(host)} is no host`);
  }
  try {
    return new URL(request.url);
  } catch {
    throw badRequest(`its URL ${JSON.stringify(request.url)} is no URL`);
  }
}

function badRequest(why: string): FastCgiError {
  return new FastCgiError("BAD_REQUEST", `Cannot send a request: ${why}`, {
    status: 400,
  });
}

/** What `Connection` names is of one connection too (RFC 9110, 7.6.1). */
function nominatedHeaders(headers: Headers): string[] {
  const connection = headers.get("connection");
  return connection === null
    ? []
    : connection.toLowerCase().split(",").map((name) => name.trim());
}

/** A header's value: each character is one byte. */
function latin1(value: string): string | Uint8Array {
  if (!/[\x80-\xff]/.test(value)) return value;
  return Uint8Array.from(value, (character) => character.charCodeAt(0));
}

/** A path without escapes, which may be no UTF-8. It is ASCII before. */
function percentDecode(path: string): string | Uint8Array {
  if (!path.includes("%")) return path;
  const text = path.replace(
    /%([0-9a-f]{2})/gi,
    (_, digits: string) => String.fromCharCode(parseInt(digits, 16)),
  );
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
