// run() with workers: this process keeps them running, or is one of them. Which
// of the two, the environment tells, for both run the same program.

import type { Application } from "../application.ts";
import { StartError } from "../errors.ts";
import { requirePermissions } from "../server/address.ts";
import type { Need } from "../server/address.ts";
import { AllowedClients, webServerAddrs } from "../server/allowed_clients.ts";
import type { GroupStats } from "../server/group_stats.ts";
import {
  isInheritedSocket,
  isInheritedSocketAtOnce,
} from "../server/inherited.ts";
import type { ListenOptions } from "../server/listen_options.ts";
import { limitsOf, retire, serveOn } from "../server/server.ts";
import type { TransportListener } from "../server/transport.ts";
import { findOrigin } from "../workers/origin.ts";
import { SharedSocket } from "../workers/shared_socket.ts";
import { Supervisor } from "../workers/supervisor.ts";
import { WorkerLink } from "../workers/worker_link.ts";
import { countUp, noneToCount } from "./count_up.ts";
import { needsOf, prepare } from "./process.ts";
import type { ProcessPlan } from "./process.ts";

/** What is asked for. */
export interface WorkersPlan extends ProcessPlan {
  /** Who may connect over TCP. */
  readonly allow: readonly string[];
  /** Workers for each address, null for one. */
  readonly workers: number | null;
  /** How many addresses are counted up from each, null for itself alone. */
  readonly spawn: number | null;
}

/** What run() does without workers as well. */
export interface RunParts {
  /** The signals that stop a program. */
  readonly signals: readonly Deno.Signal[];
  /** Refuses options that would do nothing. */
  checkUse(hasUnix: boolean, hasTcp: boolean): void;
  /** Listens. */
  listenOn(address: ListenOptions): TransportListener;
  /** Where to listen if nothing else tells. */
  addressOfEnvironment(): Promise<ListenOptions>;
  /** Opens logs, and what else shows what an application does. */
  observe(group: () => Promise<GroupStats>): Promise<void>;
  /** Prints. */
  tell(text: string): void;
}

/**
 * Serves with workers until stopped.
 *
 * @param app The application.
 * @param plan What is asked for.
 * @param parts What is done without workers as well.
 * @returns Whether the stop was forced.
 * @throws {StartError} Where it cannot start.
 */
export async function serveByWorkers(
  app: Application,
  plan: WorkersPlan,
  parts: RunParts,
): Promise<boolean> {
  const link = await WorkerLink.join();
  return await (link === null
    ? supervise(plan, parts)
    : work(app, plan, parts, link));
}

/** Is a worker. */
async function work(
  app: Application,
  plan: WorkersPlan,
  { signals, observe }: RunParts,
  link: WorkerLink,
): Promise<boolean> {
  prepare({ ...plan, bind: [], http: null, pidfile: null });
  await observe(() => link.groupStats());
  const allowed = plan.allow.length > 0 ? [new AllowedClients(plan.allow)] : [];
  let isForced = false;
  // Of a worker alone, SIGTERM may be meant. All others come to the whole
  // group from a terminal, and the supervisor says what follows.
  const stop = () => app.exit().catch(() => {});
  const ignore = () => {};
  const others = [...signals, "SIGHUP" as const].filter((signal) =>
    signal !== "SIGTERM"
  );
  Deno.addSignalListener("SIGTERM", stop);
  for (const signal of others) Deno.addSignalListener(signal, ignore);
  const servers = link.listeners.map((listener) =>
    app[serveOn](listener, allowed)
  );
  link.begin({
    servers,
    limits: app[limitsOf],
    leave() {
      const left = servers.map((server) => server[retire]());
      Promise.all(left).then(stop, stop);
    },
    stop,
    abort() {
      isForced = true;
      for (const server of servers) server.abort().catch(() => {});
    },
  });
  try {
    await Promise.all(servers.map((server) => server.finished));
    return isForced;
  } catch (error) {
    await stop();
    throw error;
  } finally {
    link.end();
    Deno.removeSignalListener("SIGTERM", stop);
    for (const signal of others) Deno.removeSignalListener(signal, ignore);
  }
}

/** Keeps workers running. */
async function supervise(
  plan: WorkersPlan,
  parts: RunParts,
): Promise<boolean> {
  if (Deno.build.os !== "linux") {
    throw new StartError(
      "CANNOT_START",
      `Cannot start workers: they need Linux, and this is ${Deno.build.os}`,
    );
  }
  if (plan.http !== null) {
    throw new StartError(
      "BAD_ARGUMENT",
      "--http serves from one process: leave it out, or --workers and --spawn",
    );
  }
  requirePermissions([...needsOf(plan), ...workerNeeds()]);
  webServerAddrs();
  // Before --chdir, for workers start where this process did.
  const origin = await findOrigin();
  const own = prepare(plan);
  let all: SharedSocket[] = [];
  let supervisor: Supervisor | null = null;
  let isStopping = false;
  let isForced = false;
  const stop = () => {
    isForced = isStopping;
    isStopping = true;
    if (isForced) supervisor?.abort();
    else supervisor?.stop();
  };
  const reload = () => supervisor?.reload();
  // Before there is a socket: its file would outlive a signal in between.
  for (const signal of parts.signals) Deno.addSignalListener(signal, stop);
  Deno.addSignalListener("SIGHUP", reload);
  try {
    const instances = await listenAll(plan, parts);
    all = [...new Set(instances.flat())];
    const workers = plan.workers ?? 1;
    supervisor = await Supervisor.create({
      origin,
      sockets: instances.flatMap((sockets) =>
        Array<SharedSocket[]>(workers).fill(sockets)
      ),
      report: (line) => console.error(`smisk: ${line}`),
    });
    if (isStopping) return isForced;
    own.begin();
    await supervisor.start();
    if (!isStopping) {
      const count = workers * instances.length;
      parts.tell([
        ...all.map(({ where }) => `Listening for FastCGI on ${where}`),
        count === 1 ? "1 worker is ready" : `${count} workers are ready`,
      ].join("\n"));
    }
    await supervisor.finished;
    return isForced;
  } finally {
    for (const socket of all) socket.close();
    own.end();
    for (const signal of parts.signals) {
      Deno.removeSignalListener(signal, stop);
    }
    Deno.removeSignalListener("SIGHUP", reload);
  }
}

/** What may be done to start workers. */
function workerNeeds(): Need[] {
  const command = Deno.execPath();
  const what = "start workers";
  return [
    { descriptor: { name: "run", command }, what, value: command },
    // They are given the environment, which takes the right to read it.
    { descriptor: { name: "env" }, what, value: null },
  ];
}

/** The sockets of each instance: all of them, or none. */
async function listenAll(
  plan: WorkersPlan,
  parts: RunParts,
): Promise<SharedSocket[][]> {
  const has = (name: string) => plan.bind.some((address) => name in address);
  if (plan.bind.length > 0) parts.checkUse(has("path"), has("port"));
  else {
    const inherited = await inheritedSocket();
    if (inherited !== null) {
      parts.checkUse(false, true);
      if (plan.spawn !== null) throw noneToCount(0);
      return [[inherited]];
    }
  }
  const opened: SharedSocket[] = [];
  try {
    const instances: SharedSocket[][] = [];
    for (const addresses of countUp(await bindOf(plan, parts), plan.spawn)) {
      const sockets: SharedSocket[] = [];
      for (const address of addresses) {
        const socket = "fd" in address
          ? await SharedSocket.inherit(address.fd)
          : await SharedSocket.replace(parts.listenOn(address), address);
        opened.push(socket);
        sockets.push(socket);
      }
      instances.push(sockets);
    }
    return instances;
  } catch (error) {
    for (const socket of opened) socket.close();
    throw error;
  }
}

/** Descriptor 0, null where it does not listen. */
async function inheritedSocket(): Promise<SharedSocket | null> {
  if (!(isInheritedSocketAtOnce() ?? isInheritedSocket())) return null;
  try {
    return await SharedSocket.inherit(0);
  } catch {
    return null; // A connection, as a program started by inetd has it.
  }
}

/** Where to listen, told or not. */
async function bindOf(
  plan: WorkersPlan,
  parts: RunParts,
): Promise<readonly ListenOptions[]> {
  if (plan.bind.length > 0) return plan.bind;
  const address = await parts.addressOfEnvironment();
  parts.checkUse("path" in address, "port" in address);
  return [address];
}
