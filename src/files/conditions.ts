// Conditional requests (RFC 9110, section 13): whether a client has what it asks
// for, or asks for what is no longer there.

/** What tells one state of a file from another (RFC 9110, section 8.8). */
export interface Validators {
  /** The entity tag, as it is sent; empty where there is none. */
  readonly etag: string;
  /** Milliseconds, at a whole second; NaN where it is unknown. */
  readonly lastModified: number;
  /** Whether the file surely did not change again within that second. */
  readonly isDateStrong: boolean;
}

/** Looks a header of the request up: undefined where there is none. */
export type RequestHeader = (name: string) => string | undefined;

/**
 * Decides what a GET or HEAD of a file is answered with, in the order of RFC
 * 9110, section 13.2.2.
 *
 * @param header The request's headers.
 * @param validators The file's.
 * @returns The status: 200, 304 or 412.
 */
export function evaluateConditions(
  header: RequestHeader,
  { etag, lastModified }: Validators,
): 200 | 304 | 412 {
  const ifMatch = header("If-Match");
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, etag, true)) return 412;
  } else {
    const unmodifiedSince = parseDate(header("If-Unmodified-Since"));
    if (lastModified > unmodifiedSince) return 412;
  }
  const ifNoneMatch = header("If-None-Match");
  if (ifNoneMatch !== undefined) {
    return matches(ifNoneMatch, etag, false) ? 304 : 200;
  }
  const modifiedSince = parseDate(header("If-Modified-Since"));
  return lastModified <= modifiedSince ? 304 : 200;
}

/**
 * Whether ranges may be sent: the client has the other parts of this very state
 * (RFC 9110, section 13.1.5).
 *
 * @param header The request's headers.
 * @param validators The file's.
 * @returns Whether, also where there is no condition.
 */
export function mayBeRanges(
  header: RequestHeader,
  { etag, lastModified, isDateStrong }: Validators,
): boolean {
  const ifRange = header("If-Range");
  if (ifRange === undefined) return true;
  if (/^(?:W\/)?"/.test(ifRange)) return isStrong(etag) && ifRange === etag;
  return isDateStrong && parseDate(ifRange) === lastModified;
}

/** Whether a list of entity tags has one (RFC 9110, section 8.8.3.2). */
function matches(list: string, etag: string, strongly: boolean): boolean {
  if (list.trim() === "*") return true;
  if (etag === "" || strongly && !isStrong(etag)) return false;
  const tags: string[] = list.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return strongly
    ? tags.includes(etag)
    : tags.some((tag) => opaque(tag) === opaque(etag));
}

function isStrong(etag: string): boolean {
  return etag.startsWith('"');
}

function opaque(etag: string): string {
  return etag.replace(/^W\//, "");
}

/** The forms of a date (RFC 9110, section 5.6.7); two of them are history. */
const DATES: readonly [form: RegExp, zone: string][] = [
  [/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/, ""],
  [/^\w{6,9}, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT$/, ""],
  [/^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$/, " GMT"],
];

/** Milliseconds, NaN for what is no date, which is then ignored. */
function parseDate(text: string | undefined): number {
  if (text === undefined) return NaN;
  for (const [form, zone] of DATES) {
    if (form.test(text)) return Date.parse(text + zone);
  }
  return NaN;
}
