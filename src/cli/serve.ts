// smisk serve: whatever a module exports by default, as a program with the
// command line of every program.

import { Application, VERSION } from "../application.ts";
import { badArgument, helpText, parseArguments } from "../command/arguments.ts";
import { needsOf } from "../command/process.ts";
import { requireAll } from "../command/run.ts";
import { readServe, runsByItself } from "../command/served.ts";
import { StartError } from "../errors.ts";
import { permissionFor } from "../server/address.ts";
import type { Need } from "../server/address.ts";
import { Gateway } from "../gateway/gateway.ts";
import type { FetchApplication } from "../gateway/fetch.ts";
import type { WsgiApplication } from "../gateway/wsgi_types.ts";

/** How long a program has to end by itself, once it has stopped. */
const EXIT_DELAY_MS = 1_000;

/** An application of this package, or of another copy of it. */
interface Runnable {
  run(options: { args: readonly string[] }): Promise<void>;
}

/**
 * Serves a module until it is stopped.
 *
 * @param args The arguments behind `serve`.
 * @returns The status to exit with.
 * @throws {StartError} Where an argument is wrong, the module is not there or
 * exports nothing fit, or it cannot listen.
 */
export async function serveModule(args: readonly string[]): Promise<number> {
  const { flags, modules } = readServe(args);
  // Before anything is loaded, which may take a while.
  const told = parseArguments(flags);
  if (told.print !== null) {
    console.log(
      told.print === "help"
        ? helpText("Usage: smisk serve MODULE [OPTIONS]").trimEnd()
        : `Smisk ${VERSION}, Deno ${Deno.version.deno}`,
    );
    return 0;
  }
  const [module, ...more] = modules;
  if (module === undefined) {
    throw badArgument("smisk serve needs a module, such as app.ts");
  }
  if (more.length > 0) throw badArgument(`Unexpected argument "${more[0]}"`);
  const url = urlOf(module, told.chdir);
  // All at once, rather than one after another.
  await requireAll(told, [...needsToLoad(url, module), ...needsOf(told)]);
  const exported = await load(url, module);
  // It is a whole program: it has read these flags, and serves.
  if (exported === undefined && runsByItself()) return 0;
  const app = applicationOf(exported, module);
  await app.run({ args: flags });
  // What the module still does, such as a timer, ends with it.
  Deno.unrefTimer(setTimeout(() => Deno.exit(), EXIT_DELAY_MS));
  return 0;
}

/** What it takes to load a module. */
function needsToLoad(url: string, module: string): Need[] {
  const { host, pathname, protocol } = new URL(url);
  const what = `load ${module}`;
  if (protocol === "file:") {
    return [permissionFor("read", decodeURIComponent(pathname), what)];
  }
  if (protocol !== "http:" && protocol !== "https:") return [];
  return [{ descriptor: { name: "import", host }, what, value: host }];
}

/** What a module exports by default. */
async function load(url: string, module: string): Promise<unknown> {
  try {
    const exports: { default?: unknown } = await import(url);
    return exports.default;
  } catch (error) {
    // A fault in the module itself is told with its stack.
    if (!isFaultOfLoading(error)) throw error;
    throw new StartError(
      "CANNOT_START",
      `Cannot load ${module}: ${whyNotLoaded(error.message)}`,
      { cause: error },
    );
  }
}

/** Whether nothing of a module has run: it is not there, or is malformed. */
function isFaultOfLoading(error: unknown): error is Error {
  if (error instanceof SyntaxError) {
    return error.message.startsWith("The requested module ");
  }
  return error instanceof TypeError && "code" in error &&
    error.code === "ERR_MODULE_NOT_FOUND";
}

/**
 * The runtime's message in one line: what is wrong, the last of its numbered
 * causes, and where; the source that it shows between is left out.
 */
function whyNotLoaded(message: string): string {
  const [what, ...rest] = message.split("\n");
  const find = (pattern: RegExp) =>
    rest.map((line) => pattern.exec(line)?.[1]).findLast((text) => text);
  const cause = find(/^\s+\d+: (.+)$/);
  const where = find(/^\s+at (\S+:\d+:\d+)$/);
  return [
    what!.replace(/ Supported schemes:$/, "").replace(/\.$/, ""),
    ...cause === undefined ? [] : [`: ${cause}`],
    ...where === undefined ? [] : [`, at ${where}`],
  ].join("");
}

/** The URL of a module: a path begins where --chdir leads. */
function urlOf(module: string, chdir: string | null): string {
  if (/^[a-z][a-z\d+.-]+:/i.test(module)) {
    if (URL.canParse(module)) return module;
    throw badArgument(`"${module}" is no URL of a module`);
  }
  const folder = (path: string) => path.endsWith("/") ? path : `${path}/`;
  const base = new URL("file:///");
  const start = module.startsWith("/")
    ? "/"
    : chdir?.startsWith("/")
    ? folder(chdir)
    : folder(Deno.cwd()) + (chdir === null ? "" : folder(chdir));
  const path = (module.startsWith("/") ? module : start + module)
    .replace(/[%?#\\]/g, (found) => encodeURIComponent(found));
  return new URL(path, base).href;
}

/** An application of what a module exports. */
function applicationOf(exported: unknown, module: string): Runnable {
  if (typeof exported === "function" && isClass(exported)) {
    return instanceOf(new (exported as new () => unknown)(), module);
  }
  if (typeof exported === "function") {
    return new Gateway(exported as WsgiApplication);
  }
  return instanceOf(exported, module);
}

function instanceOf(exported: unknown, module: string): Runnable {
  if (exported instanceof Application || isRunnable(exported)) {
    return exported as Runnable;
  }
  if (isFetchApplication(exported)) return new Gateway(exported);
  throw new StartError(
    "BAD_ARGUMENT",
    `Cannot serve ${module}: its default export is ${
      exported === undefined ? "missing" : "none of these"
    }: write export default, and a class of application, an instance, an object with fetch, or a WSGI-style function`,
  );
}

/** Whether a function is to be called with `new`. */
function isClass(value: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value));
}

/** Whether it is an Application of another copy of this package. */
function isRunnable(value: unknown): boolean {
  const methods = ["service", "listen", "run", "exit"];
  return typeof value === "object" && value !== null &&
    methods.every((name) =>
      typeof (value as Record<string, unknown>)[name] === "function"
    );
}

function isFetchApplication(value: unknown): value is FetchApplication {
  return typeof (value as Partial<FetchApplication> | null)?.fetch ===
    "function";
}
