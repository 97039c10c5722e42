// A stand-in for @std/bytes where JSR is out of reach: the same names and
// signatures, adapting node:buffer. Not part of the published package.

import { Buffer } from "node:buffer";

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Joins byte arrays into a new one. */
export function concat(
  buffers: Iterable<Uint8Array>,
): Uint8Array<ArrayBuffer> {
  const parts = [...buffers];
  const joined = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Copies from one byte array to another, and tells how many bytes. */
export function copy(src: Uint8Array, dst: Uint8Array, offset = 0): number {
  return view(src).copy(view(dst), Math.max(0, Math.min(offset, dst.length)));
}

/** Whether two byte arrays hold the same bytes. */
export function equals(a: Uint8Array, b: Uint8Array): boolean {
  return view(a).equals(view(b));
}

/** Whether a byte array begins with another. */
export function startsWith(source: Uint8Array, prefix: Uint8Array): boolean {
  return equals(source.subarray(0, prefix.length), prefix);
}

/** Whether a byte array ends with another. */
export function endsWith(source: Uint8Array, suffix: Uint8Array): boolean {
  if (suffix.length > source.length) return false;
  return equals(source.subarray(source.length - suffix.length), suffix);
}

/** Where a byte array first holds another, -1 where it does not. */
export function indexOfNeedle(
  source: Uint8Array,
  needle: Uint8Array,
  start = 0,
): number {
  if (start >= source.length) return -1;
  return view(source).indexOf(view(needle), Math.max(0, start));
}

/** Whether a byte array holds another. */
export function includesNeedle(
  source: Uint8Array,
  needle: Uint8Array,
  start = 0,
): boolean {
  return indexOfNeedle(source, needle, start) !== -1;
}
