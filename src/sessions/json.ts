// Checked JSON: the text of a value that is read back as it was set. What JSON
// would change without a word, a Date, a Map, NaN, is an error that says where.

/** Values in values: what nests deeper is more likely a circle than data. */
const MOST_LEVELS = 100;

/**
 * Writes a value as JSON.
 *
 * @param value Null, a boolean, a finite number, a string, an array or a plain
 * object of such. Properties that are undefined are left out.
 * @param name What it is called in errors.
 * @returns The text.
 * @throws {TypeError} Where it holds anything else, or itself.
 */
export function toJson(value: unknown, name: string): string {
  check(value, name, []);
  return JSON.stringify(value);
}

function check(value: unknown, path: string, within: unknown[]): void {
  switch (typeof value) {
    case "boolean":
    case "string":
      return;
    case "number":
      if (Number.isFinite(value)) return;
      refuse(path, String(value));
  }
  if (value === null) return;
  if (typeof value !== "object") {
    refuse(path, `a value of type ${typeof value}`);
  }
  if (within.includes(value)) refuse(path, "an object that holds itself");
  if (within.length === MOST_LEVELS) {
    refuse(path, `more than ${MOST_LEVELS} levels of objects`);
  }
  within.push(value);
  if (Array.isArray(value)) {
    // By index, for an array may have holes.
    for (let i = 0; i < value.length; i++) {
      check(value[i], `${path}[${i}]`, within);
    }
  } else {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      refuse(path, `a ${nameOf(prototype)}`);
    }
    for (const [key, member] of Object.entries(value)) {
      if (member !== undefined) check(member, `${path}.${key}`, within);
    }
  }
  within.pop();
}

/** The class of a prototype. */
function nameOf(prototype: { constructor?: { name?: unknown } }): string {
  const name = prototype.constructor?.name;
  return typeof name === "string" && name !== "" ? name : "class instance";
}

function refuse(path: string, what: string): never {
  throw new TypeError(
    `Cannot keep ${path} in a session: ${what} is no JSON value`,
  );
}
