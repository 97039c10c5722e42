// CGI variables (RFC 3875, section 4.1) to HTTP words: which variable is which
// header, and what a repeated one means. Web servers differ here; the table at
// the end says how, each row with its reason.

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
  return Object.hasOwn(NO_HEADER, name) ? null : name;
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
    "HTTP_CONNECTION",
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
    "HTTP_TE",
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
 * 5.3; for Cookie RFC 6265, section 5.4). nginx before 1.23, HAProxy and H2O
 * repeat the variable.
 *
 * @param name The header's name in lower case.
 * @param first The value so far.
 * @param second The further value.
 * @returns Both.
 */
export function joinValues(
  name: string,
  first: string,
  second: string,
): string {
  return first + (name === "cookie" ? "; " : ", ") + second;
}

/** What no variable that begins with HTTP_ stands for, and why. */
const NO_HEADER: Readonly<Record<string, string>> = {
  "proxy":
    "httpoxy: nginx, Caddy and H2O pass a client's Proxy header, which programs take for the variable of that name",
  "content-length":
    "a client's Content_Length header next to the real CONTENT_LENGTH (lighttpd, Caddy, H2O)",
  "content-type":
    "a client's Content_Type header next to the real CONTENT_TYPE (nginx, Caddy)",
};

/**
 * The headers of a request.
 *
 * @param each Gives every variable, those without a value as well.
 * @param contentLength The length of the body, less than 0 where it is unknown.
 * @returns The headers.
 */
export function headersOf(
  each: (take: (variable: string, value: string) => void) => void,
  contentLength: number,
): Headers {
  const values = new Map<string, string>();
  each((variable, value) => {
    const name = headerName(variable);
    if (name === null) return;
    // nginx and Caddy say so where there is none.
    if (variable === "CONTENT_TYPE" && value === "") return;
    const before = values.get(name);
    values.set(
      name,
      before === undefined || name === "content-type"
        ? value
        : joinValues(name, before, value),
    );
  });
  if (contentLength >= 0) values.set("content-length", String(contentLength));
  const headers = new Headers();
  for (const [name, value] of values) {
    // A NUL or a line end in it is a web server's fault: it is no value.
    if (!/[\0\r\n]/.test(value)) headers.append(name, value);
  }
  return headers;
}
