// Log formats: what a line of the access log says of a request, from the tokens
// of PHP-FPM's `access.format`, a few more, and the formats that have names.
//
// Whatever a client or a web server sent is written as printable ASCII: a line
// is always one line, and harmless to the terminal that shows it.

import { requestId } from "../cgi/variables.ts";
import { StartError } from "../errors.ts";
import type { Exchange } from "../server/exchange.ts";

/** A request that is over, as a line tells it. */
export interface LoggedRequest {
  /** Its exchange, whose parameters are gone. */
  readonly exchange: Exchange;
  /** Parameters, a character per byte, by name; null for those not sent. */
  readonly params: ReadonlyMap<string, string | null>;
  /** When it came, in milliseconds since 1970. */
  readonly beganAt: number;
  /** When it was over. */
  readonly endedAt: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
  /** The name of the application's class. */
  readonly application: string;
}

/** A format, ready for use. */
export interface LogFormat {
  /** The parameters it tells of. */
  readonly params: readonly string[];
  /**
   * Writes the line of a request, without its end.
   *
   * @param request The request.
   * @returns ASCII without control characters.
   */
  write(request: LoggedRequest): string;
}

/** The formats that have names. */
const NAMED: Readonly<Record<string, string>> = {
  common: '%R - %u [%t] "%m %r%Q%q %{SERVER_PROTOCOL}e" %s %b',
  combined:
    '%R - %u [%t] "%m %r%Q%q %{SERVER_PROTOCOL}e" %s %b "%{HTTP_REFERER}e" "%{HTTP_USER_AGENT}e"',
};

/** Of a longer value the rest is left out. */
const MOST_CHARACTERS = 4096;

/** Where nothing is known. */
const NOTHING = "-";

/** The status of a request that was given up before it was answered (nginx). */
const GIVEN_UP = 499;

/**
 * The status a request was answered with.
 *
 * @param exchange The request.
 * @returns It, 499 where it was given up unanswered.
 */
export function statusOf(exchange: Exchange): number {
  return exchange.output.isHeadSent ? exchange.output.head!.status : GIVEN_UP;
}

/** A part of a line. */
type Piece = LogFormat;

type Token = (argument: string) => Piece | null;

const TARGET = ["REQUEST_URI", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"];
const IDS = ["REQUEST_ID", "UNIQUE_ID", "HTTP_X_REQUEST_ID"];

// PHP-FPM's, and %b, %i beside them.
const TOKENS: Readonly<Record<string, Token>> = {
  // Requests share the process: what one of them took of it nobody knows.
  C: unknown("", "user", "system", "total"),
  M: unknown("", "bytes", "kilo", "kilobytes", "mega", "megabytes"),
  R: none(() => param("REMOTE_ADDR")),
  T: time((request) => request.endedAt),
  Q: none(() => ({
    params: TARGET,
    write: ({ params }) => queryOf(params) === "" ? "" : "?",
  })),
  P: fixed(() => String(Deno.ppid)),
  b: fixed(({ exchange }) => String(exchange.output.bodyBytes)),
  d: duration,
  e: (name) => name === "" ? null : param(name),
  f: none(() => param("SCRIPT_FILENAME")),
  i: none(() => ({
    params: IDS,
    write: ({ params }) => safe(requestId((name) => params.get(name) ?? null)),
  })),
  l: fixed(({ exchange }) => String(Math.max(0, exchange.contentLength))),
  m: none(() => param("REQUEST_METHOD")),
  n: fixed(({ application }) => safe(application)),
  o: (name) =>
    name === ""
      ? null
      : plain(({ exchange }) =>
        safe(exchange.output.head?.header(name) ?? null)
      ),
  p: fixed(() => String(Deno.pid)),
  q: none(() => ({
    params: TARGET,
    write: ({ params }) => safe(queryOf(params), ""),
  })),
  r: none(() => ({
    params: TARGET,
    write: ({ params }) => safe(targetOf(params).split("?", 1)[0]!),
  })),
  s: fixed(({ exchange }) => String(statusOf(exchange))),
  t: time((request) => request.beganAt),
  u: none(() => param("REMOTE_USER")),
  "%": fixed(() => "%"),
};

function none(make: () => Piece): Token {
  return (argument) => argument === "" ? make() : null;
}

function unknown(...allowed: string[]): Token {
  return (unit) => allowed.includes(unit) ? plain(() => NOTHING) : null;
}

function plain(write: Piece["write"]): Piece {
  return { params: [], write };
}

function fixed(write: Piece["write"]): Token {
  return none(() => plain(write));
}

function param(name: string): Piece {
  return {
    params: [name],
    write: ({ params }) => safe(params.get(name) ?? null),
  };
}

function time(of: (request: LoggedRequest) => number): Token {
  return (argument) => {
    const write = formatTime(argument || "%d/%b/%Y:%H:%M:%S %z");
    return write === null ? null : plain((request) => write(of(request)));
  };
}

function duration(unit: string): Piece | null {
  switch (unit) {
    case "":
    case "seconds":
      return plain(({ durationMs }) => (durationMs / 1000).toFixed(3));
    case "milli":
    case "milliseconds":
      return plain(({ durationMs }) => durationMs.toFixed(3));
    case "micro":
    case "microseconds":
      return plain(({ durationMs }) => (durationMs * 1000).toFixed(0));
    default:
      return null;
  }
}

/** The target as it was asked for; `-` where nothing tells. */
function targetOf(params: LoggedRequest["params"]): string {
  const uri = params.get("REQUEST_URI");
  if (uri) return uri;
  return `${params.get("SCRIPT_NAME") ?? ""}${params.get("PATH_INFO") ?? ""}` ||
    NOTHING;
}

function queryOf(params: LoggedRequest["params"]): string {
  const uri = params.get("REQUEST_URI") ?? "";
  const at = uri.indexOf("?");
  return at < 0 ? params.get("QUERY_STRING") ?? "" : uri.slice(at + 1);
}

function cut(value: string): string {
  return value.length > MOST_CHARACTERS
    ? value.slice(0, MOST_CHARACTERS) + "..."
    : value;
}

/**
 * A value as printable ASCII, with which no line can be broken, nor a quoted
 * part of one.
 *
 * @param value The value, null for none.
 * @param nothing What there is in place of none.
 * @returns It.
 */
export function safe(value: string | null, nothing = NOTHING): string {
  if (value === null || value === "") return nothing;
  // A character is a byte, but for what an application says of itself.
  return cut(value).replace(/[^ -~]|["\\]/g, (character) => {
    if (character === '"' || character === "\\") return `\\${character}`;
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2
      ? `\\u${code.padStart(4, "0")}`
      : `\\x${code.padStart(2, "0")}`;
  });
}

/**
 * Makes a format ready for use.
 *
 * @param format `common`, `combined`, `json`, or tokens.
 * @returns It.
 * @throws {StartError} `BAD_ARGUMENT` where it has a token that there is not.
 */
export function compileFormat(format: string): LogFormat {
  if (format === "json") return JSON_FORMAT;
  const text = Object.hasOwn(NAMED, format) ? NAMED[format]! : format;
  const pieces: Piece[] = [];
  const bad = (why: string) =>
    new StartError(
      "BAD_ARGUMENT",
      `Cannot log requests as ${JSON.stringify(format)}: ${why}`,
    );
  if (!text.includes("%")) {
    throw bad("write common, combined, json, or a format with tokens");
  }
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x08\x0a-\x1f]/.test(text)) {
    throw bad("it has a control character");
  }
  for (const [found, argument, name] of text.matchAll(PARTS)) {
    if (name === undefined) {
      if (found === "%") throw bad("a % at its end is no token, %% is one");
      pieces.push(plain(() => found));
      continue;
    }
    const make = Object.hasOwn(TOKENS, name) ? TOKENS[name]! : null;
    if (make === null) throw bad(`%${name} is no token`);
    const piece = make(argument ?? "");
    if (piece === null) {
      throw bad(
        argument === undefined
          ? `%${name} needs a name, as in %{NAME}${name}`
          : `{${argument}} is nothing for %${name}`,
      );
    }
    pieces.push(piece);
  }
  return {
    params: [...new Set(pieces.flatMap(({ params }) => params))],
    write: (request) => {
      let line = "";
      for (const piece of pieces) line += piece.write(request);
      return line;
    },
  };
}

/** A token, a text without any, or a % that is none. */
const PARTS = /%(?:\{([^}]*)\})?([^{])|[^%]+|%/gs;

/** One object of JSON a line; its names stay, and more may come. */
const JSON_FORMAT: LogFormat = {
  params: [
    ...TARGET,
    ...IDS,
    "REMOTE_ADDR",
    "REMOTE_USER",
    "REQUEST_METHOD",
    "SERVER_PROTOCOL",
    "HTTP_HOST",
    "HTTP_REFERER",
    "HTTP_USER_AGENT",
  ],
  write(request) {
    const { exchange, params } = request;
    const { output } = exchange;
    const read = (name: string) => params.get(name) || null;
    const query = queryOf(params);
    const text = JSON.stringify({
      time: new Date(request.beganAt).toISOString(),
      remoteAddr: read("REMOTE_ADDR"),
      user: decoded(read("REMOTE_USER")),
      method: decoded(read("REQUEST_METHOD")),
      path: decoded(targetOf(params).split("?", 1)[0]!),
      query: query === "" ? null : decoded(query),
      protocol: decoded(read("SERVER_PROTOCOL")),
      host: decoded(read("HTTP_HOST")),
      status: statusOf(exchange),
      appStatus: output.appStatus,
      isAborted: exchange.isAborted,
      bytes: output.bodyBytes,
      requestBytes: exchange.contentLength < 0 ? null : exchange.contentLength,
      durationMs: Number(request.durationMs.toFixed(3)),
      referrer: decoded(read("HTTP_REFERER")),
      userAgent: decoded(read("HTTP_USER_AGENT")),
      requestId: decoded(requestId(read)),
      pid: Deno.pid,
    });
    return text.replace(
      /[\x7f-\uffff]/g,
      (character) =>
        `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  },
};

const decoder = new TextDecoder();

/** A character per byte, read as UTF-8. */
function decoded(value: string | null): string | null {
  if (value === null) return null;
  const text = cut(value);
  return /[^\0-\x7f]/.test(text)
    ? decoder.decode(Uint8Array.from(text, (c) => c.charCodeAt(0)))
    : text;
}

// Times: what log formats use of strftime(3), in the time zone of the process

type WriteDate = (date: Date) => string;

const DAYS = "Sun Mon Tues Wednes Thurs Fri Satur".split(" ");
const MONTHS =
  "January February March April May June July August September October November December"
    .split(" ");

const DAY_MS = 86_400_000;

function digits(value: number, count = 2, filler = "0"): string {
  return String(value).padStart(count, filler);
}

function dayOfYear(date: Date): number {
  const year = date.getFullYear();
  const midnight = Date.UTC(year, date.getMonth(), date.getDate());
  return (midnight - Date.UTC(year, 0, 0)) / DAY_MS;
}

function zone(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return (minutes < 0 ? "-" : "+") + digits(Math.trunc(size / 60)) +
    digits(size % 60);
}

const CONVERSIONS: Readonly<Record<string, WriteDate>> = {
  A: (date) => `${DAYS[date.getDay()]}day`,
  B: (date) => MONTHS[date.getMonth()]!,
  H: (date) => digits(date.getHours()),
  I: (date) => digits(date.getHours() % 12 || 12),
  M: (date) => digits(date.getMinutes()),
  S: (date) => digits(date.getSeconds()),
  Y: (date) => String(date.getFullYear()),
  a: (date) => DAYS[date.getDay()]!.slice(0, 3),
  b: (date) => MONTHS[date.getMonth()]!.slice(0, 3),
  d: (date) => digits(date.getDate()),
  e: (date) => digits(date.getDate(), 2, " "),
  j: (date) => digits(dayOfYear(date), 3),
  m: (date) => digits(date.getMonth() + 1),
  p: (date) => date.getHours() < 12 ? "AM" : "PM",
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  y: (date) => digits(date.getFullYear() % 100),
  z: zone,
  "%": () => "%",
};

const SHORT: Readonly<Record<string, string>> = {
  D: "%m/%d/%y",
  F: "%Y-%m-%d",
  T: "%H:%M:%S",
};

/**
 * Makes a format of strftime(3) ready for use.
 *
 * @param format The format.
 * @returns What writes a time, given in milliseconds since 1970; null where the
 * format has a conversion that there is not.
 */
function formatTime(format: string): ((time: number) => string) | null {
  const whole = format.replace(
    /%(.)/gs,
    (found, letter: string) =>
      Object.hasOwn(SHORT, letter) ? SHORT[letter]! : found,
  );
  const pieces: WriteDate[] = [];
  for (const [found, letter] of whole.matchAll(/%(.?)|[^%]+/gs)) {
    if (letter === undefined) pieces.push(() => found);
    else if (!Object.hasOwn(CONVERSIONS, letter)) return null;
    else pieces.push(CONVERSIONS[letter]!);
  }
  let second = NaN;
  let text = "";
  return (time) => {
    const now = Math.floor(time / 1000);
    if (now !== second) {
      const date = new Date(time);
      second = now;
      text = pieces.map((write) => write(date)).join("");
    }
    return text;
  };
}
