// Running: an application under test, listening on a free port or on a Unix
// socket of its own, with what it wrote and logged.

import { Application } from "../../src/application.ts";
import type { ApplicationOptions } from "../../src/options.ts";
import type { ServiceRequest } from "../../src/request.ts";
import type { ServiceResponse } from "../../src/response.ts";
import { serveOn } from "../../src/server/server.ts";
import type { FastCGIServer } from "../../src/server/server.ts";
import type {
  Transport,
  TransportListener,
} from "../../src/server/transport.ts";
import { Peer, within } from "./peer.ts";
import { GET_VALUES, GET_VALUES_RESULT, record } from "./wire.ts";

/** What service() of the application does. */
export type Service = (
  request: ServiceRequest,
  response: ServiceResponse,
) => void | Promise<void>;

/** How an application runs under test. */
export interface RunningOptions extends ApplicationOptions {
  /** Whether it listens on a Unix socket, rather than on TCP. */
  unix?: boolean;
  /** Whether `writes` is kept. */
  watched?: boolean;
  /** What error() of the application does; the default one otherwise. */
  error?: (
    error: unknown,
    request: ServiceRequest,
    response: ServiceResponse,
  ) => void | Promise<void>;
}

/** One application that listens. */
export class Running implements AsyncDisposable {
  readonly app: Application;
  readonly server: FastCGIServer;
  /** Every write of the server, in order, as the socket was given it. */
  readonly writes: Uint8Array[] = [];
  /** Every line of the server's own log. */
  readonly logged: string[] = [];
  readonly #directory: string | null;
  readonly #consoleError = console.error;

  /**
   * Starts an application that is there, or one of a service(); leaving the
   * scope stops it.
   */
  constructor(served: Application | Service, options: RunningOptions = {}) {
    const { unix = false, watched = false, error, ...rest } = options;
    this.app = served instanceof Application
      ? served
      : new (class extends Application {
        override service(request: ServiceRequest, response: ServiceResponse) {
          return served(request, response);
        }
        override error(
          thrown: unknown,
          request: ServiceRequest,
          response: ServiceResponse,
        ) {
          return error === undefined
            ? super.error(thrown, request, response)
            : error(thrown, request, response);
        }
      })(rest);
    this.#directory = unix ? Deno.makeTempDirSync() : null;
    console.error = (...line) => this.logged.push(line.join(" "));
    const path = `${this.#directory}/socket`;
    if (!watched) {
      this.server = this.app.listen(
        unix ? { path } : { hostname: "127.0.0.1", port: 0 },
      );
      return;
    }
    this.server = this.app[serveOn](this.#watched(
      unix
        ? Deno.listen({ transport: "unix", path })
        : Deno.listen({ hostname: "127.0.0.1", port: 0 }),
    ));
  }

  /** The listener, with every write of its connections noted. */
  #watched(listener: Deno.Listener<Deno.Conn>): TransportListener {
    return {
      addr: listener.addr,
      accept: async () => {
        const conn = await listener.accept() as Deno.Conn & Transport;
        return {
          remoteAddr: conn.remoteAddr,
          read: (buffer) => conn.read(buffer),
          write: (bytes) => {
            if (bytes.length > 0) this.writes.push(bytes.slice());
            return conn.write(bytes);
          },
          closeWrite: () => conn.closeWrite(),
          close: () => conn.close(),
          setNoDelay: (noDelay) => conn.setNoDelay?.(noDelay),
          ref: () => conn.ref(),
          unref: () => conn.unref(),
        };
      },
      close: () => listener.close(),
      ref: () => listener.ref(),
      unref: () => listener.unref(),
    };
  }

  /** A new connection to it. */
  connect(): Promise<Peer> {
    return Peer.to(this.server);
  }

  /**
   * Lets the server run on for a while, by round trips over another
   * connection: for what must not happen, of which no event tells.
   */
  async goOn(roundTrips = 50): Promise<void> {
    using peer = await this.connect();
    for (let i = 0; i < roundTrips; i++) {
      await peer.send(record(GET_VALUES, 0));
      await peer.until((record) => record.type === GET_VALUES_RESULT);
      peer.take();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await within(this.server.abort(), "the server to stop");
    } finally {
      console.error = this.#consoleError;
      if (this.#directory !== null) {
        await Deno.remove(this.#directory, { recursive: true });
      }
    }
  }
}

/** Something to wait for, settled from elsewhere. */
export function gate<T = void>(): PromiseWithResolvers<T> {
  return Promise.withResolvers<T>();
}
