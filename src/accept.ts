// Content negotiation: which of the forms that there are a client asks for
// (RFC 9110, section 12.5.1).

/** Ranges of a header that are looked at: browsers send eight. */
const MOST_RANGES = 64;

/** What a header says of one media type. */
interface Preference {
  /** The weight, 0 to 1. */
  weight: number;
  /** How exactly it was named: 1 as any type, 2 as `text/*`, 3; 0 not at all. */
  precision: number;
}

/**
 * Chooses the form that a client likes best. Of two that it likes alike the one
 * it names wins over one that a wildcard covers: what asks for JSON mostly takes
 * anything at the same weight. Then the first wins.
 *
 * @param accept The header's value; empty where there is none.
 * @param forms The names of each form's media type, the best first.
 * @returns The index of the form, -1 where the client wants none of them.
 */
export function chooseForm(
  accept: string,
  forms: readonly (readonly string[])[],
): number {
  if (accept.trim() === "") return 0;
  const ranges = accept.split(",", MOST_RANGES).map(parseRange);
  let best = -1;
  let liked: Preference = { weight: 0, precision: 0 };
  forms.forEach((types, i) => {
    for (const type of types) {
      const found = preferenceFor(type, ranges);
      if (
        found.weight > liked.weight ||
        best >= 0 && found.weight === liked.weight &&
          found.precision > liked.precision
      ) {
        best = i;
        liked = found;
      }
    }
  });
  return best;
}

/** A range and its weight, null where it is malformed. */
type Range = readonly [range: string, weight: number] | null;

function parseRange(text: string): Range {
  const [name, ...parameters] = text.split(";").map((part) => part.trim());
  let weight = 1;
  for (const parameter of parameters) {
    const value = /^q\s*=\s*(.*)$/i.exec(parameter)?.[1];
    if (value === undefined) continue;
    if (!/^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(value)) return null;
    weight = Number(value);
  }
  return [name!.toLowerCase(), weight];
}

/** What the most exact of the ranges that cover a type says. */
function preferenceFor(type: string, ranges: readonly Range[]): Preference {
  const names = ["*/*", `${type.slice(0, type.indexOf("/"))}/*`, type];
  const best: Preference = { weight: 0, precision: 0 };
  for (const range of ranges) {
    if (range === null) continue;
    const precision = names.indexOf(range[0]) + 1;
    if (precision > best.precision) {
      best.precision = precision;
      best.weight = range[1];
    }
  }
  return best;
}
