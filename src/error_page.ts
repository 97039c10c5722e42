// What is said of an error: the page that answers in an application's place,
// and the text for the log.

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Escapes text for HTML, in content and in quoted attributes.
 *
 * @param text The text.
 * @returns It, harmless.
 */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}

/**
 * Makes a page.
 *
 * @param status The status.
 * @param title What happened, in a few words.
 * @param message A sentence on it, or nothing.
 * @param details For the developer: lines shown as they are, or nothing.
 * @returns The page, everything escaped.
 */
export function errorPage(
  status: number,
  title: string,
  message: string,
  details = "",
): string {
  const heading = escapeHtml(status === 200 ? title : `${status} ${title}`);
  const paragraph = message === "" ? "" : `<p>${escapeHtml(message)}</p>\n`;
  const pre = details === "" ? "" : `<pre>${escapeHtml(details)}</pre>\n`;
  return `<!DOCTYPE html>
<html lang="en">
<head><title>${heading}</title></head>
<body>
<h1>${heading}</h1>
${paragraph}${pre}</body>
</html>
`;
}

/** Causes of causes that are told; a chain may be a circle. */
const MOST_CAUSES = 8;

/**
 * Describes what was thrown, for the log.
 *
 * @param thrown It: an error, or any other value.
 * @returns The stack, and those of its causes. Never throws, whatever it is.
 */
export function describeError(thrown: unknown): string {
  let text = describeOne(thrown);
  for (let i = 0; i < MOST_CAUSES && thrown instanceof Error; i++) {
    thrown = causeOf(thrown);
    if (thrown === undefined) break;
    text += `\nCaused by: ${describeOne(thrown)}`;
  }
  return text;
}

function describeOne(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.stack || thrown : thrown);
  } catch {
    return `A thrown ${typeof thrown} that cannot be shown`;
  }
}

function causeOf(error: Error): unknown {
  try {
    return error.cause;
  } catch {
    return undefined;
  }
}
