// A store for tests, which waits and fails when it is told to, and a service
// that uses it.

import { MemorySessionStore } from "../../src/sessions/memory.ts";
import type {
  SessionData,
  SessionWrite,
  SessionWriteResult,
} from "../../src/sessions/store.ts";
import { Running } from "../support/running.ts";
import type { RunningOptions, Service } from "../support/running.ts";
import { Visitor } from "./visitor.ts";

/** What a store is asked. */
export type Method = "read" | "write" | "refresh" | "destroy";

/** A store in memory that tells what it is asked, and may hold it up. */
export class TestStore extends MemorySessionStore {
  /** What it was asked, in order. */
  readonly asked: Method[] = [];
  /** What stands before each method: what it throws, the method throws. */
  readonly before: Partial<Record<Method, () => void | Promise<void>>> = {};

  async #pass(method: Method): Promise<void> {
    this.asked.push(method);
    await this.before[method]?.();
  }

  override async read(id: string): Promise<SessionData | null> {
    await this.#pass("read");
    return await super.read(id);
  }

  override async write(
    id: string,
    write: SessionWrite,
  ): Promise<SessionWriteResult> {
    await this.#pass("write");
    return await super.write(id, write);
  }

  override async refresh(id: string): Promise<void> {
    await this.#pass("refresh");
    await super.refresh(id);
  }

  override async destroy(id: string): Promise<void> {
    await this.#pass("destroy");
    await super.destroy(id);
  }
}

/** A service with such a store, and a client of it. */
export interface Storing extends AsyncDisposable {
  running: Running;
  store: TestStore;
  visitor: Visitor;
}

/** Runs a service; `/get` says what its session has as `a`. */
export function storing(
  service: Service,
  options: RunningOptions = {},
): Storing {
  const store = new TestStore();
  const running = new Running(async (request, response) => {
    if (request.url.pathname !== "/get") {
      return await service(request, response);
    }
    const session = await request.session();
    response.write(String(session.get("a")));
  }, { sessions: store, ...options });
  return {
    running,
    store,
    visitor: new Visitor(running.server),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
