// What the README shows, for the tests to run.

const README = new URL("../../README.md", import.meta.url);

/** The README. */
export function readme(): string {
  return Deno.readTextFileSync(README);
}

/** The blocks of code in a language, in order. */
export function blocks(language: string): string[] {
  const fences = readme().matchAll(
    new RegExp(`^\`\`\`${language}(?: ignore)?\\n(.*?)^\`\`\`$`, "gms"),
  );
  return Array.from(fences, (fence) => fence[1]!);
}

/** The one block of code in a language. */
export function block(language: string): string {
  const found = blocks(language);
  if (found.length !== 1) {
    throw new Error(`README.md has ${found.length} blocks of ${language}`);
  }
  return found[0]!;
}

/** Puts other values into a block, each of which must stand there once. */
export function withValues(
  code: string,
  values: Record<string, string>,
): string {
  for (const [shown, used] of Object.entries(values)) {
    const parts = code.split(shown);
    if (parts.length !== 2) {
      throw new Error(
        `"${shown}" stands ${parts.length - 1} times in:\n${code}`,
      );
    }
    code = parts.join(used);
  }
  return code;
}
