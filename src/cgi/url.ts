// The URL of a request, rebuilt from its variables (RFC 3875, section 4.1).
// Building never throws: a host that is none is refused before (isHost), and
// whatever else comes, a path is made of it.

import { normalValue, normalVariable } from "./variables.ts";
import type { ReadVariable } from "./variables.ts";

/**
 * Hosts that need no closer look: labels of letters, digits, hyphens and
 * underscores. The last begins with no digit, for a number there makes an IPv4
 * address of the whole (`a.0x7f` is none); `xn--` has rules of its own.
 */
const PLAIN_HOST =
  /^(?!xn--|.*\.xn--)(?:[a-z0-9_-]+\.)*[a-z_-][a-z0-9_-]*\.?(?::\d{1,4})?$/i;

/** A host and port by their letters (RFC 3986, section 3.2.2). */
const HOST =
  /^(?:\[[0-9a-f:.]+\]|(?!\.)(?!.*\.\.)[a-z0-9\-._~%!$&'()*+,;=]+)(?::\d*)?$/i;

/**
 * Whether the value of HTTP_HOST is a host with or without a port (RFC 9110,
 * section 7.2), and not user information, a path or a query in its place. A
 * host is ASCII, has no empty label, and is one for `URL` too.
 *
 * @param host The value, not empty.
 * @returns Whether it is a host.
 */
export function isHost(host: string): boolean {
  return PLAIN_HOST.test(host) ||
    HOST.test(host) && URL.canParse(`http://${host}/`);
}

/**
 * Rebuilds the URL.
 *
 * @param read Reads a variable.
 * @param mount A prefix to take off the path: empty, or `/` and no `/` at its
 * end.
 * @returns The URL.
 */
export function requestUrl(read: ReadVariable, mount: string): URL {
  const scheme = requestScheme(read);
  let target = requestTarget(read);
  if (mount !== "" && target.startsWith(mount)) {
    const next = target[mount.length];
    if (next === undefined || next === "/" || next === "?") {
      target = target.slice(mount.length);
    }
  }
  if (!target.startsWith("/")) target = "/" + target;
  const url = URL.parse(`${scheme}://${requestHost(read, scheme)}${target}`);
  // Both names are hosts, where HTTP_HOST was checked as it should be.
  return url ?? new URL(`${scheme}://localhost${target}`);
}

/**
 * The scheme: `https` where HTTPS says so, otherwise REQUEST_SCHEME.
 *
 * @param read Reads a variable.
 * @returns `http` or `https`.
 */
export function requestScheme(read: ReadVariable): "http" | "https" {
  const https = read("HTTPS")?.toLowerCase();
  if (https === "on" || https === "1") return "https";
  if (https === "off") return "http";
  return read("REQUEST_SCHEME")?.toLowerCase() === "https" ? "https" : "http";
}

function requestHost(read: ReadVariable, scheme: string): string {
  const host = read("HTTP_HOST");
  if (host) return host;
  const known = read("SERVER_NAME");
  if (!known || !isHost(known)) return "localhost";
  const name = normalVariable("SERVER_NAME", read) ?? known;
  const port = normalVariable("SERVER_PORT", read);
  if (!port || !/^\d{1,5}$/.test(port) || Number(port) > 0xffff) return name;
  return port === (scheme === "https" ? "443" : "80")
    ? name
    : `${name}:${port}`;
}

/**
 * The path and query that were asked for, as they stand in a URL.
 *
 * @param read Reads a variable.
 * @returns They; what is no path is given as it is.
 */
export function requestTarget(read: ReadVariable): string {
  const target = read("REQUEST_URI");
  if (target) {
    return escapeTarget(normalValue("REQUEST_URI", target, read) ?? "");
  }
  const path = (read("SCRIPT_NAME") ?? "") + (read("PATH_INFO") ?? "");
  const query = read("QUERY_STRING");
  return escapePath(path) + (query ? "?" + escapeTarget(query) : "");
}

/** A target as sent, with what would end or change it escaped. */
function escapeTarget(target: string): string {
  return /[^!-~]|[#\\]/.test(target)
    ? target.replace(/[^!-~]|[#\\]/g, percentEncode)
    : target;
}

/** A decoded path, with all escaped that is not allowed in one. */
function escapePath(path: string): string {
  return path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g, percentEncode);
}

function percentEncode(character: string): string {
  return "%" +
    character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
}
