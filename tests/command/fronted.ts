// Fronted: an application with an HTTP front, and what asks it.

import { HttpFront } from "../../src/command/http_front.ts";
import { latin1 } from "../support/ask.ts";
import { within } from "../support/peer.ts";
import { Running } from "../support/running.ts";
import type { RunningOptions, Service } from "../support/running.ts";

/** An application with an HTTP front on a free port. */
export class Fronted implements AsyncDisposable {
  readonly running: Running;
  readonly front: HttpFront;

  constructor(service: Service, options: RunningOptions = {}) {
    this.running = new Running(service, options);
    this.front = new HttpFront(this.running.app, {
      hostname: "127.0.0.1",
      port: 0,
    });
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return within(fetch(new URL(path, this.front.url), init), "a response");
  }

  /** A connection to the front, as a browser has it. */
  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({
      hostname: "127.0.0.1",
      port: Number(new URL(this.front.url).port),
    });
  }

  /** Sends bytes on a connection of its own, and gives all that comes. */
  async raw(text: string): Promise<string> {
    using conn = await this.connect();
    await conn.write(latin1(text));
    const answer = new Response(conn.readable).bytes();
    const got = await within(answer, "the answer");
    return Array.from(got, (byte) => String.fromCharCode(byte)).join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.front.server.abort();
    await within(this.front.close(false), "the front to close");
    await this.running[Symbol.asyncDispose]();
  }
}
