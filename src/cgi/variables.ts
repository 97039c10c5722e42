// CGI variables (RFC 3875, section 4.1) to HTTP words: which variable is which
// header, what a repeated one means, and what is taken for a value. Web servers
// differ here; the table QUIRKS says how, each row with its reason, so that the
// same comes out whichever of them is in front. tests/live holds them to it.

/** Reads a variable as ISO-8859-1, so that each character is one byte. */
export type ReadVariable = (name: string) => string | null;

/** Headers in the order sent, names in lower case. */
export type HeaderList = [name: string, value: string][];

/** A header name (RFC 9110, section 5.6.2), after HTTP_. */
const TOKEN = /^HTTP_[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * The header that a variable stands for.
 *
 * @param variable The variable's name, such as `HTTP_USER_AGENT`.
 * @returns The header's name in lower case, or null where it is none.
 */
export function headerName(variable: string): string | null {
  const known = COMMON_NAMES.get(variable);
  if (known !== undefined) return known;
  if (variable === "CONTENT_TYPE") return "content-type";
  // Caddy and H2O pass odd names through (HTTP_X.DOT); some are no header.
  if (!TOKEN.test(variable)) return null;
  const name = toHeaderName(variable);
  return NO_HEADERS.has(name) ? null : name;
}

function toHeaderName(variable: string): string {
  return variable.slice("HTTP_".length).replaceAll("_", "-").toLowerCase();
}

/** What browsers and web servers send, to spare the replacing. */
const COMMON_NAMES: ReadonlyMap<string, string> = new Map(
  [
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_AUTHORIZATION",
    "HTTP_CACHE_CONTROL",
    "HTTP_COOKIE",
    "HTTP_HOST",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_NONE_MATCH",
    "HTTP_ORIGIN",
    "HTTP_PRAGMA",
    "HTTP_RANGE",
    "HTTP_REFERER",
    "HTTP_SEC_FETCH_DEST",
    "HTTP_SEC_FETCH_MODE",
    "HTTP_SEC_FETCH_SITE",
    "HTTP_SEC_FETCH_USER",
    "HTTP_TRACEPARENT",
    "HTTP_UPGRADE_INSECURE_REQUESTS",
    "HTTP_USER_AGENT",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REQUEST_ID",
  ].map((variable) => [variable, toHeaderName(variable)]),
);

/**
 * Joins the values of a header that came more than once (RFC 9110, section
 * 5.3).
 *
 * @param name The header's name in lower case.
 * @param first The value so far.
 * @param second The further value.
 * @returns What both mean.
 */
export function joinValues(
  name: string,
  first: string,
  second: string,
): string {
  const [join] = JOINS.get(name) ?? [];
  return join === undefined ? `${first}, ${second}` : join(first, second);
}

/**
 * What is taken for a value.
 *
 * @param name The header's name in lower case, or that of a variable which is
 * none.
 * @param value What the web server says.
 * @param read Reads a variable.
 * @returns The value, null where there is none.
 */
export function normalValue(
  name: string,
  value: string,
  read: ReadVariable,
): string | null {
  let normal: string | null = value;
  for (const normalise of VALUES.get(name) ?? NONE) {
    if (normal !== null) normal = normalise(normal, read);
  }
  return normal;
}

/**
 * What a web server calls a request by: what it has made itself before what a
 * client may have sent.
 */
const REQUEST_IDS = ["REQUEST_ID", "UNIQUE_ID", "HTTP_X_REQUEST_ID"] as const;

/**
 * The id that the web server has given a request: REQUEST_ID, UNIQUE_ID
 * (Apache's mod_unique_id) or the header X-Request-Id.
 *
 * @param read Reads a variable.
 * @returns It, null where there is none.
 */
export function requestId(
  read: (name: string) => string | null,
): string | null {
  for (const name of REQUEST_IDS) {
    const id = read(name);
    if (id) return id;
  }
  return null;
}

/**
 * One variable as it is taken.
 *
 * @param name The variable, which is no header.
 * @param read Reads a variable.
 * @returns The value, null where there is none.
 */
export function normalVariable(
  name: string,
  read: ReadVariable,
): string | null {
  const value = read(name);
  return value === null ? null : normalValue(name, value, read);
}

/**
 * Whether a web server sends no more of a body once the response has begun, and
 * yet waits for FCGI_END_REQUEST, as nginx does: its client, who has the whole
 * answer, would wait as long with its next request.
 *
 * @param read Reads a variable.
 * @returns Whether it does.
 */
export function stopsAtResponse(read: ReadVariable): boolean {
  return isSoftware(read, /^nginx/);
}

/** What no value may hold: a NUL or a line end is a web server's fault. */
const NO_VALUE = /[\0\r\n]/;

/**
 * All headers of a request, repeated ones joined.
 *
 * @param each Gives every variable, a character per byte.
 * @param contentLength The length of the body, negative where it is unknown.
 * @param read Reads a variable.
 * @returns The headers.
 */
export function requestHeaders(
  each: (pair: (variable: string, value: string) => void) => void,
  contentLength: number,
  read: ReadVariable,
): HeaderList {
  const headers: HeaderList = [];
  const places = new Map<string, number>();
  each((variable, value) => {
    const name = headerName(variable);
    if (name === null) return;
    const place = places.get(name);
    if (place === undefined) {
      places.set(name, headers.length);
      headers.push([name, value]);
    } else {
      const header = headers[place]!;
      header[1] = joinValues(name, header[1], value);
    }
  });
  if (contentLength >= 0) {
    headers.push(["content-length", String(contentLength)]);
  }
  return headers.filter((header) => {
    const value = normalValue(header[0], header[1], read);
    if (value === null || NO_VALUE.test(value)) return false;
    header[1] = stripBlanks(value);
    return true;
  });
}

/**
 * A header's value without the blanks and tabs around it (RFC 9110, section
 * 5.5). `trim` takes other characters too; an expression would look for the
 * end at every blank.
 *
 * @param value The value.
 * @returns What of it counts.
 */
export function stripBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value, start)) start++;
  while (end > start && isBlank(value, end - 1)) end--;
  return value.slice(start, end);
}

function isBlank(text: string, at: number): boolean {
  return text[at] === " " || text[at] === "\t";
}

/** A way in which web servers differ: what is made of it is one of three. */
interface Quirk {
  /** Headers in lower case, or variables that are none. */
  readonly of: readonly string[];
  /** Who does so, of the versions that the tests run and others known. */
  readonly servers: string;
  /** What they do, and why it is handled so. */
  readonly reason: string;
  /** It is no header. */
  readonly isNone?: true;
  /** What two values of it mean. */
  readonly join?: (first: string, second: string) => string;
  /** What is taken for its value, null for none. */
  readonly value?: (value: string, read: ReadVariable) => string | null;
}

/** Of the rows of one name, each is given the value of the one before. */
const QUIRKS: readonly Quirk[] = [
  {
    of: ["proxy"],
    servers: "nginx, Caddy, H2O",
    reason:
      "httpoxy: they pass a client's Proxy header, which programs take for the variable of that name",
    isNone: true,
  },
  {
    of: ["content-length", "content-type"],
    servers: "nginx, lighttpd, Caddy, H2O",
    reason:
      "next to the real CONTENT_LENGTH and CONTENT_TYPE they send a copy, or a client's Content_Length header",
    isNone: true,
  },
  {
    of: [
      "connection",
      "keep-alive",
      "proxy-connection",
      "te",
      "trailer",
      "transfer-encoding",
      "upgrade",
    ],
    servers: "all, each others of them",
    reason:
      "they are about the client's connection, which ends at the web server (RFC 9110, section 7.6.1); mod_fcgid makes Connection close",
    isNone: true,
  },
  {
    of: ["expect"],
    servers: "all but H2O",
    reason: "they have answered it themselves",
    isNone: true,
  },
  {
    of: ["cookie"],
    servers: "nginx before 1.23, HAProxy",
    reason: "they repeat it; cookies are parted so (RFC 6265, section 4.2.1)",
    join: (first, second) => `${first}; ${second}`,
  },
  {
    of: ["host", "content-type"],
    servers: "nginx",
    reason:
      "a fastcgi_param stands beside the one of fastcgi_params: as of every variable, the last counts",
    join: (_, second) => second,
  },
  {
    of: ["cookie"],
    servers: "Apache, Caddy",
    reason:
      "they join two with a comma and a blank, which no cookie may hold (RFC 6265, section 4.1.1)",
    value: (value, read) =>
      value.includes(", ") && isSoftware(read, /^(?:Apache|Caddy)/)
        ? value.replace(/, (?=[!#$%&'*+\-.^_`|~0-9A-Za-z]+=)/g, "; ")
        : value,
  },
  {
    of: ["cookie"],
    servers: "H2O",
    reason: "it joins two without a blank",
    value: (value, read) =>
      /;(?! )/.test(value) && isSoftware(read, /^h2o/)
        ? value.replace(/;(?! |$)/g, "; ")
        : value,
  },
  {
    of: ["host"],
    servers: "nginx, lighttpd",
    reason: "they write it in lower case, which means the same",
    value: (value) => value.toLowerCase(),
  },
  {
    of: ["content-type", "host", "user-agent"],
    servers: "nginx, Caddy",
    reason: "they send it without a value where the client sends none",
    value: (value) => value === "" ? null : value,
  },
  {
    of: ["content-type"],
    servers: "Caddy",
    reason:
      "where the client sends none it says that of a form, but for GET, HEAD and OPTIONS; the client's own it sends twice",
    value: (value, read) =>
      value === "application/x-www-form-urlencoded" &&
        isSoftware(read, /^Caddy/) && read("HTTP_CONTENT_TYPE") === null
        ? null
        : value,
  },
  {
    of: ["content-length"],
    servers: "lighttpd, mod_fcgid, Caddy, HAProxy",
    reason:
      "they send 0 where the client sends none; only with three methods does it say anything (RFC 9110, section 8.6)",
    value: (value, read) =>
      value !== "0" || /^(?:POST|PUT|PATCH)$/.test(read("REQUEST_METHOD") ?? "")
        ? value
        : null,
  },
  {
    of: ["REQUEST_URI"],
    servers: "Apache, H2O",
    reason:
      "they pass the absolute form on (RFC 9112, section 3.2.2); of the others it is path and query",
    value: (value) =>
      /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/is.exec(value)?.[1] ?? value,
  },
  {
    of: ["SCRIPT_NAME"],
    servers: "nginx, HAProxy, mod_proxy_fcgi",
    reason:
      "they know no script: it is the whole path, by which an application routes, and there is no PATH_INFO",
    value: (value, read) =>
      read("PATH_INFO") === null &&
        (isSoftware(read, /^(?:nginx|HAProxy)/i) ||
          read("SCRIPT_FILENAME")?.startsWith("proxy:"))
        ? ""
        : value,
  },
  {
    of: ["SERVER_NAME"],
    servers: "HAProxy",
    reason: "it is the Host header, with its port",
    value: (value) => value.replace(/:\d*$/, ""),
  },
  {
    of: ["SERVER_PORT"],
    servers: "HAProxy",
    reason: "the port in SERVER_NAME is the one the client asked for",
    value: (value, read) =>
      /:(\d*)$/.exec(read("SERVER_NAME") ?? "")?.[1] ?? value,
  },
  {
    of: ["REMOTE_ADDR"],
    servers: "nginx, HAProxy",
    reason:
      "at a socket of both kinds an IPv4 client has an IPv6 address (RFC 4291, section 2.5.5.2)",
    value: (value) => value.replace(/^::ffff:(?=[\d.]+$)/i, ""),
  },
];

function isSoftware(read: ReadVariable, software: RegExp): boolean {
  return software.test(read("SERVER_SOFTWARE") ?? "");
}

const NO_HEADERS: ReadonlySet<string> = new Set(
  QUIRKS.filter(({ isNone }) => isNone).flatMap(({ of }) => of),
);
const NONE: readonly never[] = [];
const JOINS = byName(({ join }) => join);
const VALUES = byName(({ value }) => value);

/** What the rows say of each name, in their order. */
function byName<T>(
  pick: (quirk: Quirk) => T | undefined,
): ReadonlyMap<string, readonly T[]> {
  const found = new Map<string, T[]>();
  for (const quirk of QUIRKS) {
    const said = pick(quirk);
    if (said === undefined) continue;
    for (const name of quirk.of) {
      found.set(name, [...found.get(name) ?? [], said]);
    }
  }
  return found;
}
