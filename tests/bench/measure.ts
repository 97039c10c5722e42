// The measuring. Single figures move by a third from run to run on a shared
// machine, so that servers are loaded in turn, in short runs, and what is told
// is the median of the ratios of runs that were neighbours, with their spread.

import type { Contender, LoadCase } from "./cases.ts";
import {
  cpuTimeUs,
  denoServer,
  HERE,
  openIdle,
  requestLength,
  residentBytes,
  runLoad,
  startServer,
  timeStart,
} from "./processes.ts";
import type { Built, Server } from "./processes.ts";

/** What was measured of one server, or one program. */
export interface Row {
  readonly name: string;
  /** The figures, ready to be read. */
  readonly figures: readonly string[];
  /** What the goal is about; null for what others are compared with. */
  readonly value: Spread | null;
  readonly goal?: number;
  readonly aim?: number;
  /** Whether the goal is a most rather than a least. */
  readonly isMost?: boolean;
  /** Behind the value and the goal. */
  readonly unit?: string;
}

/** What was measured of one case. */
export interface Table {
  readonly title: string;
  /** What the figures are, and last what the value is. */
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** A median and how far it moved. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** How long is measured. */
export interface Effort {
  readonly rounds: number;
  readonly seconds: number;
}

const WARM_UP_SECONDS = 1;

/** The median of some numbers, and the outermost of them. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, least: sorted[0]!, most: sorted[sorted.length - 1]! };
}

interface Lane {
  readonly contender: Contender;
  readonly server: Server;
  readonly rps: number[];
  readonly p99Us: number[];
  cpuUs: number;
  requests: number;
}

/** Loads the servers of a case in turn. */
export async function measureLoad(
  loadCase: LoadCase,
  built: Built,
  folder: string,
  { rounds, seconds }: Effort,
): Promise<Table> {
  const { load, base, contenders } = loadCase;
  const length = await requestLength(built, load);
  const lanes: Lane[] = [];
  const loadOf = ({ isHttp = false }: Contender) => ({ ...load, isHttp });
  try {
    for (const contender of [base, ...contenders]) {
      const address = loadCase.isTcp
        ? "tcp"
        : `${folder}/${crypto.randomUUID()}.sock`;
      const server = await startServer(contender.name, [
        ...contender.command(length),
        address,
      ]);
      lanes.push({
        contender,
        server,
        rps: [],
        p99Us: [],
        cpuUs: 0,
        requests: 0,
      });
      await runLoad(built, server, loadOf(contender), WARM_UP_SECONDS);
    }
    for (let round = 0; round < rounds; round++) {
      // There and back, so that no server always follows the same other.
      for (const lane of round % 2 === 0 ? lanes : lanes.toReversed()) {
        const before = cpuTimeUs(lane.server.pid);
        const { server, contender } = lane;
        const result = await runLoad(built, server, loadOf(contender), seconds);
        lane.cpuUs += cpuTimeUs(lane.server.pid) - before;
        lane.requests += result.requests;
        lane.rps.push(result.rps);
        lane.p99Us.push(result.p99Us);
      }
    }
  } finally {
    for (const { server } of lanes) await server.stop();
  }
  return {
    title: loadCase.title,
    columns: ["requests/s", "CPU µs each", "p99 µs", `× ${base.name}`],
    rows: lanes.map((lane) => loadRow(lane, lanes[0]!)),
  };
}

function loadRow(lane: Lane, base: Lane): Row {
  const { name, goal, aim } = lane.contender;
  return {
    name,
    figures: [
      Math.round(spread(lane.rps).median).toLocaleString("en"),
      (lane.cpuUs / lane.requests).toFixed(2),
      Math.round(spread(lane.p99Us).median).toLocaleString("en"),
    ],
    value: lane === base
      ? null
      : spread(lane.rps.map((rps, round) => rps / base.rps[round]!)),
    ...goal === undefined ? {} : { goal },
    ...aim === undefined ? {} : { aim },
  };
}

const IDLE_CONNECTIONS = 10_000;
const IDLE_GOAL_KIB = 12;

/** Measures the memory of idle connections. */
export async function measureIdle(
  built: Built,
  folder: string,
): Promise<Table> {
  const rows: Row[] = [];
  for (const name of ["limit", "hello"]) {
    const address = `${folder}/${crypto.randomUUID()}.sock`;
    const server = await startServer(name, [...denoServer(name), address]);
    try {
      // The first requests bring in what every later one shares.
      await runLoad(built, server, { connections: 1, body: 12 }, 0.5);
      const before = residentBytes(server.pid);
      const each = () =>
        (residentBytes(server.pid) - before) / IDLE_CONNECTIONS / 1024;
      await using idle = await openIdle(built, server, IDLE_CONNECTIONS);
      const opened = each();
      await idle.ask();
      const asked = each();
      rows.push({
        name,
        figures: [opened.toFixed(1)],
        value: { median: asked, least: asked, most: asked },
        unit: " KiB",
        ...name === "limit" ? {} : { goal: IDLE_GOAL_KIB, isMost: true },
      });
    } finally {
      await server.stop();
    }
  }
  return {
    title: `${
      IDLE_CONNECTIONS.toLocaleString("en")
    } idle connections, Unix socket: resident memory of each`,
    columns: ["KiB once open", "after one request"],
    rows,
  };
}

const STARTS = 25;
const START_GOAL = 1.3;
const DEFAULT_PORT = 9000;

interface Start {
  readonly name: string;
  readonly port: number;
  readonly hasTerminal: boolean;
  readonly command: string[];
}

/** Measures the time from the start of a program until it accepts. */
export async function measureStart(built: Built): Promise<Table> {
  const port = freePort(0)!;
  const deno = [Deno.execPath(), "run", "--quiet", "--allow-net"];
  const hello = [...deno, `${HERE}/../../examples/hello.ts`];
  const starts: Start[] = [
    {
      name: "bare Deno.listen",
      port,
      hasTerminal: false,
      command: [...deno, `${HERE}/servers/bare_listen.ts`, String(port)],
    },
    {
      name: "hello --bind",
      port,
      hasTerminal: false,
      command: [...hello, "--bind", `127.0.0.1:${port}`],
    },
  ];
  // Without --bind it has to find out what its standard input is.
  if (freePort(DEFAULT_PORT) !== null) {
    for (const hasTerminal of [false, true]) {
      starts.push({
        name: hasTerminal ? "hello, from a terminal" : "hello, from /dev/null",
        port: DEFAULT_PORT,
        hasTerminal,
        command: hello,
      });
    }
  }
  const times = starts.map((): number[] => []);
  for (let round = -1; round < STARTS; round++) {
    for (const [i, start] of starts.entries()) {
      const { port, hasTerminal, command } = start;
      const ms = await timeStart(built, port, hasTerminal, command);
      // The first fills the caches of Deno and of the disk.
      if (round >= 0) times[i]!.push(ms);
    }
  }
  return {
    title: "Time from start to listening, TCP",
    columns: ["ms", "× bare Deno.listen"],
    rows: starts.map(({ name }, i) => ({
      name,
      figures: [spread(times[i]!).median.toFixed(1)],
      value: i === 0
        ? null
        : spread(times[i]!.map((ms, round) => ms / times[0]![round]!)),
      ...i === 0 ? {} : { goal: START_GOAL, isMost: true },
    })),
  };
}

/** A port that can be bound, null where the one asked for cannot. */
function freePort(port: number): number | null {
  try {
    using listener = Deno.listen({ hostname: "127.0.0.1", port });
    return listener.addr.port;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return null;
    throw error;
  }
}
