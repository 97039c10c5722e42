// A request of the HTTP front: what is refused before the application, what
// the application is told beyond the request itself, and what of its answer is
// meant for the web server alone.
//
// X-Forwarded-For and its like are passed on as any header is, and nothing is
// made of them: the front is nobody's back end, so that REMOTE_ADDR, HTTPS and
// the host are those of the connection.

import type { FastCGIParams } from "../client/client.ts";

/**
 * Finds out whether a request is one that the front does not hand on.
 *
 * @param request The request.
 * @returns Why it is answered with 501; null where it is not.
 */
export function notImplemented({ method, headers }: Request): string | null {
  // A tunnel would begin after the answer, and a trace shows a client its own
  // credentials.
  if (method === "CONNECT" || method === "TRACE") {
    return `There is no ${method} here.`;
  }
  // Of several codings the runtime takes off the last: the rest would pass for
  // the body itself (RFC 9112, section 6.1).
  const coding = headers.get("transfer-encoding");
  if (coding !== null && coding.trim().toLowerCase() !== "chunked") {
    return "There is no Transfer-Encoding but chunked here.";
  }
  return null;
}

/**
 * The parameters that a request does not tell.
 *
 * @param request The request.
 * @param remote Who asks.
 * @param local Where.
 * @returns They.
 */
export function frontParams(
  request: Request,
  remote: Deno.NetAddr,
  local: Deno.NetAddr,
): FastCGIParams {
  const params: Record<string, string> = {
    REMOTE_ADDR: remote.hostname,
    REMOTE_PORT: String(remote.port),
    SERVER_ADDR: local.hostname,
    SERVER_PORT: String(local.port),
  };
  // A request for a whole URL is for the host in it, whatever its Host says
  // (RFC 9112, section 3.2.2).
  const asked = URL.parse(request.url)?.host;
  const said = URL.parse(`http://${request.headers.get("host")}/`)?.host;
  if (asked !== undefined && said !== undefined && asked !== said) {
    params.HTTP_HOST = asked;
  }
  return params;
}

/** Headers that hand a file to the web server, or a request back to it. */
const HAND_OVER = /^(?:x-accel-redirect|x-sendfile2?|x-lighttpd-send-.*)$/;

/**
 * Takes off what an application tells its web server, and no client: the front
 * does nothing of it, and a path is nobody's business.
 *
 * @param response The answer, its headers unused yet.
 * @returns The header that handed something to the web server; null for none.
 */
export function stripServerHeaders({ headers }: Response): string | null {
  let handOver: string | null = null;
  for (const name of [...headers.keys()]) {
    const isHandOver = HAND_OVER.test(name);
    if (isHandOver) handOver = name;
    if (isHandOver || name.startsWith("x-accel-")) headers.delete(name);
  }
  return handOver;
}
