// HTTP status codes and their reason phrases (RFC 9110, section 15, and the
// IANA registry). A reason is always sent: H2O and HAProxy make a wrong or
// empty one of a bare number.

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  418: "I'm a Teapot",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  511: "Network Authentication Required",
};

/**
 * The reason phrase of a status.
 *
 * @param status The status, 200 to 599.
 * @returns The registered phrase, or that of its class.
 */
export function reasonPhrase(status: number): string {
  return REASONS[status] ?? REASONS[Math.floor(status / 100) * 100] ??
    "Unknown";
}

/**
 * Whether a response of a status has no body (RFC 9110, sections 6.4.1 and
 * 15.3.6). H2O and HAProxy break the connection where one is sent all the same.
 *
 * @param status The status.
 * @returns Whether it is 204, 205 or 304.
 */
export function isNullBodyStatus(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/**
 * Checks a status. 1xx is refused: every web server treats it as final, and
 * breaks the response.
 *
 * @param status The status.
 * @throws {RangeError} Where it is no whole number of 200 to 599.
 */
export function checkStatus(status: number): void {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(
      `Cannot answer with a status other than 200 to 599: current value is ${status}`,
    );
  }
}

/**
 * Checks the status of a redirect.
 *
 * @param status The status.
 * @throws {RangeError} Where it is none that redirects.
 */
export function checkRedirect(status: number): void {
  if (![301, 302, 303, 307, 308].includes(status)) {
    throw new RangeError(
      `Cannot redirect with status ${status}: it takes 301, 302, 303, 307 or 308`,
    );
  }
}

/**
 * Checks a reason phrase.
 *
 * @param text The phrase.
 * @throws {TypeError} Where it would break the line.
 */
export function checkStatusText(text: string): void {
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) {
    throw new TypeError(
      `Cannot set the status text to ${
        JSON.stringify(text)
      }: it may hold no control or wide characters`,
    );
  }
}
