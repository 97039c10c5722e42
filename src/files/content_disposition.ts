// Content-Disposition: the name under which a client keeps a file (RFC 6266).

/**
 * Makes the header's value. The name is shown as data: no folders, no control
 * characters, everything escaped.
 *
 * @param name The name, of any characters.
 * @returns The value.
 */
export function attachment(name: string): string {
  const last = name.split(/[/\\]/).at(-1)!.toWellFormed()
    // Also those that turn the direction of writing round: "exe.txt" may be
    // shown of "txt.exe".
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, "").trim();
  if (last === "") return "attachment";
  const quoted = last.replace(/[^ -~]/gu, "_").replace(/["\\]/g, "\\$&");
  const plain = `attachment; filename="${quoted}"`;
  // Browsers decode escapes in what is no place for them (RFC 6266, appendix D).
  if (/^[ -~]*$/.test(last) && !/%[0-9a-f]{2}/i.test(last)) return plain;
  // RFC 8187, section 3.2.1: of what encodeURIComponent leaves, these may not
  // stand there.
  const encoded = encodeURIComponent(last).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${plain}; filename*=UTF-8''${encoded}`;
}
