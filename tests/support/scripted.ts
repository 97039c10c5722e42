// Scripted: a FastCGI server that does to the letter what a test tells it, for
// what no good server does. It sees the raw records of its client.

import { Peer, within } from "./peer.ts";
import { ABORT, BEGIN, concatLarge, PARAMS, readPairs, STDIN } from "./wire.ts";
import type { WireRecord } from "./wire.ts";

/** A request, as its records tell it. */
export interface Seen {
  /** FCGI_KEEP_CONN. */
  keep: boolean;
  role: number;
  params: Record<string, string>;
  body: Uint8Array;
}

/** What happens on one connection; its index counts connections from 0. */
export type Script = (peer: Peer, index: number) => Promise<void>;

/** A server on a free port of 127.0.0.1. */
export class Scripted implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #peers: Peer[] = [];
  readonly #scripts: Promise<void>[] = [];
  readonly #accepting: Promise<void>;

  constructor(script: Script) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept(script);
  }

  /** Where it listens. */
  get address(): { hostname: string; port: number } {
    return { hostname: "127.0.0.1", port: this.#listener.addr.port };
  }

  /** How many connections came. */
  get connections(): number {
    return this.#peers.length;
  }

  async #accept(script: Script): Promise<void> {
    try {
      for await (const conn of this.#listener) {
        const peer = Peer.on(conn);
        const running = script(peer, this.#peers.push(peer) - 1);
        // Told at the end, not before somebody asks.
        running.catch(() => {});
        this.#scripts.push(running);
      }
    } catch {
      // Closed while it waited.
    }
  }

  /** Ends it; fails where a script has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    try {
      await within(
        Promise.all([this.#accepting, ...this.#scripts]),
        "the scripts to end",
      );
    } finally {
      for (const peer of this.#peers) peer.close();
    }
  }
}

/** Reads one request up to the end of its body, and takes its records. */
export async function readRequest(peer: Peer): Promise<Seen> {
  await peer.until(
    (record) => record.type === STDIN && record.content.length === 0,
    "the end of FCGI_STDIN",
  );
  return seen(peer.take());
}

/** Reads the start of a request up to the end of its parameters. */
export async function readParams(peer: Peer): Promise<Seen> {
  await peer.until(
    (record) => record.type === PARAMS && record.content.length === 0,
    "the end of FCGI_PARAMS",
  );
  return seen(peer.records);
}

/** Reads until FCGI_ABORT_REQUEST. */
export async function readAbort(peer: Peer): Promise<void> {
  await peer.until((record) => record.type === ABORT, "FCGI_ABORT_REQUEST");
}

function seen(records: WireRecord[]): Seen {
  const of = (type: number) =>
    concatLarge(
      records.filter((record) => record.type === type).map((r) => r.content),
    );
  const begin = of(BEGIN);
  return {
    keep: (begin[2]! & 1) === 1,
    role: begin[0]! * 256 + begin[1]!,
    params: Object.fromEntries(readPairs(of(PARAMS))),
    body: of(STDIN),
  };
}
