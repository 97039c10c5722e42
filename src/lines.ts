// Lines: a body line by line, as it comes, and a line as the log takes it.

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

/**
 * Makes one line of a text, and a harmless one where a terminal shows it.
 *
 * @param text The text.
 * @returns It, control characters escaped.
 */
export function escapeControls(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g,
    (control) => {
      const code = control.charCodeAt(0).toString(16);
      return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`;
    },
  );
}
