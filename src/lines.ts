// Lines: a body line by line, as it comes.

import type { Input } from "./server/input.ts";

/**
 * Reads text line by line, as UTF-8. Who leaves the loop drops the rest.
 *
 * @param input The bytes.
 * @returns The lines, without their ends (LF or CR LF).
 */
export async function* readLines(
  input: Input,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const chunk = await input.read();
      const text = chunk === null
        ? decoder.decode()
        : decoder.decode(chunk, { stream: true });
      // Only what is new is searched: a long line is not read over again.
      let from = 0;
      for (;;) {
        const end = text.indexOf("\n", from);
        if (end < 0) break;
        const line = rest + text.slice(from, end);
        yield line.endsWith("\r") ? line.slice(0, -1) : line;
        rest = "";
        from = end + 1;
      }
      rest += text.slice(from);
      if (chunk === null) break;
    }
    if (rest !== "") yield rest;
  } finally {
    input.discard();
  }
}
