// What the benchmarks run and how it is watched: the C programs, the servers,
// the load generator, each on a core of its own, and what they use.

const decoder = new TextDecoder();

/** The folder of the benchmarks. */
export const HERE = import.meta.dirname!;

/** How long a server may take to listen. */
const START_MS = 20_000;

/** What one run of the load generator found. */
export interface LoadResult {
  readonly requests: number;
  readonly errors: number;
  readonly firstError: string;
  readonly rps: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** The load of a case. */
export interface Load {
  /** Connections at once. */
  readonly connections: number;
  /** Bytes posted with each request. */
  readonly post?: number;
  /** Bytes of the body that is to come back. */
  readonly body: number;
  /** Whether it is made over HTTP, rather than FastCGI. */
  readonly isHttp?: boolean;
}

/** A server under test. */
export interface Server {
  readonly name: string;
  readonly pid: number;
  /** What the load generator is given: a path or a port. */
  readonly address: string;
  stop(): Promise<void>;
}

/** The programs in C, built into a folder. */
export interface Built {
  readonly load: string;
  /** null where libfcgi is not installed. */
  readonly libfcgi: string | null;
}

async function run(
  command: string,
  args: string[],
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, {
      args,
      stdin: "null",
    }).output();
    return {
      success,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { success: false, stdout: "", stderr: `no ${command} is installed` };
  }
}

async function compile(
  source: string,
  target: string,
  libraries: string[],
): Promise<string | null> {
  const { success, stderr } = await run("cc", [
    "-O2",
    "-o",
    target,
    `${HERE}/${source}`,
    ...libraries,
  ]);
  return success ? null : stderr.trim();
}

/** Builds the programs in C. */
export async function build(folder: string): Promise<Built> {
  const load = `${folder}/load`;
  const trouble = await compile("load.c", load, []);
  if (trouble !== null) {
    throw new Error(
      `Cannot build the load generator: ${trouble}. Install a C compiler (Debian: apt-get install gcc libc6-dev)`,
    );
  }
  const libfcgi = `${folder}/libfcgi_hello`;
  const missing = await compile("libfcgi_hello.c", libfcgi, [
    "-lfcgi",
    "-lpthread",
  ]);
  return { load, libfcgi: missing === null ? libfcgi : null };
}

// Without a second core, or without taskset, everything shares what there is.
const isPinned = navigator.hardwareConcurrency > 1 &&
  (await run("taskset", ["--version"])).success;

/** How the cores are shared out. */
export function describePinning(): string {
  return isPinned
    ? "servers on core 0, load generator on core 1"
    : "nothing pinned to a core: there is one core, or no taskset, so that ratios tell less";
}

function pinned(core: number, command: string[]): [string, string[]] {
  const all = isPinned
    ? ["taskset", "-c", String(core), ...command]
    : [...command];
  return [all[0]!, all.slice(1)];
}

/** The command line of a server in TypeScript. */
export function denoServer(name: string, ...args: string[]): string[] {
  return [
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-all",
    `${HERE}/servers/${name}.ts`,
    ...args,
  ];
}

/** Starts a server on its core; it says on one line where it listens. */
export async function startServer(
  name: string,
  command: string[],
): Promise<Server> {
  const [program, args] = pinned(0, command);
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const stop = async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child.stdout.cancel();
    await child.status;
  };
  const timer = setTimeout(() => child.kill("SIGKILL"), START_MS);
  let line = "";
  const reader = child.stdout.getReader();
  while (!/^listening .*\n/im.test(line)) {
    const { done, value } = await reader.read();
    if (done) break;
    line += decoder.decode(value);
  }
  reader.releaseLock();
  clearTimeout(timer);
  const address = /^listening (?:for FastCGI )?on (\S+)/im.exec(line)?.[1];
  if (address === undefined) {
    await stop();
    throw new Error(`A server did not start: ${command.join(" ")}`);
  }
  return { name, pid: child.pid, address, stop };
}

/** How often a load is tried of which nothing was answered. */
const ATTEMPTS = 5;

/**
 * Runs the load generator on its core. On a machine whose cores are lent to
 * others meanwhile a short run may be over before anything was done.
 */
export async function runLoad(
  built: Built,
  server: Server,
  load: Load,
  seconds: number,
): Promise<LoadResult> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const result = await runLoadOnce(built, server, load, seconds);
    if (result.requests > 0) return result;
  }
  throw new Error(
    `${server.name}: nothing was answered in ${ATTEMPTS} runs of ${seconds} s`,
  );
}

async function runLoadOnce(
  built: Built,
  server: Server,
  load: Load,
  seconds: number,
): Promise<LoadResult> {
  const [program, args] = pinned(1, [
    built.load,
    server.address,
    "-c",
    String(load.connections),
    "-s",
    String(seconds),
    "-P",
    String(load.post ?? 0),
    "-b",
    String(load.body),
    ...load.isHttp ? ["-H"] : [],
  ]);
  const { success, stdout, stderr } = await run(program, args);
  if (!success) throw new Error(stderr.trim());
  const result: LoadResult = JSON.parse(stdout);
  if (result.errors > 0) {
    throw new Error(
      `${server.name}: ${result.errors} errors in ${result.requests} requests: ${result.firstError}`,
    );
  }
  return result;
}

/** The bytes of one request of a load. */
export async function requestLength(built: Built, load: Load): Promise<number> {
  const { stdout } = await run(built.load, [
    "-",
    "-q",
    "-P",
    String(load.post ?? 0),
  ]);
  return Number(stdout);
}

/** The milliseconds a command takes from its start until it accepts. */
export async function timeStart(
  built: Built,
  port: number,
  hasTerminal: boolean,
  command: string[],
): Promise<number> {
  const { success, stdout, stderr } = await run(built.load, [
    String(port),
    hasTerminal ? "-wp" : "-w",
    ...command,
  ]);
  if (!success) throw new Error(stderr.trim());
  return JSON.parse(stdout).startMs;
}

/** Connections that do nothing, or made one request and then do nothing. */
export interface IdleConnections extends AsyncDisposable {
  /** Makes one request on each. */
  ask(): Promise<void>;
}

/** Opens idle connections. */
export async function openIdle(
  built: Built,
  server: Server,
  connections: number,
): Promise<IdleConnections> {
  const [program, args] = pinned(1, [
    built.load,
    server.address,
    "-i",
    "-c",
    String(connections),
  ]);
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const writer = child.stdin.getWriter();
  const expect = async (word: string) => {
    const { value } = await reader.read();
    if (decoder.decode(value).trim() !== word) {
      throw new Error(`The load generator failed before it said "${word}"`);
    }
  };
  await expect("open");
  return {
    async ask() {
      await writer.write(new Uint8Array([10]));
      await expect("answered");
    },
    async [Symbol.asyncDispose]() {
      await writer.close();
      await reader.cancel();
      await child.status;
    },
  };
}

/** Microseconds of processor time of a process, all threads. */
export function cpuTimeUs(pid: number): number {
  // proc(5): fields 14 and 15, counted from behind the name, which may hold
  // spaces; in hundredths of a second.
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Bytes of a process that are in memory. */
export function residentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
