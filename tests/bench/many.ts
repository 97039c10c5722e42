// What docs/sizing.md needs besides: the memory of responses that stay open and
// what an event on one costs, and what a program with workers takes.

import { concatLarge, request } from "../support/wire.ts";
import { spread } from "./measure.ts";
import type { Effort, Row, Table } from "./measure.ts";
import {
  cpuTimeUs,
  denoServer,
  HERE,
  residentBytes,
  runLoad,
  startServer,
} from "./processes.ts";
import type { Built, Server } from "./processes.ts";

const decoder = new TextDecoder("latin1");
const OPEN = 2_000;
const EVENTS_MS = 6_000;
const EVENT_LENGTH = "data: \n\n".length + 56;

/** Measures responses that stay open. */
export async function measureOpen(folder: string): Promise<Table> {
  const rows: Row[] = [];
  for (const each of [1, 50]) {
    for (const name of ["waiting", "events"]) {
      rows.push(await openRow(folder, name, each));
    }
  }
  return {
    title: `${
      OPEN.toLocaleString("en")
    } responses that stay open, Unix socket: what each takes`,
    columns: ["CPU µs an event", "resident memory"],
    rows,
  };
}

async function openRow(
  folder: string,
  name: string,
  each: number,
): Promise<Row> {
  const address = `${folder}/${crypto.randomUUID()}.sock`;
  const server = await startServer(name, [...denoServer(name), address]);
  const connections: Open[] = [];
  try {
    // The first bring in what every later one shares.
    for (let i = 0; i < 20; i++) connections.push(await Open.to(address, each));
    const before = residentBytes(server.pid);
    for (let i = 0; i < OPEN / each; i++) {
      connections.push(await Open.to(address, each));
    }
    const memory = (residentBytes(server.pid) - before) / OPEN / 1024;
    return {
      name: `${name}, ${each === 1 ? "a connection each" : `${each} on each`}`,
      figures: [
        name === "events" ? await cpuOfEvents(server, connections) : "",
      ],
      value: { median: memory, least: memory, most: memory },
      unit: " KiB",
    };
  } finally {
    for (const connection of connections) connection.close();
    await server.stop();
  }
}

async function cpuOfEvents(
  server: Server,
  connections: readonly Open[],
): Promise<string> {
  const received = () => {
    let bytes = 0;
    for (const connection of connections) bytes += connection.received;
    return bytes;
  };
  const [bytes, cpu] = [received(), cpuTimeUs(server.pid)];
  await new Promise((resolve) => setTimeout(resolve, EVENTS_MS));
  // Of an event there is its record's header, too.
  const events = (received() - bytes) / (EVENT_LENGTH + 8);
  return ((cpuTimeUs(server.pid) - cpu) / events).toFixed(2);
}

/** A connection with requests on it that are not answered to the end. */
class Open {
  readonly #conn: Deno.Conn;
  /** How many bytes have come. */
  received = 0;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Makes so many requests, and waits until all are being answered. */
  static async to(path: string, requests: number): Promise<Open> {
    const open = new Open(await Deno.connect({ transport: "unix", path }));
    const ids = Array.from({ length: requests }, (_, i) => i + 1);
    await open.#conn.write(concatLarge(ids.map((id) => request({ id }))));
    const begun = Promise.withResolvers<void>();
    open.#read(requests, begun.resolve);
    await begun.promise;
    return open;
  }

  async #read(requests: number, begun: () => void): Promise<void> {
    const buffer = new Uint8Array(16 * 1024);
    let head = "";
    try {
      for (;;) {
        const n = await this.#conn.read(buffer);
        if (n === null) return;
        this.received += n;
        if (requests === 0) continue;
        head += decoder.decode(buffer.subarray(0, n));
        // A header block ends in each, and nothing else ends so.
        const heads = head.split("\r\n\r\n");
        head = heads.pop()!;
        requests -= heads.length;
        if (requests === 0) begun();
      }
    } catch {
      // Closed.
    }
  }

  close(): void {
    this.#conn.close();
  }
}

interface Lane {
  readonly name: string;
  readonly server: Server;
  readonly rps: number[];
  cpuUs: number;
  requests: number;
}

/** Measures a program without and with workers, all on one core. */
export async function measureWorkers(
  built: Built,
  folder: string,
  { rounds, seconds }: Effort,
): Promise<Table> {
  const load = { connections: 64, body: "Hello World!".length };
  const lanes: Lane[] = [];
  try {
    for (const workers of [0, 1, 2, 4]) {
      const name = workers === 0
        ? "one process"
        : `${workers} ${workers === 1 ? "worker" : "workers"}`;
      const server = await startServer(name, [
        ...[Deno.execPath(), "run", "--quiet", "--allow-all"],
        ...[`${HERE}/../../examples/hello.ts`, "--bind"],
        `${folder}/${crypto.randomUUID()}.sock`,
        ...workers === 0 ? [] : ["--workers", String(workers)],
      ]);
      lanes.push({ name, server, rps: [], cpuUs: 0, requests: 0 });
      await runLoad(built, server, load, 2);
    }
    for (let round = 0; round < rounds; round++) {
      for (const lane of round % 2 === 0 ? lanes : lanes.toReversed()) {
        const pids = familyOf(lane.server.pid);
        const before = cpuOf(pids);
        const { requests, rps } = await runLoad(
          built,
          lane.server,
          load,
          seconds,
        );
        lane.cpuUs += cpuOf(pids) - before;
        lane.requests += requests;
        lane.rps.push(rps);
      }
    }
    return {
      title: "Hello by workers, 64 kept connections, Unix socket, on one core",
      columns: [
        "CPU µs each",
        "MB of each process",
        "MB in all",
        "× one process",
      ],
      rows: lanes.map((lane) => workersRow(lane, lanes[0]!)),
    };
  } finally {
    // Workers whose first process is gone stop by themselves.
    for (const { server } of lanes) await server.stop();
  }
}

function workersRow(lane: Lane, base: Lane): Row {
  const memory = familyOf(lane.server.pid).map((pid) =>
    residentBytes(pid) / 1e6
  );
  return {
    name: lane.name,
    figures: [
      (lane.cpuUs / lane.requests).toFixed(2),
      memory.map((mb) => mb.toFixed(0)).join(" "),
      memory.reduce((sum, mb) => sum + mb, 0).toFixed(0),
    ],
    value: lane === base
      ? null
      : spread(lane.rps.map((rps, round) => rps / base.rps[round]!)),
  };
}

/** A process and its children. */
function familyOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  return [pid, ...text.split(" ").filter(Boolean).map(Number)];
}

function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuTimeUs(pid), 0);
}
