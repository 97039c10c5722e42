// What a server counts of itself. It is counted on the hot path, so it costs
// next to nothing there: whole numbers that go up. What can be looked up when
// somebody asks, such as the requests in flight, is not counted at all.

/** How long requests took, from FCGI_BEGIN_REQUEST to FCGI_END_REQUEST. */
export interface LatencyStats {
  /**
   * The most milliseconds of each bucket but the last, in ascending order; the
   * last has whatever took longer.
   */
  boundsMs: readonly number[];
  /** How many requests each bucket has: one bucket more than there are bounds. */
  counts: number[];
  /** The milliseconds of all of them together. */
  sumMs: number;
}

/** What a server has done since it started, and what it does now. */
export interface ServerStats {
  /** Connections accepted. */
  accepted: number;
  /** Connections that are open and carry a request. */
  active: number;
  /** Connections that are open and carry none. */
  idle: number;
  /** Requests in flight. */
  inFlight: number;
  /** Requests that were answered, errors included. */
  served: number;
  /**
   * Requests that got no whole answer: given up by the web server, lost with
   * their connection, broken off by the application or ended by force.
   */
  aborted: number;
  /**
   * Requests that were answered in the application's place, because of
   * `maxRequestsPerConnection`, `maxParamsBytes`, `maxBodyBytes` or
   * `paramsTimeoutMs`.
   */
  refused: number;
  /** Bytes read from connections. */
  bytesIn: number;
  /** Bytes written to connections. */
  bytesOut: number;
  /**
   * How long the requests took that were served. Where there are thousands a
   * second, one of sixteen is timed and counts for all of them.
   */
  latency: LatencyStats;
}

/** From what a page of memory takes to what a client waits for. */
const BOUNDS_MS: readonly number[] = [
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1_000,
  2_500,
  5_000,
  10_000,
];

/**
 * Requests that are timed in each tick of the clock. To ask for the time takes
 * up to 0.5 µs, twice a request: five per cent of a short one.
 */
const TIMED_PER_TICK = 64;
/** Beyond those, one of so many. */
const SAMPLED = 16;

/** A request, as it is counted. */
export interface CountedRequest {
  /** What {@linkcode Counters.begin} gave. */
  readonly timing: number;
  /** Whether it got no whole answer. */
  readonly isAborted: boolean;
  /** Whether a limit kept it from the application. */
  readonly isRefused: boolean;
}

/** What a server counts. */
export class Counters {
  accepted = 0;
  served = 0;
  aborted = 0;
  refused = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly #counts: number[] = [...BOUNDS_MS, Infinity].map(() => 0);
  #sumMs = 0;
  #tick = -1;
  #begun = 0;

  /**
   * A request begins.
   *
   * @param now The clock's time.
   * @returns When, in milliseconds; negative where the request stands for
   * {@linkcode SAMPLED}, 0 where it is not timed.
   */
  begin(now: number): number {
    if (now !== this.#tick) {
      this.#tick = now;
      this.#begun = 0;
    }
    const begun = this.#begun++;
    if (begun < TIMED_PER_TICK) return performance.now();
    return begun % SAMPLED === 0 ? -performance.now() : 0;
  }

  /**
   * A request is over.
   *
   * @param request The request.
   */
  ended(request: CountedRequest): void {
    if (request.isRefused) this.refused++;
    else if (request.isAborted) this.aborted++;
    else {
      this.served++;
      if (request.timing !== 0) this.#time(request.timing);
    }
  }

  #time(timing: number): void {
    const weight = timing < 0 ? SAMPLED : 1;
    const ms = performance.now() - Math.abs(timing);
    let bucket = 0;
    while (bucket < BOUNDS_MS.length && ms > BOUNDS_MS[bucket]!) bucket++;
    this.#counts[bucket]! += weight;
    this.#sumMs += ms * weight;
  }

  /**
   * What was counted, with what is found by looking.
   *
   * @param open The requests in flight on each open connection.
   * @returns All of it.
   */
  stats(open: Iterable<number>): ServerStats {
    let active = 0;
    let idle = 0;
    let inFlight = 0;
    for (const count of open) {
      if (count > 0) active++;
      else idle++;
      inFlight += count;
    }
    const { accepted, served, aborted, refused, bytesIn, bytesOut } = this;
    return {
      accepted,
      active,
      idle,
      inFlight,
      served,
      aborted,
      refused,
      bytesIn,
      bytesOut,
      latency: {
        boundsMs: BOUNDS_MS,
        counts: [...this.#counts],
        sumMs: this.#sumMs,
      },
    };
  }
}

/**
 * Adds up what several servers counted.
 *
 * @param all What each counted; nothing gives zeros.
 * @returns The sum.
 */
export function addStats(all: Iterable<ServerStats>): ServerStats {
  const sum = new Counters().stats([]);
  for (const stats of all) {
    for (const name of SUMMED) sum[name] += stats[name];
    stats.latency.counts.forEach((count, i) => sum.latency.counts[i]! += count);
    sum.latency.sumMs += stats.latency.sumMs;
  }
  return sum;
}

const SUMMED = [
  "accepted",
  "active",
  "idle",
  "inFlight",
  "served",
  "aborted",
  "refused",
  "bytesIn",
  "bytesOut",
] as const;
