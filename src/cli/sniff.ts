// What is spoken at an address: FCGI_GET_VALUES is sent (FastCGI 1.0, section
// 4.1), which every server should answer at once, and what comes back is looked
// at byte by byte, for it may be anything.

import { ValuesQuestion } from "../client/values.ts";
import {
  HEADER_LENGTH,
  RecordType,
  ValueName,
  VERSION,
} from "../protocol/constants.ts";
import { decodePairs, decodeUtf8 } from "../protocol/pairs.ts";

/** What was found. */
export type Sniffed =
  /** FastCGI, with what the server says of itself. */
  | { kind: "fastcgi"; values: Readonly<Record<string, string>> }
  /** FastCGI, of a server that does not know the question. */
  | { kind: "no values" }
  /** Nothing came in time. */
  | { kind: "silent" }
  /** It was closed at once. */
  | { kind: "closed"; isReset: boolean }
  /** FastCGI, but a record that answers nothing. */
  | { kind: "broken"; type: number }
  /** Another protocol, as far as it can be told. */
  | { kind: "other"; protocol: string; text: string };

/** Bytes that are enough to tell what is spoken. */
const ENOUGH = 4096;

/**
 * Finds out what is spoken.
 *
 * @param conn A new connection; it is left to be closed.
 * @param timeoutMs How long an answer is waited for.
 * @returns What it is.
 */
export async function sniff(
  conn: Deno.Conn,
  timeoutMs: number,
): Promise<Sniffed> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), timeoutMs);
  let bytes = new Uint8Array(0);
  try {
    const question = new ValuesQuestion(Object.values(ValueName)).record();
    for (let at = 0; at < question.length;) {
      at += await conn.write(question.subarray(at));
    }
    for (;;) {
      const buffer = new Uint8Array(ENOUGH);
      const reading = conn.read(buffer).then((length) => length ?? 0);
      const length = await Promise.race([reading, late.promise]);
      if (length === null) {
        reading.catch(() => {});
        return bytes.length === 0 ? { kind: "silent" } : other(bytes);
      }
      if (length === 0) {
        return bytes.length === 0
          ? { kind: "closed", isReset: false }
          : other(bytes);
      }
      const joined = new Uint8Array(bytes.length + length);
      joined.set(bytes);
      joined.set(buffer.subarray(0, length), bytes.length);
      bytes = joined;
      const found = look(bytes);
      if (found !== null) return found;
    }
  } catch {
    return bytes.length === 0
      ? { kind: "closed", isReset: true }
      : other(bytes);
  } finally {
    clearTimeout(timer);
  }
}

/** What bytes are; null where more have to come. */
function look(bytes: Uint8Array): Sniffed | null {
  const type = bytes[1];
  const isRecord = bytes[0] === VERSION &&
    (type === undefined || type >= 1 && type <= RecordType.UNKNOWN_TYPE);
  if (!isRecord) return other(bytes);
  if (bytes.length < HEADER_LENGTH) return null;
  if (
    type !== RecordType.GET_VALUES_RESULT && type !== RecordType.UNKNOWN_TYPE
  ) return { kind: "broken", type: type! };
  const length = bytes[4]! << 8 | bytes[5]!;
  if (bytes.length < HEADER_LENGTH + length) {
    return length > ENOUGH ? other(bytes) : null;
  }
  if (type === RecordType.UNKNOWN_TYPE) return { kind: "no values" };
  const values: Record<string, string> = {};
  try {
    decodePairs(
      bytes,
      HEADER_LENGTH,
      HEADER_LENGTH + length,
      decodeUtf8,
      (name, value) => {
        values[name] = value;
      },
    );
  } catch {
    return other(bytes);
  }
  return { kind: "fastcgi", values };
}

/** How protocols begin that are taken for FastCGI by mistake. */
const BEGINNINGS: readonly (readonly [pattern: RegExp, protocol: string])[] = [
  [/^HTTP\/\d/, "HTTP"],
  [/^<(?:!doctype|html)/i, "HTTP"],
  [/^SSH-/, "SSH"],
  // deno-lint-ignore no-control-regex
  [/^(?:\x15|\x16)\x03/, "TLS"],
  [/^-ERR |^-NOAUTH|^-DENIED/, "the protocol of Redis"],
  [/^220[ -]/, "SMTP or FTP"],
];

function other(bytes: Uint8Array): Sniffed {
  const text = Array.from(
    bytes.subarray(0, 80),
    (byte) => String.fromCharCode(byte),
  ).join("");
  const protocol = BEGINNINGS.find(([pattern]) => pattern.test(text))?.[1];
  return {
    kind: "other",
    protocol: protocol ?? "another protocol",
    text: text.split(/[\r\n]/)[0]!,
  };
}
