// Delivery of bytes to the protocol core, sliced in every way: whole, byte by
// byte, at each split point and at random. What comes out must not depend on
// the slices, and no view of the buffer may be kept: it is overwritten after
// each push.

import { assert, assertEquals, fail } from "@std/assert";
import { ProtocolError } from "../../src/errors.ts";
import { ActiveRequest } from "../../src/protocol/active_request.ts";
import { Multiplexer } from "../../src/protocol/multiplexer.ts";
import type { MultiplexerHandler } from "../../src/protocol/multiplexer.ts";
import { decodeLatin1, decodePairs } from "../../src/protocol/pairs.ts";
import { RecordParser } from "../../src/protocol/parser.ts";
import type { RecordHandler } from "../../src/protocol/parser.ts";
import { seeded, whole } from "./random.ts";
import { concatLarge, GET_VALUES, record } from "./wire.ts";

/** How a delivery is set up. */
export interface Setup {
  /** Requests in flight on the connection. */
  maxRequestsPerConnection: number;
  /** Bytes of parameters of one request. */
  maxParamsBytes: number;
  /**
   * When a request ends: as soon as its input is complete, as soon as its
   * parameters are (and late input is to be ignored), or not at all. An abort
   * ends it in any case.
   */
  ends: "complete" | "request" | "never";
}

/** What is set up unless told otherwise: the defaults of an application. */
export const SETUP: Setup = {
  maxRequestsPerConnection: 128,
  maxParamsBytes: 128 * 1024,
  ends: "complete",
};

/** What came of the bytes, as lines that can be read and compared. */
export interface Seen {
  /**
   * Every record: type, id, content in brackets (a character per byte), and
   * `+n` where n bytes of the content are still to come.
   */
  records: string[];
  /**
   * What the multiplexer said, in order:
   *
   * - `begin ID role N keep|close`
   * - `request ID METHOD @HOST PHASE LENGTH data LENGTH`, what is absent left
   *   out, a method that is as `-`; then a line ` NAME=VALUE` for each pair; or
   *   `request ID refused WHY PHASE`
   * - `input ID stdin|data BYTES`, pieces in succession joined
   * - `end ID stdin|data COUNT`
   * - `abort ID`, `refuse ID WHY`, `values NAME,NAME`, `unknown TYPE`
   * - `error CODE at OFFSET`, always the last
   */
  events: string[];
  /** Requests in flight at the end. */
  inFlight: number;
  /** Whether the bytes ended with a whole record. */
  isAtBoundary: boolean;
}

const PHASES = ["params", "stdin", "data", "complete"];

/** Overwrites what was delivered; as a version it would be refused. */
const GARBAGE = 0xdb;

function text(buffer: Uint8Array, start: number, end: number): string {
  return decodeLatin1(buffer, start, end);
}

/** Stands between parser and multiplexer: holds the parser to its contract. */
class RecordTap implements RecordHandler {
  readonly lines: string[] = [];
  readonly #next: RecordHandler;
  #open: { key: string; content: string; remaining: number } | null = null;

  constructor(next: RecordHandler) {
    this.#next = next;
  }

  record(
    type: number,
    id: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    remaining: number,
  ): void {
    const key = `${type} ${id}`;
    assert(start <= end && end <= buffer.length && remaining >= 0);
    if (this.#open === null) {
      assert(end > start || remaining === 0, "an empty piece of a record");
      this.#open = { key, content: "", remaining: remaining + end - start };
    } else assert(end > start, "an empty piece after the first");
    const open = this.#open;
    assertEquals(key, open.key);
    open.remaining -= end - start;
    assertEquals(remaining, open.remaining);
    open.content += text(buffer, start, end);
    if (remaining === 0) this.close();
    this.#next.record(type, id, buffer, start, end, remaining);
  }

  /** Writes the record under way down. */
  close(): void {
    if (this.#open === null) return;
    const { key, content, remaining } = this.#open;
    this.lines.push(`${key} [${content}]${remaining ? ` +${remaining}` : ""}`);
    this.#open = null;
  }
}

/** Writes down what the multiplexer says, and ends requests. */
class Recorder implements MultiplexerHandler<ActiveRequest> {
  readonly events: string[] = [];
  readonly multiplexer: Multiplexer<ActiveRequest>;
  readonly #ends: Setup["ends"];
  readonly #asked = new Set<ActiveRequest>();
  readonly #ended = new Set<ActiveRequest>();
  #inputKey = "";

  constructor(setup: Setup) {
    this.#ends = setup.ends;
    this.multiplexer = new Multiplexer(this, setup);
  }

  #say(line: string): void {
    this.#inputKey = "";
    this.events.push(line);
  }

  #end(request: ActiveRequest): void {
    this.#ended.add(request);
    this.multiplexer.end(request);
  }

  begin(id: number, role: number, keepConnection: boolean): ActiveRequest {
    this.#say(`begin ${id} role ${role} ${keepConnection ? "keep" : "close"}`);
    return new ActiveRequest(id, role, keepConnection);
  }

  request(
    request: ActiveRequest,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): void {
    assert(!this.#ended.has(request), "a request that has ended");
    assert(!this.#asked.has(request), "a request for the second time");
    this.#asked.add(request);
    const { id, refusal, contentLength, dataLength } = request;
    const phase = PHASES[request.phase]!;
    if (refusal === null) {
      let line = `request ${id} ${
        request.methodStart < 0
          ? "-"
          : text(buffer, start + request.methodStart, start + request.methodEnd)
      }`;
      if (request.hostStart >= 0) {
        line += ` @${
          text(buffer, start + request.hostStart, start + request.hostEnd)
        }`;
      }
      line += ` ${phase}`;
      if (contentLength >= 0) line += ` ${contentLength}`;
      if (dataLength >= 0) line += ` data ${dataLength}`;
      this.#say(line);
      decodePairs(buffer, start, end, decodeLatin1, (name, value) => {
        this.#say(` ${name}=${value}`);
      });
    } else this.#say(`request ${id} refused ${refusal} ${phase}`);
    const isOver = this.#ends === "request" ||
      this.#ends === "complete" && phase === "complete";
    if (isOver) this.#end(request);
  }

  input(
    request: ActiveRequest,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): void {
    assert(end > start, "an empty piece of input");
    assert(this.#asked.has(request) && !this.#ended.has(request));
    const phase = PHASES[request.phase]!;
    const key = `input ${request.id} ${phase} `;
    const piece = text(buffer, start, end);
    if (this.#inputKey === key) this.events[this.events.length - 1] += piece;
    else this.#say(key + piece);
    this.#inputKey = key;
  }

  inputEnd(request: ActiveRequest, ended: number): void {
    assert(this.#asked.has(request) && !this.#ended.has(request));
    const { received, dataReceived } = request;
    const count = PHASES[ended] === "stdin" ? received : dataReceived;
    this.#say(`end ${request.id} ${PHASES[ended]} ${count}`);
    if (this.#ends === "complete" && PHASES[request.phase] === "complete") {
      this.#end(request);
    }
  }

  abort(request: ActiveRequest): void {
    assert(!this.#ended.has(request), "an abort of what has ended");
    this.#say(`abort ${request.id}`);
    this.#end(request);
  }

  refuse(id: number, refusal: string): void {
    this.#say(`refuse ${id} ${refusal}`);
  }

  getValues(names: string[]): void {
    this.#say(`values ${names.join()}`);
  }

  unknownType(type: number): void {
    this.#say(`unknown ${type}`);
  }

  fail(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    assertEquals(error.requestId, 0);
    this.#say(`error ${error.code} at ${error.offset}`);
  }
}

/** What a connection may hold, whatever was sent to it. */
function checkBounds(multiplexer: Multiplexer<ActiveRequest>, setup: Setup) {
  let count = 0;
  for (const { gathered } of multiplexer.requests()) {
    count++;
    if (gathered !== null && gathered.length > setup.maxParamsBytes) {
      fail(`${gathered.length} bytes of parameters are held`);
    }
  }
  if (count !== multiplexer.count || count > maxInFlight(setup)) {
    fail(`${count} requests are held, and ${multiplexer.count} counted`);
  }
}

/** Requests held at most: those refused are followed to their end too. */
function maxInFlight({ maxRequestsPerConnection }: Setup): number {
  return maxRequestsPerConnection * 2;
}

/**
 * Delivers bytes, cut at the given places.
 *
 * @param bytes The bytes of one connection.
 * @param cuts Where a push ends and the next begins, ascending.
 * @param setup Limits and when requests end.
 * @returns What came of them.
 */
export function deliver(
  bytes: Uint8Array,
  cuts: Iterable<number> = [],
  setup: Setup = SETUP,
): Seen {
  const recorder = new Recorder(setup);
  const { multiplexer } = recorder;
  const tap = new RecordTap(multiplexer);
  const parser = new RecordParser(tap);
  // A push begins and ends anywhere in the buffer, which is longer.
  let buffer = new Uint8Array(64).fill(GARBAGE);
  let at = 0;
  try {
    for (const cut of [...cuts, bytes.length]) {
      const start = 1 + at % 13;
      const end = start + cut - at;
      if (end + 9 > buffer.length) {
        buffer = new Uint8Array(end + 9).fill(GARBAGE);
      }
      buffer.set(bytes.subarray(at, cut), start);
      parser.push(buffer, start, end);
      multiplexer.settle();
      checkBounds(multiplexer, setup);
      buffer.fill(GARBAGE, start, end);
      at = cut;
    }
  } catch (error) {
    recorder.fail(error);
  }
  const { isAtBoundary } = parser;
  tap.close();
  return {
    records: tap.lines,
    events: recorder.events,
    inFlight: multiplexer.count,
    isAtBoundary,
  };
}

/** Cuts at random: many small slices or a few large ones. */
export function randomCuts(random: () => number, length: number): number[] {
  const most = 2 ** whole(random, 1, 12);
  const cuts: number[] = [];
  for (let at = 0;;) {
    at += whole(random, 0, most);
    if (at >= length) return cuts;
    cuts.push(at);
  }
}

/** Every place, or where there are too many those next to a record's edge. */
function splitPoints(bytes: Uint8Array): number[] {
  const all = Array.from({ length: bytes.length }, (_, i) => i);
  if (bytes.length <= 1024) return all;
  const edges: number[] = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    const next = at + 8 + bytes[at + 4]! * 256 + bytes[at + 5]! +
      bytes[at + 6]!;
    edges.push(at, at + 8, next);
    at = next;
  }
  const near = edges.slice(0, 30).flatMap((edge) =>
    [-1, 0, 1, 4, 7].map((by) => edge + by)
  ).filter((at) => at > 0 && at < bytes.length);
  return [...new Set(near)].sort((a, b) => a - b);
}

/**
 * Delivers bytes in every way, asserts that each gives the same, and that what
 * follows them is understood.
 *
 * @param bytes The bytes of one connection.
 * @param setup Limits and when requests end.
 * @returns What came of them.
 */
export function deliverAllWays(bytes: Uint8Array, setup: Setup = SETUP): Seen {
  const seen = deliver(bytes, [], setup);
  const check = (cuts: number[], how: string) =>
    assertEquals(deliver(bytes, cuts, setup), seen, how);
  const points = splitPoints(bytes);
  for (const at of points) check([at], `split at ${at}`);
  if (bytes.length <= 16_384) {
    check(Array.from({ length: bytes.length }, (_, i) => i), "byte by byte");
  } else check(points, "split at all edges");
  for (let seed = 1; seed <= 8; seed++) {
    check(randomCuts(seeded(seed), bytes.length), `random slices ${seed}`);
  }
  if (seen.isAtBoundary && !seen.events.at(-1)?.startsWith("error")) {
    const more = record(GET_VALUES, 0, "\x01\x00X", 3);
    const after = deliver(concatLarge([bytes, more]), [], setup);
    assertEquals(after.events, [...seen.events, "values X"], "what follows");
  }
  return seen;
}
