// Every option of an application, with unit, default and bounds: the one place
// that fills defaults in and refuses values.

import type { ObserveOptions } from "./observe/options.ts";
import type { CookieOptions } from "./cookies.ts";
import type { HandOverOptions } from "./files/options.ts";
import type { SessionStore, SessionStoreOptions } from "./sessions/store.ts";

/** The limits and time-outs of an application, one set for all its requests. */
export interface LimitOptions {
  /**
   * Connections open at once; more wait in the system's queue, or for a stop.
   *
   * @default {Infinity}
   */
  maxConnections?: number;
  /**
   * Requests in flight on one connection. Beyond it a request is answered
   * with 503 and FCGI_OVERLOADED (FastCGI 1.0, section 5.5).
   *
   * @default {128}
   */
  maxRequestsPerConnection?: number;
  /**
   * Bytes of parameters of one request. Beyond it: 431.
   *
   * @default {131072}
   */
  maxParamsBytes?: number;
  /**
   * Bytes of the body of one request. Beyond it: 413.
   *
   * @default {Infinity}
   */
  maxBodyBytes?: number;
  /**
   * Bytes of a form that are held in memory: an urlencoded body, or the names
   * and text of a multipart form. Beyond it: 413.
   *
   * @default {10485760}
   */
  maxFormBytes?: number;
  /**
   * Bytes of the body of a multipart form, its files included. Beyond it: 413.
   *
   * @default {2147483648}
   */
  maxUploadBytes?: number;
  /**
   * Fields and files of one form. Beyond it: 413.
   *
   * @default {1000}
   */
  maxFormParts?: number;
  /**
   * Milliseconds from FCGI_BEGIN_REQUEST to the end of FCGI_PARAMS; then 408.
   *
   * @default {30000}
   */
  paramsTimeoutMs?: number;
  /**
   * Milliseconds without a byte while the application waits for its body.
   * Beyond it reading the body fails with `BODY_TIMEOUT`, status 408. Also the
   * milliseconds for which the application may leave more than 256 KiB unread;
   * 10,000 at the most where the connection carries other requests, which have
   * to wait behind them. Beyond it: `BODY_STALLED`, 503.
   *
   * @default {60000}
   */
  bodyTimeoutMs?: number;
  /**
   * Milliseconds in which the web server takes no byte of the output. Beyond
   * it the connection is closed.
   *
   * @default {60000}
   */
  writeTimeoutMs?: number;
  /**
   * Milliseconds for a request as a whole. Beyond it `request.signal` fires,
   * and 504 is answered if nothing was sent.
   *
   * @default {Infinity}
   */
  requestTimeoutMs?: number;
  /**
   * Milliseconds a connection stays open without a request. To close first is
   * to lose a request that is under way: keep it above the web server's own.
   *
   * @default {Infinity}
   */
  idleTimeoutMs?: number;
  /**
   * Milliseconds a graceful stop waits for requests in flight. Beyond it they
   * are aborted.
   *
   * @default {30000}
   */
  shutdownTimeoutMs?: number;
  /**
   * Requests after which a worker is replaced, or up to a fifth more.
   *
   * @default {Infinity}
   */
  maxRequests?: number;
  /**
   * Milliseconds for which a worker may stand still. Beyond it: killed.
   *
   * @default {30000}
   */
  stuckTimeoutMs?: number;
  /**
   * Milliseconds from `run()` in a worker until it accepts connections. Beyond
   * it: killed.
   *
   * @default {60000}
   */
  startTimeoutMs?: number;
}

/** The options of an application: the limits, and its public properties. */
export interface ApplicationOptions extends LimitOptions, ObserveOptions {
  /**
   * Whether answers for errors show message, stack and source lines. They are
   * for the developer alone; the web server's log has the stack in any case.
   *
   * @default {false}
   */
  showTraceback?: boolean;
  /**
   * The encoding of written strings, and of form text: `utf-8`, or any
   * single-byte encoding of the Encoding Standard.
   *
   * @default {"utf-8"}
   */
  charset?: string;
  /**
   * Whether text that is not of the charset is taken for ISO-8859-1, rather
   * than refused with 400.
   *
   * @default {true}
   */
  tolerant?: boolean;
  /**
   * A prefix taken off the path of `request.url`, such as `/app`: what
   * SCRIPT_NAME and PATH_INFO hold differs from web server to web server. To
   * a WSGI-style application it is SCRIPT_NAME, and the rest PATH_INFO.
   *
   * @default {""}
   */
  mount?: string;
  /**
   * The directories whose files `response.sendFile()` leaves to the web server.
   * All others it sends itself.
   *
   * @default {none}
   */
  handOver?: HandOverOptions;
  /**
   * The addresses that may connect over TCP: IPv4 and IPv6 addresses and
   * CIDR ranges. A connection from elsewhere is closed unanswered.
   *
   * @default {[]} (any)
   */
  allowedClients?: readonly string[];
  /**
   * What keeps the sessions of `request.session()`.
   *
   * @default {MemorySessionStore} (a new one, loaded when it is first used)
   */
  sessions?: SessionStore;
  /**
   * The attributes of the cookie that carries a session's id, over `HttpOnly`,
   * `SameSite=Lax`, `Path=/`, and `Secure` where the client came over HTTPS.
   *
   * @default {{}}
   */
  sessionCookie?: CookieOptions;
}

/** {@linkcode LimitOptions}, with every default filled in. */
export type Limits = Readonly<Required<LimitOptions>>;

// [default, least, most]; Infinity as the most means that the option may be
// left out of force. Times end below 2^31 ms, the longest a timer takes.
const MOST_MS = 0x7fffffff;
const LIMITS: Readonly<
  Record<keyof LimitOptions, readonly [number, number, number]>
> = {
  maxConnections: [Infinity, 1, Infinity],
  maxRequestsPerConnection: [128, 1, 0xffff],
  maxParamsBytes: [128 * 1024, 1024, 64 * 1024 * 1024],
  maxBodyBytes: [Infinity, 0, Infinity],
  maxFormBytes: [10 * 1024 * 1024, 0, Infinity],
  maxUploadBytes: [2 * 1024 * 1024 * 1024, 0, Infinity],
  maxFormParts: [1_000, 0, Infinity],
  paramsTimeoutMs: [30_000, 1, MOST_MS],
  bodyTimeoutMs: [60_000, 1, MOST_MS],
  writeTimeoutMs: [60_000, 1, MOST_MS],
  requestTimeoutMs: [Infinity, 1, Infinity],
  idleTimeoutMs: [Infinity, 1, Infinity],
  shutdownTimeoutMs: [30_000, 0, MOST_MS],
  maxRequests: [Infinity, 1, Infinity],
  stuckTimeoutMs: [30_000, 2_000, Infinity],
  startTimeoutMs: [60_000, 1, Infinity],
};

/**
 * Fills in the defaults of the limits.
 *
 * @param options What the user set.
 * @returns Every limit.
 * @throws {TypeError} Where a value is no number.
 * @throws {RangeError} Where it is out of bounds or no whole number.
 */
export function resolveLimits(options: LimitOptions): Limits {
  return resolveNumbers(options, LIMITS);
}

/**
 * Fills in the defaults of options that are numbers.
 *
 * @param options What the user set.
 * @param table Of each option its default, the least and the most; Infinity
 * as the most is a value of its own. Names of milliseconds end in `Ms`.
 * @returns Every option.
 * @throws {TypeError} Where a value is no number.
 * @throws {RangeError} Where it is out of bounds or no whole number.
 */
export function resolveNumbers<K extends string>(
  options: { readonly [name in K]?: number },
  table: Readonly<Record<K, readonly [number, number, number]>>,
): Record<K, number> {
  const numbers = {} as Record<K, number>;
  for (const name of Object.keys(table) as K[]) {
    const [standard, least, most] = table[name];
    const value = options[name] ?? standard;
    if (typeof value !== "number") {
      throw new TypeError(
        `Cannot set ${name} to a ${typeof value}: it takes a number`,
      );
    }
    const isWhole = Number.isInteger(value) || value === Infinity;
    const isTooLong = name.endsWith("Ms") && value > MOST_MS &&
      value < Infinity;
    if (!isWhole || value < least || value > most || isTooLong) {
      const bounds = isTooLong ? `${MOST_MS}, or Infinity` : most;
      throw new RangeError(
        `Cannot set ${name} to ${value}: it takes a whole number of ${least} to ${bounds}`,
      );
    }
    numbers[name] = value;
  }
  return numbers;
}

/** Ten years, in seconds. */
const MOST_TTL = 10 * 365 * 24 * 3600;
/** The most that {@linkcode SessionStoreOptions.maxBytes} may be. */
const MOST_SESSION_BYTES = 16 * 1024 * 1024;

/**
 * Fills in the defaults of the options that all stores of sessions have.
 *
 * @param options What the user set.
 * @param mostBytes The most that `maxBytes` may be.
 * @returns Every option.
 * @throws {TypeError} Where a value is of the wrong type, or the name no token.
 * @throws {RangeError} Where it is out of bounds.
 */
export function resolveSessionStore(
  options: SessionStoreOptions = {},
  mostBytes: number = MOST_SESSION_BYTES,
): Required<SessionStoreOptions> {
  const { ttl = 900, name = "SID" } = options;
  if (typeof ttl !== "number") {
    throw new TypeError(`Cannot set ttl to a ${typeof ttl}: it takes a number`);
  }
  if (!(ttl > 0 && ttl <= MOST_TTL)) {
    throw new RangeError(
      `Cannot set ttl to ${ttl}: it takes seconds, more than 0 and up to ${MOST_TTL}`,
    );
  }
  if (
    typeof name !== "string" || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)
  ) {
    throw new TypeError(
      `Cannot name the session cookie ${
        JSON.stringify(name)
      }: a name is a token`,
    );
  }
  const { maxBytes } = resolveNumbers<"maxBytes">(options, {
    maxBytes: [32 * 1024, 64, mostBytes],
  });
  return { ttl, name, maxBytes };
}

/**
 * Checks and normalises a mount prefix.
 *
 * @param mount The prefix, with or without a slash at its end.
 * @returns It, without.
 * @throws {RangeError} Where it is not empty and does not begin with a slash.
 */
export function resolveMount(mount: string): string {
  if (mount !== "" && !mount.startsWith("/")) {
    throw new RangeError(
      `Cannot mount at "${mount}": a mount begins with a slash`,
    );
  }
  return mount.replace(/\/+$/, "");
}

/** {@linkcode HandOverOptions}: of each server its directories and places. */
export type HandOver = ReadonlyMap<
  string,
  readonly (readonly [
    directory: string,
    place: string,
  ])[]
>;

/** What the places of each server begin with; null for none. */
const PLACES: Readonly<
  Record<keyof HandOverOptions, readonly string[] | null>
> = {
  nginx: ["/"],
  lighttpd: null,
  apache: null,
  caddy: ["/"],
  h2o: ["/", "http://"],
};

/**
 * Checks where web servers may send files from.
 *
 * @param options What the user set.
 * @returns Each server's directories; the place is empty where there is none.
 * @throws {TypeError} Where a server is not known, or has no directories.
 * @throws {RangeError} Where a place is none.
 */
export function resolveHandOver(options: HandOverOptions): HandOver {
  const handOver = new Map<string, (readonly [string, string])[]>();
  for (const [server, directories] of Object.entries(options)) {
    const begins = PLACES[server as keyof HandOverOptions];
    if (begins === undefined) {
      throw new TypeError(
        `Cannot hand files over to "${server}": it takes ${
          Object.keys(PLACES).join(", ")
        }`,
      );
    }
    if (Array.isArray(directories) !== (begins === null)) {
      throw new TypeError(
        `Cannot hand files over to ${server} so: it takes ${
          begins === null ? "an array of directories" : "a place per directory"
        }`,
      );
    }
    const places = begins === null
      ? (directories as string[]).map((directory) => [directory, ""] as const)
      : Object.entries(directories as Record<string, string>);
    for (const [, place] of places) {
      const isPlace = begins === null ||
        /^[!-~]+$/.test(place) && begins.some((text) => place.startsWith(text));
      if (isPlace) continue;
      throw new RangeError(
        `Cannot hand files over to ${server} at "${place}": it takes what begins with ${
          begins.join(" or ")
        }`,
      );
    }
    handOver.set(server, places);
  }
  return handOver;
}

/** The encodings of the Encoding Standard of several bytes a character. */
const MULTI_BYTE: ReadonlySet<string> = new Set([
  ..."big5 euc-jp euc-kr gb18030 gbk iso-2022-jp".split(" "),
  ..."replacement shift_jis utf-16be utf-16le".split(" "),
]);

/**
 * Checks a charset.
 *
 * @param label A label of the Encoding Standard.
 * @returns The decoder it names.
 * @throws {RangeError} Where there is no such charset, or it is of several
 * bytes a character and not UTF-8.
 */
export function checkCharset(label: string): TextDecoder {
  const decoder = new TextDecoder(label);
  if (MULTI_BYTE.has(decoder.encoding)) {
    throw new RangeError(
      `Cannot write text as "${label}": only utf-8 and single-byte encodings can be written`,
    );
  }
  return decoder;
}
