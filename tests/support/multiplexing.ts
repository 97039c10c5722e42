// A server that multiplexes, whose answers a test gives one by one.

import type { Peer } from "./peer.ts";
import { within } from "./peer.ts";
import { Scripted } from "./scripted.ts";
import {
  ABORT,
  BEGIN,
  GET_VALUES,
  GET_VALUES_RESULT,
  pairs,
  PARAMS,
  readPairs,
  record,
  STDIN,
} from "./wire.ts";
import type { WireRecord } from "./wire.ts";

/** What FCGI_GET_VALUES is answered with. */
export const OFFER = { FCGI_MPXS_CONNS: "1", FCGI_MAX_REQS: "100" };

/** One request that has come, up to the end of its FCGI_STDIN. */
export interface Came {
  peer: Peer;
  /** Which connection it came on, counted from 0. */
  connection: number;
  id: number;
  path: string;
}

/** A server that notes what comes and answers nothing but FCGI_GET_VALUES. */
export class Multiplexing implements AsyncDisposable {
  readonly #scripted: Scripted;
  readonly #offer: Record<string, string>;
  /** Requests whole so far. */
  readonly came: Came[] = [];
  /** Every record that came, with its connection. */
  readonly records: (WireRecord & { connection: number })[] = [];
  #changed = Promise.withResolvers<void>();

  constructor(offer: Record<string, string> = OFFER) {
    this.#offer = offer;
    this.#scripted = new Scripted((peer, index) => this.#serve(peer, index));
  }

  get address(): { hostname: string; port: number } {
    return this.#scripted.address;
  }

  get connections(): number {
    return this.#scripted.connections;
  }

  async #serve(peer: Peer, connection: number): Promise<void> {
    const params = new Map<number, string>();
    try {
      while (await peer.read()) {
        for (const one of peer.take()) {
          this.records.push({ ...one, connection });
          const { type, id, content } = one;
          if (type === GET_VALUES) {
            await peer.send(record(GET_VALUES_RESULT, 0, pairs(this.#offer)));
          } else if (type === BEGIN) params.set(id, "");
          else if (type === PARAMS && content.length > 0) {
            const found = new Map(readPairs(content));
            params.set(id, found.get("PATH_INFO") ?? "");
          } else if (type === STDIN && content.length === 0) {
            this.came.push({ peer, connection, id, path: params.get(id)! });
          }
        }
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
      }
    } catch {
      // Reset, or closed by the test.
    }
  }

  /** Waits until what has come fits. */
  async until(fits: () => boolean): Promise<void> {
    while (!fits()) await within(this.#changed.promise, "more to come");
  }

  /** Waits for the request of a path, and gives it. */
  async request(path: string): Promise<Came> {
    const find = () => this.came.find((came) => came.path === path);
    await this.until(() => find() !== undefined);
    return find()!;
  }

  /** Waits for FCGI_ABORT_REQUEST of an id. */
  async aborted(id: number): Promise<void> {
    await this.until(() =>
      this.records.some((one) => one.type === ABORT && one.id === id)
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scripted[Symbol.asyncDispose]();
  }
}
