// Bytes compared in place: to make a view of them takes longer.

/**
 * Whether the bytes at an offset are those of an ASCII name.
 *
 * @param buffer What holds them.
 * @param start Where they begin.
 * @param name The name.
 * @returns Whether they are.
 */
export function isAt(buffer: Uint8Array, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if (buffer[start + i] !== name.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * Whether a part of a buffer is the same as other bytes.
 *
 * @param buffer What holds it.
 * @param start Where it begins.
 * @param end Where it ends, excluded.
 * @param bytes The other bytes.
 * @returns Whether it is.
 */
export function isSame(
  buffer: Uint8Array,
  start: number,
  end: number,
  bytes: Uint8Array,
): boolean {
  const { length } = bytes;
  if (end - start !== length) return false;
  let i = 0;
  while (i < length && buffer[start + i] === bytes[i]) i++;
  return i === length;
}
