// Cookies: reading `Cookie` and writing `Set-Cookie` (RFC 6265).
//
// Own code where a package would do, for both are synchronous and so cannot be
// loaded when they are first used: loading npm's `cookie` at the start takes
// 40 ms, twice what the rest of the start takes.

/** A token (RFC 9110, section 5.6.2), as which a cookie's name is written. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What a path or domain may hold: neither controls nor a semicolon. */
const ATTRIBUTE = /^[\x20-\x3a\x3c-\x7e]*$/;

/** The attributes of a cookie (RFC 6265, section 4.1.2). */
export interface CookieOptions {
  /** The host it is for; the one that sets it alone, by default. */
  domain?: string;
  /** When it ends; with the browser, by default. */
  expires?: Date;
  /** Whether scripts cannot read it. */
  httpOnly?: boolean;
  /** Seconds until it ends. Goes before `expires`. */
  maxAge?: number;
  /** Whether it is kept apart for each top-level site (CHIPS). */
  partitioned?: boolean;
  /**
   * The path it is for.
   *
   * @default {"/"}
   */
  path?: string;
  /** Whether requests from other sites carry it. */
  sameSite?: "strict" | "lax" | "none";
  /** Whether it is sent over HTTPS alone. */
  secure?: boolean;
}

/**
 * Reads a Cookie header. Of a repeated name the first counts, for browsers
 * send the most specific first (section 5.4).
 *
 * @param header The header's value.
 * @returns The cookies, percent-decoded where that can be; a null prototype.
 */
export function readCookies(header: string): Record<string, string> {
  const cookies: Record<string, string> = Object.create(null);
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    if (equals < 0) continue;
    const name = pair.slice(0, equals).trim();
    if (name in cookies) continue;
    const value = pair.slice(equals + 1).trim();
    const isQuoted = value.length > 1 && value.startsWith('"') &&
      value.endsWith('"');
    cookies[name] = decodeValue(isQuoted ? value.slice(1, -1) : value);
  }
  return cookies;
}

function decodeValue(value: string): string {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    // No percent-encoding of ours: the value as it stands.
    return value;
  }
}

/**
 * Writes a Set-Cookie header (section 4.1).
 *
 * @param name The name.
 * @param value The value; what cannot stand in a cookie is percent-encoded.
 * @param options The attributes.
 * @returns The header's value.
 * @throws {TypeError} Where the name, the path or the domain cannot be one.
 * @throws {RangeError} Where `maxAge` is no whole number, or `expires` no date.
 */
export function writeCookie(
  name: string,
  value: string,
  options: CookieOptions,
): string {
  if (!TOKEN.test(name)) {
    throw new TypeError(
      `Cannot set a cookie named ${JSON.stringify(name)}: a name is a token`,
    );
  }
  const { domain, expires, maxAge, path = "/", sameSite } = options;
  // A lone surrogate, which has no encoding, becomes U+FFFD.
  let line = `${name}=${encodeURIComponent(value.toWellFormed())}`;
  if (maxAge !== undefined) {
    if (!Number.isSafeInteger(maxAge)) {
      throw new RangeError(
        `Cannot set a cookie with a maxAge of ${maxAge}: it takes whole seconds`,
      );
    }
    line += `; Max-Age=${maxAge}`;
  }
  if (domain !== undefined) {
    line += `; Domain=${checkAttribute("domain", domain)}`;
  }
  line += `; Path=${checkAttribute("path", path)}`;
  if (expires !== undefined) {
    if (Number.isNaN(expires.getTime())) {
      throw new RangeError("Cannot set a cookie that expires at no valid date");
    }
    line += `; Expires=${expires.toUTCString()}`;
  }
  if (options.httpOnly) line += "; HttpOnly";
  if (options.secure) line += "; Secure";
  if (options.partitioned) line += "; Partitioned";
  if (sameSite !== undefined) {
    if (!Object.hasOwn(SAME_SITE, sameSite)) {
      throw new TypeError(
        `Cannot set a cookie with sameSite ${
          JSON.stringify(sameSite)
        }: it takes "strict", "lax" or "none"`,
      );
    }
    line += `; SameSite=${SAME_SITE[sameSite]}`;
  }
  return line;
}

const SAME_SITE = { strict: "Strict", lax: "Lax", none: "None" } as const;

function checkAttribute(attribute: string, value: string): string {
  if (ATTRIBUTE.test(value)) return value;
  throw new TypeError(
    `Cannot set a cookie with the ${attribute} ${
      JSON.stringify(value)
    }: it may hold neither control characters nor a semicolon`,
  );
}
