// SlowLog: tells of a request that is not answered in time, while it waits, with
// the stack of what it waits for.
//
// A request that waits is on no stack. What can be had is the stack as of the
// last promise that its own code made, which is mostly the one it waits for: the
// runtime can call a function for each that is made. (Of functions that call one
// another and all await, the innermost makes the first.) It does so through an
// internal of it, without which there is no stack. One takes 4 to 10 µs, so that
// only so many are taken in a while; of a request that went on without one, it
// is said. A service that does not give the thread back has no stack at all:
// nothing else runs.

import type { AsyncLocalStorage } from "node:async_hooks";
import { requestId } from "../cgi/variables.ts";
import { requestTarget } from "../cgi/url.ts";
import { runtimeCore } from "../server/runtime_core.ts";
import type { Exchange } from "../server/exchange.ts";
import { HIGH_WATER } from "../server/output.ts";
import { safe } from "./log_format.ts";

/** Stacks taken in each {@linkcode WINDOW_MS}: about 2 per cent of a core. */
const STACKS = 300;
const WINDOW_MS = 100;

/**
 * The last promises of a request that are looked at: those that this package
 * makes of its own accord are passed over.
 */
const PLACES = 8;

/** Where the code of this package is, and no other. */
const OWN = new URL("../", import.meta.url).href;

/** Where a promise was made. */
interface Place {
  readonly stack?: string;
  readonly at: number;
  /** Which promise had the thread: what nothing came between is of one turn. */
  readonly turn: number;
}

/** A request under way. */
interface Watched {
  readonly exchange: Exchange;
  /** Its first line, as a client sent it. */
  readonly line: string;
  readonly beganAt: number;
  /** Where its last promises were made; the newest is at `count - 1`. */
  readonly places: Place[];
  count: number;
  /** Whether it went on since. */
  isStale: boolean;
}

/** What the runtime has for who looks at promises. */
interface PromiseHooks {
  setPromiseHooks(
    init: () => void,
    before: () => void,
    after: undefined,
    resolve: undefined,
  ): void;
}

/** Tells of slow requests. */
export class SlowLog {
  readonly #thresholdMs: number;
  readonly #report: (message: string) => void;
  readonly #storage: AsyncLocalStorage<Watched>;
  /** Requests that were not told yet, the oldest first. */
  readonly #watched = new Set<Watched>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #turn = 0;
  #window = 0;
  #stacks = 0;

  private constructor(
    thresholdMs: number,
    report: (message: string) => void,
    storage: AsyncLocalStorage<Watched>,
  ) {
    this.#thresholdMs = thresholdMs;
    this.#report = report;
    this.#storage = storage;
  }

  /**
   * Gets ready to tell.
   *
   * @param thresholdMs Milliseconds after which a request is slow.
   * @param report Writes to the server's own log.
   * @returns The log.
   */
  static async open(
    thresholdMs: number,
    report: (message: string) => void,
  ): Promise<SlowLog> {
    const { AsyncLocalStorage } = await import("node:async_hooks");
    const log = new SlowLog(thresholdMs, report, new AsyncLocalStorage());
    runtimeCore<PromiseHooks>("setPromiseHooks")?.setPromiseHooks(
      log.#onPromise,
      () => {
        log.#turn++;
      },
      undefined,
      undefined,
    );
    return log;
  }

  /**
   * Serves a request, and tells if it is slow.
   *
   * @param exchange The request.
   * @param serve Serves it.
   */
  run(exchange: Exchange, serve: (exchange: Exchange) => void): void {
    const watched: Watched = {
      exchange,
      line: lineOf(exchange),
      beganAt: performance.now(),
      places: [],
      count: 0,
      isStale: false,
    };
    this.#watched.add(watched);
    const over = () => this.#over(watched);
    exchange.completed.then(over, over);
    this.#arm();
    this.#storage.run(watched, serve, exchange);
  }

  #arm(): void {
    if (this.#timer !== null || this.#watched.size === 0) return;
    const [oldest] = this.#watched;
    const dueMs = oldest!.beganAt + this.#thresholdMs - performance.now();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#tellDue();
      this.#arm();
    }, Math.max(1, dueMs));
    Deno.unrefTimer(this.#timer);
  }

  #tellDue(): void {
    const now = performance.now();
    for (const watched of this.#watched) {
      if (now - watched.beganAt < this.#thresholdMs) break;
      this.#watched.delete(watched);
      this.#tell(watched, now);
    }
  }

  #tell(watched: Watched, now: number): void {
    const { exchange, line, beganAt, isStale } = watched;
    const ms = Math.round(now - beganAt);
    let text = `Slow request, ${ms} ms so far: ${line}`;
    if (exchange.awaited !== null) text += ". It waits for its body";
    else if (exchange.output.queued > HIGH_WATER) {
      text += ". It waits for the web server to take its output";
    }
    if (exchange.output.isFinished) {
      text += ". It is answered, and its body still comes";
    } else {
      const place = placeOf(watched);
      if (place === null) text += ". Where it waits is not known";
      else {
        const [frames, at] = place;
        const ago = Math.round(now - at);
        text += isStale
          ? `. ${ago} ms ago it was here, and has gone on since:\n${frames}`
          : `. It waits here, for ${ago} ms:\n${frames}`;
      }
    }
    this.#report(text);
  }

  #over(watched: Watched): void {
    if (!this.#watched.delete(watched)) return;
    const ms = performance.now() - watched.beganAt;
    if (ms >= this.#thresholdMs) {
      // The timer could not tell, for it had no turn.
      this.#report(
        `Slow request, ${Math.round(ms)} ms: ${watched.line}. ` +
          "It was over before it could be told, for something kept the process busy: nothing else was served either",
      );
    }
    if (this.#watched.size > 0 || this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A promise is made, by whoever it may be. */
  readonly #onPromise = (): void => {
    const watched = this.#storage.getStore();
    if (watched === undefined) return;
    if (this.#stacks >= STACKS) {
      const now = performance.now();
      if (now - this.#window < WINDOW_MS) {
        watched.isStale = true;
        return;
      }
      this.#window = now;
      this.#stacks = 0;
    }
    this.#stacks++;
    const place: Place = { at: performance.now(), turn: this.#turn };
    Error.captureStackTrace(place, this.#onPromise);
    watched.places[watched.count++ % PLACES] = place;
    watched.isStale = false;
  };
}

/** A request in a line, as harmless as those of the access log. */
function lineOf(exchange: Exchange): string {
  const read = (name: string) => exchange.latin1Param(name);
  const method = safe(read("REQUEST_METHOD"));
  const id = requestId(read);
  return `${method} ${safe(requestTarget(read))} from ${
    safe(read("REMOTE_ADDR"))
  }${id === null ? "" : ` [${safe(id)}]`}`;
}

/** Where the code of a request waits, null for not known. */
function placeOf(
  { places, count }: Watched,
): [frames: string, at: number] | null {
  let found: { frames: string[]; place: Place } | null = null;
  for (let i = 1; i <= Math.min(count, PLACES); i++) {
    const place = places[(count - i) % PLACES]!;
    const frames = framesOf(place.stack ?? "");
    if (frames.length === 0) continue;
    if (found !== null) {
      const isInner = place.turn === found.place.turn &&
        isCalledFrom(frames, found.frames);
      if (!isInner) break;
    }
    found = { frames, place };
  }
  return found && [found.frames.join("\n"), found.place.at];
}

/** The frames of a stack that are of the code of a request. */
function framesOf(stack: string): string[] {
  // Without what is the runtime's,
  const frames = stack.split("\n").filter((line) =>
    /^\s+at (?!.*\b(?:ext|node):)(?!.*<anonymous>\)$)/.test(line)
  );
  // and without what of this package has called it.
  while (frames.at(-1)?.includes(OWN)) frames.pop();
  return frames;
}

/** Whether the outer frames of a stack are those of another. */
function isCalledFrom(
  frames: readonly string[],
  outer: readonly string[],
): boolean {
  const names = (all: readonly string[]) =>
    all.map((frame) => frame.replace(/^\s+at (?:async )?|:\d+:\d+\)?$/g, ""));
  const inner = names(frames).slice(-outer.length);
  return frames.length > outer.length &&
    names(outer).every((name, i) => name === inner[i]);
}
