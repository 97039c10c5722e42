// The cases of `deno task bench`: what is loaded how, what it is compared with
// and the ratio it is to reach.

import { denoServer } from "./processes.ts";
import type { Built, Load } from "./processes.ts";

/** One server of a case. */
export interface Contender {
  readonly name: string;
  /** The command without the address, which comes behind it. */
  command(requestLength: number): string[];
  /** The least ratio to the base; none is set for what is shown only. */
  readonly goal?: number;
  /** The ratio aimed for. */
  readonly aim?: number;
  /** Whether it speaks HTTP, rather than FastCGI. */
  readonly isHttp?: boolean;
}

/** Servers loaded in turn; the ratios are to the base. */
export interface LoadCase {
  readonly name: string;
  readonly title: string;
  readonly load: Load;
  readonly isTcp?: boolean;
  readonly base: Contender;
  readonly contenders: readonly Contender[];
}

const MEGABYTE = 1_000_000;
const HELLO = "Hello World!".length;

function own(name: string, goals: Partial<Contender> = {}): Contender {
  return { name, command: () => denoServer(name), ...goals };
}

/** A handler on `Deno.serve`, over HTTP. */
function denoServe(name: string, ...flags: string[]): Contender {
  return {
    name: "Deno.serve",
    command: () => denoServer(name, "--http", ...flags),
    isHttp: true,
  };
}

/** The fetch whose handler takes its Request. */
const TAKING: Contender = {
  name: "fetch, taking it",
  command: () => denoServer("fetch", "--request"),
};

const LIMIT: Contender = { name: "limit", command: () => denoServer("limit") };

function uploadLimit(name: string, kib: number, ...flags: string[]): Contender {
  const buffer = `--read-buffer=${kib * 1024}`;
  return {
    name,
    command: (length) =>
      denoServer("limit", `--request=${length}`, buffer, ...flags),
  };
}

const DOWNLOAD_LIMIT: Contender = {
  name: "limit",
  command: () => denoServer("limit", `--body=${MEGABYTE}`),
};

/** The cases that load servers. */
export const LOAD_CASES: readonly LoadCase[] = [
  {
    name: "hello",
    title: "Hello, 64 kept connections, Unix socket",
    load: { connections: 64, body: HELLO },
    base: LIMIT,
    contenders: [
      own("hello", { goal: 0.75, aim: 0.9 }),
      own("env", { goal: 0.5 }),
      own("url", { goal: 0.5 }),
      own("env_url", { goal: 0.5 }),
      own("async"),
    ],
  },
  {
    name: "one",
    title: "Hello, one kept connection, Unix socket",
    load: { connections: 1, body: HELLO },
    base: LIMIT,
    contenders: [own("hello", { goal: 0.8 })],
  },
  {
    name: "tcp",
    title: "Hello, 64 kept connections, TCP",
    load: { connections: 64, body: HELLO },
    isTcp: true,
    base: LIMIT,
    contenders: [own("hello")],
  },
  {
    name: "upload",
    title: "Upload of 1 MB, 16 kept connections, Unix socket",
    load: { connections: 16, post: MEGABYTE, body: HELLO },
    base: uploadLimit("limit", 64),
    contenders: [
      own("upload", { goal: 0.7 }),
      { name: "not read", command: () => denoServer("hello") },
      uploadLimit("limit, new buffers", 128, "--fresh"),
    ],
  },
  {
    name: "download",
    title: "Download of 1 MB, 16 kept connections, Unix socket",
    load: { connections: 16, body: MEGABYTE },
    base: DOWNLOAD_LIMIT,
    contenders: [
      own("download", { goal: 0.7 }),
      own("stream", { goal: 0.5 }),
    ],
  },
  {
    name: "gateway",
    title: "Hello behind a Gateway, 64 kept connections, Unix socket",
    load: { connections: 64, body: HELLO },
    base: LIMIT,
    contenders: [
      own("fetch", { goal: 0.55, aim: 0.75 }),
      TAKING,
      own("wsgi", { goal: 0.6 }),
    ],
  },
  ...["TCP", "Unix socket"].flatMap((socket): LoadCase[] => [{
    name: "http",
    title:
      `The same handler over FastCGI and over HTTP, 64 kept connections, ${socket}`,
    load: { connections: 64, body: HELLO },
    isTcp: socket === "TCP",
    base: denoServe("fetch"),
    contenders: [own("fetch", { goal: 0.85, aim: 1 }), LIMIT],
  }, {
    name: "http",
    title:
      `A handler that takes its Request, over both, 64 kept connections, ${socket}`,
    load: { connections: 64, body: HELLO },
    isTcp: socket === "TCP",
    base: denoServe("fetch", "--request"),
    contenders: [TAKING],
  }, {
    name: "hono",
    title: `Hono over FastCGI and over HTTP, 64 kept connections, ${socket}`,
    load: { connections: 64, body: HELLO },
    isTcp: socket === "TCP",
    base: denoServe("hono"),
    contenders: [own("hono", { goal: 0.85 }), LIMIT],
  }]),
];

/**
 * The comparison with libfcgi. It has one thread a connection: with 16 threads
 * and 64 connections, which is when it is fastest, 48 of them wait.
 */
export function libfcgiCases(built: Built): LoadCase[] {
  const { libfcgi } = built;
  if (libfcgi === null) return [];
  return [16, 64].map((threads) => ({
    name: "libfcgi",
    title:
      `Hello, 64 kept connections, Unix socket, against libfcgi in C with ${threads} threads`,
    load: { connections: 64, body: HELLO },
    base: {
      name: `libfcgi ${threads}`,
      command: () => [libfcgi, String(threads)],
    },
    contenders: [own("hello", { goal: 1.2 })],
  }));
}
