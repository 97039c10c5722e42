// A WSGI server without sockets, and applications for it: what validator() is
// put between.

import { validator } from "../../src/gateway/gateway.ts";
import type {
  StartResponse,
  WsgiApplication,
  WsgiBody,
  WsgiEnvironment,
  WsgiHeaders,
  WsgiWrite,
} from "../../src/gateway/wsgi_types.ts";

// deno-lint-ignore no-explicit-any
export type Any = any;

export const PLAIN: WsgiHeaders = [["Content-Type", "text/plain"]];

/** A server that does nothing wrong, but for what is changed. */
export class Server {
  readonly errors: string[] = [];
  readonly started: unknown[][] = [];
  readonly written: unknown[] = [];
  readonly env: Record<string, unknown>;

  constructor(changes: Record<string, unknown> = {}) {
    this.env = {
      REQUEST_METHOD: "GET",
      SCRIPT_NAME: "",
      PATH_INFO: "/",
      QUERY_STRING: "",
      SERVER_NAME: "test",
      SERVER_PORT: "80",
      SERVER_PROTOCOL: "HTTP/1.1",
      "wsgi.version": [1, 0],
      "wsgi.url_scheme": "http",
      "wsgi.input": {
        read: (size: number) => Promise.resolve(new Uint8Array(size)),
        readline: () => Promise.resolve(new Uint8Array(2)),
        readlines: () => Promise.resolve([new Uint8Array(2)]),
        async *[Symbol.asyncIterator]() {
          yield await Promise.resolve(new Uint8Array(2));
        },
      },
      "wsgi.errors": {
        write: (text: string) => void this.errors.push(text),
        writelines: (lines: string[]) => void this.errors.push(...lines),
        flush: () => {},
      },
      "wsgi.multithread": false,
      "wsgi.multiprocess": false,
      "wsgi.run_once": false,
    };
    for (const [name, value] of Object.entries(changes)) {
      if (value === MISSING) delete this.env[name];
      else this.env[name] = value;
    }
  }

  readonly startResponse = (...args: unknown[]): WsgiWrite => {
    this.started.push(args);
    return (chunk) => {
      this.written.push(chunk);
      return Promise.resolve();
    };
  };

  call(app: WsgiApplication): WsgiBody | Promise<WsgiBody> {
    return validator(app)(this.env as WsgiEnvironment, this.startResponse);
  }

  /** Calls an application and reads its body, as a server does. */
  async run(app: WsgiApplication): Promise<unknown[]> {
    const body = await this.call(app) as Iterable<unknown>;
    const chunks = [];
    for await (const chunk of body) chunks.push(chunk);
    (body as unknown as { close(): void }).close();
    return chunks;
  }
}

/** In place of a value that is not to be there. */
export const MISSING = Symbol("missing");

/** The hello of WSGI. */
export function hello(_: WsgiEnvironment, startResponse: StartResponse) {
  startResponse("200 OK", PLAIN);
  return ["Hello, World!"];
}

/** An application that starts as told. */
export function starting(...args: unknown[]): WsgiApplication {
  return (_, startResponse) => {
    (startResponse as unknown as (...args: unknown[]) => void)(...args);
    return [];
  };
}

/** An application that does something to its environment. */
export function using(use: (env: WsgiEnvironment) => unknown): WsgiApplication {
  return async (env, startResponse) => {
    await use(env);
    startResponse("200 OK", PLAIN);
    return [];
  };
}
