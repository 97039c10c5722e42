// A web request as CGI variables (RFC 3875, section 4.1): what a web server
// makes of one, the way the careful ones do (nginx, HAProxy).

import { isHopByHop } from "../cgi/header_block.ts";

/** The variables of a request; a value of bytes is sent as it is. */
export type Variables = Map<string, string | Uint8Array>;

/**
 * Makes the variables of a request.
 *
 * SCRIPT_NAME is empty and PATH_INFO the whole path. Headers that are no
 * variable: those of one connection, `Proxy` (a program takes HTTP_PROXY for
 * the variable of that name), and names with anything but letters, digits and
 * hyphens, for `X_Y` would pass for `X-Y`.
 *
 * @param request The request.
 * @param contentLength The length of its body, -1 where it is unknown; null
 * where there is none.
 * @param params Further variables; one of the same name is replaced.
 * @returns The variables.
 */
export function requestVariables(
  request: Request,
  contentLength: number | null,
  params: Readonly<Record<string, string>>,
): Variables {
  const url = new URL(request.url);
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
  for (const [name, value] of request.headers) {
    if (name === "content-length" || name === "proxy") continue;
    if (isHopByHop(name) || !/^[a-z0-9-]+$/.test(name)) continue;
    const variable = name.replaceAll("-", "_").toUpperCase();
    variables.set(
      name === "content-type" ? variable : `HTTP_${variable}`,
      latin1(value),
    );
  }
  for (const [name, value] of Object.entries(params)) {
    variables.set(name, value);
  }
  return variables;
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
