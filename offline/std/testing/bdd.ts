// A stand-in for @std/testing/bdd where JSR is out of reach: the same names and
// signatures for what the tests use, adapting Deno.test: a suite is a test, what
// it holds are its steps. Not part of the published package.

type Body = (t: Deno.TestContext) => void | Promise<void>;
type Hook = () => void | Promise<void>;

interface Suite {
  readonly before: Hook[];
  readonly after: Hook[];
  readonly cases: { name: string; ignore: boolean; fn: Body }[];
}

let open: Suite | null = null;

function suite(name: string, ignore: boolean, fn: () => void): void {
  const outer = open;
  const own: Suite = { before: [], after: [], cases: [] };
  open = own;
  try {
    fn();
  } finally {
    open = outer;
  }
  add(name, ignore, (t) => runSuite(own, t));
}

async function runSuite(own: Suite, t: Deno.TestContext): Promise<void> {
  try {
    for (const hook of own.before) await hook();
    for (const one of own.cases) await t.step(one);
  } finally {
    for (const hook of own.after) await hook();
  }
}

function add(name: string, ignore: boolean, fn: Body): void {
  if (open === null) Deno.test({ name, ignore, fn });
  else open.cases.push({ name, ignore, fn });
}

function inside(name: string): Suite {
  if (open !== null) return open;
  throw new TypeError(`Cannot call ${name}() outside of describe()`);
}

/** A group of tests. */
export function describe(name: string, fn: () => void): void {
  suite(name, false, fn);
}

/** A group of tests that is not run. */
describe.skip = (name: string, fn: () => void): void => suite(name, true, fn);

/** A test. */
export function it(name: string, fn: Body): void {
  add(name, false, fn);
}

/** A test that is not run. */
it.skip = (name: string, fn: Body): void => add(name, true, fn);

/** Runs before the first test of a group. */
export function beforeAll(fn: Hook): void {
  inside("beforeAll").before.push(fn);
}

/** Runs after the last test of a group, whatever became of it. */
export function afterAll(fn: Hook): void {
  inside("afterAll").after.push(fn);
}
