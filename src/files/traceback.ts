// Tracebacks: the stack of an error with the lines of source it speaks of, for
// a developer's eyes. Sources are read only where that is permitted already.

/** One error of a chain of causes. */
export interface ErrorTrace {
  /** What it is and says. */
  readonly headline: string;
  /** Where it came from, the innermost first. */
  readonly frames: readonly TraceFrame[];
}

/** One line of a stack. */
export interface TraceFrame {
  /** What is called, and where, as the runtime tells it. */
  readonly text: string;
  /** The line that was running, 0 where the lines are not known. */
  readonly line: number;
  /** The number of the first of {@linkcode TraceFrame.lines}. */
  readonly first: number;
  /** The line and those around it; none where they cannot be read. */
  readonly lines: readonly string[];
}

/** Lines shown before and after the one that was running. */
const LINES_AROUND = 4;
/** Longer lines are cut: they are of generated code. */
const MOST_CHARACTERS = 400;
/** Larger files are not read: they are generated. */
const MOST_BYTES = 1024 * 1024;
/** Files read for one traceback. */
const MOST_FILES = 32;

/** This package's own files, whose lines help nobody. */
const OWN = new URL("../", import.meta.url).href;

/**
 * Finds the lines that stacks speak of.
 *
 * @param stacks An error's stack and those of its causes, as text.
 * @returns A trace of each. Never fails: what cannot be read is left out.
 */
export async function tracebackOf(
  stacks: readonly string[],
): Promise<ErrorTrace[]> {
  const sources = new Map<string, Promise<string[]>>();
  return await Promise.all(stacks.map(async (stack) => {
    const lines = stack.split("\n");
    const at = lines.findIndex((line) => /^\s+at /.test(line));
    const end = at < 0 ? lines.length : at;
    return {
      headline: lines.slice(0, end).join("\n"),
      frames: await Promise.all(
        lines.slice(end).map((line) => frameOf(line, sources)),
      ),
    };
  }));
}

async function frameOf(
  stackLine: string,
  sources: Map<string, Promise<string[]>>,
): Promise<TraceFrame> {
  const text = stackLine.trim().replace(/^at /, "");
  const place = /(file:\/\/\/[^()]*):(\d+):\d+\)?$/.exec(text);
  const nothing = { text, line: 0, first: 0, lines: [] };
  if (place === null) return nothing;
  const [, url, number] = place;
  if (url!.startsWith(OWN)) return nothing;
  let source = sources.get(url!);
  if (source === undefined) {
    if (sources.size === MOST_FILES) return nothing;
    source = readLines(new URL(url!));
    sources.set(url!, source);
  }
  const line = Number(number);
  const first = Math.max(1, line - LINES_AROUND);
  const lines = (await source).slice(first - 1, line + LINES_AROUND)
    .map((content) => content.slice(0, MOST_CHARACTERS));
  return lines.length === 0 ? nothing : { text, line, first, lines };
}

/** The lines of a source, none where it cannot be read without asking. */
async function readLines(url: URL): Promise<string[]> {
  try {
    const { state } = await Deno.permissions.query({ name: "read", path: url });
    if (state !== "granted") return [];
    const { isFile, size } = await Deno.stat(url);
    if (!isFile || size > MOST_BYTES) return [];
    return (await Deno.readTextFile(url)).split("\n");
  } catch {
    return []; // It has gone, or was compiled in.
  }
}
