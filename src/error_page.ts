// The page that answers in an application's place.

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
