// Byte ranges (RFC 9110, section 14): which parts of a file are asked for, and
// how several of them are sent at once.

/** A part of a file. */
export interface ByteRange {
  /** The offset of its first byte. */
  readonly start: number;
  /** The offset after its last byte. */
  readonly end: number;
}

/** Ranges that are sent in one answer: beyond, the whole file is. */
const MOST_RANGES = 64;

/**
 * Reads the header `Range`.
 *
 * @param header Its value.
 * @param size The bytes of the file.
 * @returns The parts; none where no part of it is in the file; null where the
 * header is to be ignored: another unit, malformed, or more than it is worth.
 */
export function parseRanges(header: string, size: number): ByteRange[] | null {
  const list = /^bytes=(.*)$/i.exec(header)?.[1];
  // Of an empty file there is no part, but who asks for one wants just that.
  if (list === undefined || size === 0) return null;
  const specs = list.split(",", MOST_RANGES + 1);
  if (specs.length > MOST_RANGES) return null;
  const ranges: ByteRange[] = [];
  let total = 0;
  for (const spec of specs) {
    const match = /^[ \t]*(\d*)-(\d*)[ \t]*$/.exec(spec);
    if (match === null || match[0].trim() === "-") return null;
    const range = resolve(match[1]!, match[2]!, size);
    if (range === null) return null;
    if (range.start >= range.end) continue;
    ranges.push(range);
    total += range.end - range.start;
  }
  // More than the file is asked for only to make work.
  return total > size ? null : ranges;
}

/** One range; empty where it is not in the file, null where it is none. */
function resolve(first: string, last: string, size: number): ByteRange | null {
  if (first === "") {
    return { start: Math.max(0, size - Number(last)), end: size };
  }
  const start = Number(first);
  if (last === "") return { start, end: size };
  if (Number(last) < start) return null;
  return { start, end: Math.min(Number(last) + 1, size) };
}

/**
 * The value of `Content-Range`.
 *
 * @param range The part; null where none of those asked for is in the file.
 * @param size The bytes of the file.
 * @returns The value.
 */
export function contentRange(range: ByteRange | null, size: number): string {
  return range === null
    ? `bytes */${size}`
    : `bytes ${range.start}-${range.end - 1}/${size}`;
}

/** Several parts as one body, `multipart/byteranges`. */
export interface Multipart {
  /** What `Content-Type` says. */
  readonly type: string;
  /** The bytes of the whole body. */
  readonly length: number;
  /** What stands before each part. */
  readonly heads: readonly Uint8Array[];
  /** What stands after the last. */
  readonly tail: Uint8Array;
}

/**
 * Frames several parts (RFC 9110, section 14.6).
 *
 * @param ranges The parts.
 * @param size The bytes of the file.
 * @param type The media type of the file.
 * @returns What is to be sent beside the parts.
 */
export function frameRanges(
  ranges: readonly ByteRange[],
  size: number,
  type: string,
): Multipart {
  // Nobody can have put into the file what is made up now.
  const boundary = crypto.randomUUID();
  const encoder = new TextEncoder();
  const heads = ranges.map((range, i) =>
    encoder.encode(
      `${i === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Type: ${type}\r\n` +
        `Content-Range: ${contentRange(range, size)}\r\n\r\n`,
    )
  );
  const tail = encoder.encode(`\r\n--${boundary}--\r\n`);
  let length = tail.length;
  for (const [i, { start, end }] of ranges.entries()) {
    length += heads[i]!.length + end - start;
  }
  return {
    type: `multipart/byteranges; boundary=${boundary}`,
    length,
    heads,
    tail,
  };
}
