// The names that web servers send, found without being decoded: a string that
// stands in the program is made a property name three times as fast as one
// that was just cut out of another.

/** The names, each of five characters at least. */
export const KNOWN_NAMES: readonly string[] = [
  "AUTH_TYPE",
  "CONTENT_LENGTH",
  "CONTENT_TYPE",
  "DOCUMENT_ROOT",
  "DOCUMENT_URI",
  "FCGI_ROLE",
  "GATEWAY_INTERFACE",
  "HTTPS",
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
  "HTTP_REFERER",
  "HTTP_SEC_FETCH_DEST",
  "HTTP_SEC_FETCH_MODE",
  "HTTP_SEC_FETCH_SITE",
  "HTTP_UPGRADE_INSECURE_REQUESTS",
  "HTTP_USER_AGENT",
  "HTTP_X_FORWARDED_FOR",
  "HTTP_X_FORWARDED_PROTO",
  "PATH_INFO",
  "PATH_TRANSLATED",
  "QUERY_STRING",
  "REDIRECT_STATUS",
  "REDIRECT_URI",
  "REMOTE_ADDR",
  "REMOTE_HOST",
  "REMOTE_PORT",
  "REMOTE_USER",
  "REQUEST_METHOD",
  "REQUEST_SCHEME",
  "REQUEST_URI",
  "SCRIPT_FILENAME",
  "SCRIPT_NAME",
  "SERVER_ADDR",
  "SERVER_NAME",
  "SERVER_PORT",
  "SERVER_PROTOCOL",
  "SERVER_SIGNATURE",
  "SERVER_SOFTWARE",
];

const SLOTS = 256;

/**
 * KNOWN_NAMES by {@linkcode nameSlot}. Two of one slot would cost the first its
 * place, so the factors there are chosen for these names: a test says when a
 * new name needs others.
 */
const NAME_SLOTS: readonly (string | undefined)[] = KNOWN_NAMES.reduce(
  (slots, name) => {
    slots[nameSlot(name, 0, name.length)] = name;
    return slots;
  },
  new Array<string | undefined>(SLOTS).fill(undefined),
);

/** A number below SLOTS that is another for each of the known names. */
function nameSlot(text: string, at: number, length: number): number {
  const end = at + length;
  return (length * 27 + text.charCodeAt(end - 1) * 20 +
    text.charCodeAt(end - 2) * 42 + text.charCodeAt(at + 4) * 38) & (SLOTS - 1);
}

/**
 * The known name at a place.
 *
 * @param text What holds the name.
 * @param at Where it begins.
 * @param length Its length.
 * @returns The name, undefined where it is none of those known.
 */
export function knownName(
  text: string,
  at: number,
  length: number,
): string | undefined {
  if (length < 5) return undefined;
  const name = NAME_SLOTS[nameSlot(text, at, length)];
  return name !== undefined && name.length === length &&
      text.startsWith(name, at)
    ? name
    : undefined;
}
