// Words of a command line: which of them are options, and what value belongs
// to which. What the options mean is known where they are named.

import { StartError } from "../errors.ts";

/** Whether an option has a value: always, if one follows, or never. */
export type Kind = "value" | "optional" | "none";

/** The options that there are. */
export type Kinds = Readonly<Record<string, Kind>>;

/**
 * Takes a command line apart. After `--` nothing is an option.
 *
 * @param args The words.
 * @param kinds The options that there are.
 * @returns Each option with its value, empty where it has none, in the order
 * given; words that are no option come with a null.
 * @throws {StartError} `BAD_ARGUMENT` at an option that there is not, or at a
 * value that is missing or too much.
 */
export function* readWords(
  args: readonly string[],
  kinds: Kinds,
): Generator<[flag: string | null, value: string], void, undefined> {
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") {
      for (const rest of args.slice(at + 1)) yield [null, rest];
      return;
    }
    if (!isOption(arg)) {
      yield [null, arg];
      continue;
    }
    const equals = arg.startsWith("--") ? arg.indexOf("=") : -1;
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    const kind = Object.hasOwn(kinds, flag) ? kinds[flag]! : null;
    if (kind === null) throw unknownOption(flag, Object.keys(kinds));
    if (equals >= 0) {
      if (kind === "none") throw badArgument(`${flag} takes no value`);
      yield [flag, arg.slice(equals + 1)];
      continue;
    }
    const next = args[at + 1];
    const hasValue = kind !== "none" && next !== undefined && !isOption(next);
    if (kind === "value" && !hasValue) {
      throw badArgument(`${flag} needs a value`);
    }
    yield [flag, hasValue ? next : ""];
    if (hasValue) at++;
  }
}

/** A hyphen by itself is a value: the standard input, or the output. */
function isOption(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

function unknownOption(flag: string, known: readonly string[]): StartError {
  const meant = known.find((name) => isNear(flag.toLowerCase(), name));
  return badArgument(
    `Unknown option ${flag}${meant === undefined ? "" : `, meant ${meant}?`}`,
  );
}

/** Whether a word is a beginning of another, or one letter is wrong. */
function isNear(word: string, other: string): boolean {
  if (word.length > 3 && other.startsWith(word)) return true;
  const shorter = Math.min(word.length, other.length);
  let start = 0;
  while (start < shorter && word[start] === other[start]) start++;
  let end = 0;
  while (
    end < shorter - start &&
    word[word.length - 1 - end] === other[other.length - 1 - end]
  ) end++;
  return Math.max(word.length, other.length) - start - end <= 1;
}

/**
 * The error of a command line.
 *
 * @param what What is wrong with it.
 * @returns It, to be thrown.
 */
export function badArgument(what: string): StartError {
  return new StartError("BAD_ARGUMENT", `${what} (--help tells what there is)`);
}
