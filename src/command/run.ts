// run(): an application as a whole program, from the command line to the last
// connection. What it does not need, such as the HTTP front, it does not load.

import { observeWith } from "../application.ts";
import type { Application, RunOptions } from "../application.ts";
import { StartError } from "../errors.ts";
import type { ObserveOptions } from "../observe/options.ts";
import {
  DEFAULT_ADDRESS,
  formatAddress,
  listen,
  permissionsToListen,
  requirePermissions,
} from "../server/address.ts";
import { AllowedClients, webServerAddrs } from "../server/allowed_clients.ts";
import type { Need } from "../server/address.ts";
import {
  InheritedListener,
  isInheritedSocket,
  isInheritedSocketAtOnce,
  takeInherited,
  TentativeListener,
} from "../server/inherited.ts";
import type { GroupStats } from "../server/group_stats.ts";
import type { ListenOptions } from "../server/listen_options.ts";
import type { FastCGIServer } from "../server/server.ts";
import { serveOn } from "../server/server.ts";
import type { TransportListener } from "../server/transport.ts";
import type { HttpFront } from "./http_front.ts";

/** The environment variable that tells where to listen. */
const BIND_VARIABLE = "SMISK_BIND";

/** How long a program that was forced to stop has to end by itself. */
const EXIT_DELAY_MS = 1_000;

/** What stops a program. Windows knows no others of those Deno does. */
const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGTERM", "SIGINT", "SIGUSR1"];

/** What to serve on: what {@linkcode parseArguments} gives, or less. */
interface Plan {
  /** Where to listen; nowhere, for the inherited socket or the default. */
  bind: readonly ListenOptions[];
  mode: number | null;
  allow: readonly string[];
  http: Required<{ hostname: string; port: number }> | null;
  workers: number | null;
  spawn: number | null;
  pidfile: string | null;
  chdir: string | null;
  umask: number | null;
  observe: ObserveOptions;
}

/** What no argument asks for: it is not worth loading what reads arguments. */
const NOTHING_ASKED: Plan = {
  bind: [],
  mode: null,
  allow: [],
  http: null,
  workers: null,
  spawn: null,
  pidfile: null,
  chdir: null,
  umask: null,
  observe: {},
};

/**
 * Serves an application until it is stopped: by a signal, or by its `exit()`.
 *
 * Without options it is a whole program: the command line tells what to do,
 * and where that cannot be, one line on the error output says why and the
 * process exits, with status 2 for a bad argument and 1 otherwise. With
 * options the caller gets the error.
 *
 * @param app The application.
 * @param options Where to listen.
 * @returns Settles when it has stopped.
 * @throws {StartError} With options: where it cannot listen.
 */
export async function run(
  app: Application,
  options?: RunOptions,
): Promise<void> {
  if (options !== undefined) {
    const plan = await planOf(options);
    if (plan !== null) await serve(app, plan);
    return;
  }
  try {
    const plan = Deno.args.length === 0
      ? NOTHING_ASKED
      : await readArguments(await ownArguments());
    if (plan !== null && await serve(app, plan)) exitSoon();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(`smisk: ${error.message.replace(/\s*\n\s*/g, " ")}`);
    Deno.exit(error.code === "BAD_ARGUMENT" ? 2 : 1);
  }
}

/**
 * Ends the process where something of the aborted requests, such as a timer,
 * would keep it running. What the program does after `run()` comes first.
 */
function exitSoon(): void {
  Deno.unrefTimer(setTimeout(() => Deno.exit(), EXIT_DELAY_MS));
}

async function ownArguments(): Promise<readonly string[]> {
  if (Deno.args[0] !== "serve") return Deno.args;
  // The tool has loaded this program, perhaps: some of it is the tool's.
  return (await import("./served.ts")).ownArguments();
}

/** What a command line asks for; null where that is done. */
async function readArguments(args: readonly string[]): Promise<Plan | null> {
  const { HELP, parseArguments, VERSION } = await import("./arguments.ts");
  const found = parseArguments(args);
  if (found.print === null) return found;
  console.log(
    found.print === "help"
      ? HELP.trimEnd()
      : `Smisk ${VERSION}, Deno ${Deno.version.deno}`,
  );
  return null;
}

async function planOf(
  { args, bind, http, workers }: RunOptions,
): Promise<Plan | null> {
  if (workers !== undefined && !(Number.isInteger(workers) && workers > 0)) {
    throw new RangeError(
      `Cannot start ${workers} workers: it takes a whole number of 1 or more`,
    );
  }
  const told = args === undefined ? NOTHING_ASKED : await readArguments(args);
  if (told === null) return null;
  const bound = bind === undefined ? [] : Array.isArray(bind) ? bind : [bind];
  const front = http === undefined ? null : { hostname: "127.0.0.1", ...http };
  return {
    ...told,
    bind: told.bind.length > 0 ? told.bind : bound,
    http: told.http ?? front,
    workers: told.workers ?? workers ?? null,
  };
}

/** Serves until stopped; tells whether that was forced. */
async function serve(app: Application, plan: Plan): Promise<boolean> {
  if (plan.workers !== null || plan.spawn !== null) {
    const { serveByWorkers } = await import("./by_workers.ts");
    return await serveByWorkers(app, plan, {
      signals: SIGNALS,
      checkUse: (hasUnix, hasTcp) => checkUse(plan, hasUnix, hasTcp),
      listenOn: (address) => listenOn(address, plan),
      addressOfEnvironment,
      observe: (group) => observe(app, plan, group),
      tell,
    });
  }
  const { chdir, umask, pidfile } = plan;
  const isSpecial = chdir !== null || umask !== null || pidfile !== null ||
    plan.observe.accessLog !== undefined;
  const process = isSpecial ? await import("./process.ts") : null;
  const { bind, http } = plan;
  const listening = http === null ? bind : [...bind, http];
  await requireAll(
    plan,
    process?.needsOf(plan) ?? listening.flatMap(permissionsToListen),
  );
  // Before anything else, for every other path may depend on it.
  const own = process?.prepare(plan) ?? null;
  await observe(app, plan, null);
  const servers: FastCGIServer[] = [];
  let front: HttpFront | null = null;
  let isStopping = false;
  let isForced = false;
  // Failing to stop is told by `finished`.
  const exit = () => app.exit().catch(() => {});
  const stop = () => {
    if (isStopping) {
      isForced = true;
      for (const server of servers) server.abort().catch(() => {});
    } else if (front === null) exit();
    else {
      for (const server of servers) {
        if (server !== front.server) server.shutdown().catch(() => {});
      }
      front.stop().then(exit);
    }
    isStopping = true;
  };
  try {
    // Refused, where it is malformed, before anything listens.
    webServerAddrs();
    const listeners = await listenAll(plan);
    const lines = listeners.map(([where, listener]) =>
      `Listening for FastCGI on ${formatAddress(listener.addr ?? where)}`
    );
    try {
      own?.begin();
    } catch (error) {
      for (const [, listener] of listeners) listener.close();
      throw error;
    }
    // Before anything is told: who reads it may send a signal at once.
    for (const signal of SIGNALS) Deno.addSignalListener(signal, stop);
    // Told at once: what follows keeps no client waiting.
    if (plan.http === null) tell(lines.join("\n"));
    const allowed = plan.allow.length > 0
      ? [new AllowedClients(plan.allow)]
      : [];
    for (const [, listener] of listeners) {
      servers.push(app[serveOn](listener, allowed));
    }
    if (plan.http !== null) {
      const { HttpFront } = await import("./http_front.ts");
      // A signal may have come meanwhile.
      if (!isStopping) {
        front = new HttpFront(app, plan.http);
        servers.push(front.server);
        tell([...lines, `Listening for HTTP on ${front.url}`].join("\n"));
      }
    }
    await Promise.all(servers.map((server) => server.finished));
    return isForced;
  } catch (error) {
    await exit();
    throw error;
  } finally {
    await front?.close(isForced);
    own?.end();
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, stop);
  }
}

/**
 * Requires permissions. Where one is missing, that for where a program would
 * listen without being told is named along with it.
 *
 * @param plan Where it is told to listen.
 * @param needs The permissions.
 * @throws {StartError} `PERMISSION_MISSING`.
 */
export async function requireAll(
  { bind }: Pick<Plan, "bind">,
  needs: readonly Need[],
): Promise<void> {
  try {
    requirePermissions(needs);
  } catch (error) {
    const isTold = bind.length > 0 ||
      (isInheritedSocketAtOnce() ?? isInheritedSocket());
    if (isTold) throw error;
    const address = await addressOfEnvironment();
    requirePermissions([...permissionsToListen(address), ...needs]);
  }
}

/** Lets be seen what a plan wants to see. */
async function observe(
  app: Application,
  plan: Plan,
  group: (() => Promise<GroupStats>) | null,
): Promise<void> {
  const observing = app[observeWith](plan.observe, group);
  if (observing === null) return;
  try {
    await observing;
  } catch (error) {
    throw error instanceof RangeError
      ? new StartError("BAD_ARGUMENT", error.message, { cause: error })
      : error;
  }
}

/** Prints; that nobody listens, or a disk is full, is no reason to stop. */
function tell(text: string): void {
  try {
    console.log(text);
  } catch {
    // As said.
  }
}

/** Listens on all addresses of a plan, or on none. */
async function listenAll(
  plan: Plan,
): Promise<[where: ListenOptions, listener: TransportListener][]> {
  if (plan.bind.length === 0) return [await listenAnywhere(plan)];
  checkUse(
    plan,
    plan.bind.some((address) => "path" in address),
    plan.bind.some((address) => "port" in address),
  );
  const listening: [ListenOptions, TransportListener][] = [];
  try {
    for (const address of plan.bind) {
      const listener = listenOn(address, plan);
      listening.push([address, listener]);
      if (listener instanceof InheritedListener) await listener.ready;
    }
    return listening;
  } catch (error) {
    for (const [, listener] of listening) listener.close();
    throw error;
  }
}

/** Refuses options that would do nothing. */
function checkUse(plan: Plan, hasUnix: boolean, hasTcp: boolean): void {
  if (plan.mode !== null && !hasUnix) {
    throw new StartError(
      "BAD_ARGUMENT",
      "--mode is for a Unix socket that is made here, and none is: add --bind /path/to.sock",
    );
  }
  if (plan.allow.length > 0 && !hasTcp) {
    throw new StartError(
      "BAD_ARGUMENT",
      "--allow is for TCP, and there are Unix sockets alone: --mode is theirs",
    );
  }
}

/** Listens where nothing tells: on descriptor 0 if it listens, or by default. */
async function listenAnywhere(
  plan: Plan,
): Promise<[where: ListenOptions, listener: TransportListener]> {
  const address = await addressOfEnvironment();
  let isSocket = isInheritedSocketAtOnce();
  if (isSocket === null && address === DEFAULT_ADDRESS) {
    // To find out takes longer than all else: listen first, and ask then.
    // Neither is a Unix socket that is made here.
    checkUse(plan, false, true);
    try {
      return [address, new TentativeListener(listen(address), tell)];
    } catch (error) {
      if (!isInheritedSocket()) throw error;
      isSocket = true;
    }
  }
  if (isSocket ?? isInheritedSocket()) {
    const inherited = await takeInherited();
    if (inherited !== null) {
      checkUse(plan, false, true);
      return [{ fd: 0 }, inherited];
    }
  }
  checkUse(plan, "path" in address, "port" in address);
  return [address, listenOn(address, plan)];
}

function listenOn(address: ListenOptions, plan: Plan): TransportListener {
  return listen(
    "path" in address && plan.mode !== null
      ? { ...address, mode: plan.mode }
      : address,
  );
}

async function addressOfEnvironment(): Promise<ListenOptions> {
  const { state } = Deno.permissions.querySync({
    name: "env",
    variable: BIND_VARIABLE,
  });
  const text = state === "granted" ? Deno.env.get(BIND_VARIABLE) : undefined;
  if (text === undefined || text === "") return DEFAULT_ADDRESS;
  const { readAddress } = await import("./arguments.ts");
  return readAddress(BIND_VARIABLE, text);
}
