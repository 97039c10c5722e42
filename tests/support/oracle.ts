// The oracle: what must come of the bytes of a connection, worked out the slow
// and obvious way from the whole of them, with no buffers, offsets or states
// kept between pushes. It shares no code with src/, and says what deliver.ts
// says.

import type { Seen, Setup } from "./deliver.ts";

interface OracleRecord {
  type: number;
  id: number;
  /** What is there of the content. */
  content: number[];
  /** How much of it is not. */
  missing: number;
}

interface Split {
  records: OracleRecord[];
  isAtBoundary: boolean;
  /** Where a header with a wrong version stands, -1 where none does. */
  badVersion: number;
}

/** Splits a connection into records (section 3.3). */
function split(bytes: number[]): Split {
  const records: OracleRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== 1) {
      // Where the version is wrong nothing ends with a record, but what came
      // before did.
      return { records, isAtBoundary: true, badVersion: at };
    }
    if (at + 8 > bytes.length) break;
    const length = bytes[at + 4]! * 256 + bytes[at + 5]!;
    const content = bytes.slice(at + 8, at + 8 + length);
    const missing = length - content.length;
    // Of a record whose header is the last that came nothing can be said yet.
    if (missing === 0 || content.length > 0) {
      const id = bytes[at + 2]! * 256 + bytes[at + 3]!;
      records.push({ type: bytes[at + 1]!, id, content, missing });
    }
    at += 8 + length + bytes[at + 6]!;
  }
  return { records, isAtBoundary: at === bytes.length, badVersion: -1 };
}

/** Reads pairs (section 3.4); what is left over is not empty at a bad one. */
export function oraclePairs(
  bytes: number[],
): { pairs: [name: string, value: string][]; rest: number[] } {
  const pairs: [string, string][] = [];
  let rest = bytes;
  for (;;) {
    let after = rest;
    const lengths: number[] = [];
    while (lengths.length < 2 && after.length > 0) {
      const [first, ...tail] = after;
      if (first! < 128) {
        lengths.push(first!);
        after = tail;
      } else {
        if (tail.length < 3) return { pairs, rest };
        const [b2, b1, b0] = tail;
        lengths.push(
          ((first! - 128) * 256 ** 3) + b2! * 256 ** 2 + b1! * 256 + b0!,
        );
        after = tail.slice(3);
      }
    }
    if (lengths.length < 2) return { pairs, rest };
    const [name, value] = lengths;
    if (after.length < name! + value!) return { pairs, rest };
    pairs.push([
      latin1(after.slice(0, name)),
      latin1(after.slice(name, name! + value!)),
    ]);
    rest = after.slice(name! + value!);
  }
}

function latin1(bytes: number[]): string {
  return bytes.map((byte) => String.fromCharCode(byte)).join("");
}

/** A length as CGI has it, -1 where it is unknown. */
function cgiLength(value: string | undefined): number {
  if (value === undefined || !/^[0-9]+$/.test(value)) return -1;
  return BigInt(value) <= 2n ** 53n - 1n ? Number(value) : -1;
}

type Phase = "params" | "stdin" | "data" | "complete";

interface OracleRequest {
  id: number;
  role: number;
  phase: Phase;
  refusal: string | null;
  params: number[];
  isTooLarge: boolean;
  contentLength: number;
  dataLength: number;
  counts: Record<"stdin" | "data", number>;
}

/**
 * Says what must come of the bytes of one connection.
 *
 * @param bytes The bytes.
 * @param setup Limits and when requests end.
 * @returns The same as `deliver()`.
 */
export function oracle(bytes: Uint8Array, setup: Setup): Seen {
  const { records, isAtBoundary, badVersion } = split([...bytes]);
  const active = new Map<number, OracleRequest>();
  let events: string[] = [];

  function finish(request: OracleRequest): void {
    active.delete(request.id);
  }

  function finishIfComplete(request: OracleRequest): void {
    if (setup.ends === "complete" && request.phase === "complete") {
      finish(request);
    }
  }

  function abort(request: OracleRequest): void {
    events.push(`abort ${request.id}`);
    finish(request);
  }

  function management(record: OracleRecord): void {
    if (record.missing > 0) return;
    if (record.type !== 9) events.push(`unknown ${record.type}`);
    else {
      const names = oraclePairs(record.content).pairs.map(([name]) =>
        new TextDecoder().decode(
          Uint8Array.from(name, (letter) => letter.charCodeAt(0)),
        )
      );
      events.push(`values ${names.join()}`);
    }
  }

  function begin({ id, content, missing }: OracleRecord): void {
    if (missing > 0) return;
    const before = active.get(id);
    if (before) return abort(before);
    if (content.length !== 8) {
      events.push(`refuse ${id} begin_malformed`);
      return;
    }
    if (active.size >= 2 * setup.maxRequestsPerConnection) {
      events.push(`refuse ${id} overloaded`);
      return;
    }
    const role = content[0]! * 256 + content[1]!;
    const keep = content[2]! % 2 === 1;
    events.push(`begin ${id} role ${role} ${keep ? "keep" : "close"}`);
    active.set(id, {
      id,
      role,
      phase: "params",
      refusal: ![1, 2, 3].includes(role)
        ? "unknown_role"
        : active.size >= setup.maxRequestsPerConnection
        ? "overloaded"
        : null,
      params: [],
      isTooLarge: false,
      contentLength: -1,
      dataLength: -1,
      counts: { stdin: 0, data: 0 },
    });
  }

  function params(request: OracleRequest, record: OracleRecord): void {
    if (request.phase !== "params") return;
    if (record.content.length > 0) {
      request.params.push(...record.content);
      const announced = request.params.length + record.missing;
      if (announced > setup.maxParamsBytes) {
        request.isTooLarge = true;
        request.refusal ??= "params_too_large";
      }
      return;
    }
    const { pairs, rest } = oraclePairs(request.params);
    const values = new Map(pairs);
    if (request.isTooLarge) values.clear();
    else if (rest.length > 0) {
      values.clear();
      request.refusal ??= "params_malformed";
    }
    request.contentLength = cgiLength(values.get("CONTENT_LENGTH"));
    request.dataLength = cgiLength(values.get("FCGI_DATA_LENGTH"));
    request.phase = "stdin";
    if (request.role === 2) request.phase = "complete";
    else if (request.contentLength === 0) skipToNext(request);
    ask(request, pairs, values);
    if (setup.ends === "request") finish(request);
    else finishIfComplete(request);
  }

  function ask(
    { id, refusal, phase, contentLength, dataLength }: OracleRequest,
    pairs: [string, string][],
    values: Map<string, string>,
  ): void {
    if (refusal !== null) {
      events.push(`request ${id} refused ${refusal} ${phase}`);
      return;
    }
    const words = ["request", id, values.get("REQUEST_METHOD") ?? "-"];
    const host = values.get("HTTP_HOST");
    if (host !== undefined) words.push("@" + host);
    words.push(phase);
    if (contentLength >= 0) words.push(contentLength);
    if (dataLength >= 0) words.push("data", dataLength);
    events.push(words.join(" "));
    for (const [name, value] of pairs) events.push(` ${name}=${value}`);
  }

  function skipToNext(request: OracleRequest): void {
    const hasData = request.phase === "stdin" && request.role === 3 &&
      request.dataLength !== 0;
    request.phase = hasData ? "data" : "complete";
  }

  function input(
    request: OracleRequest,
    which: "stdin" | "data",
    record: OracleRecord,
  ): void {
    if (which === "stdin" && request.phase === "params") {
      request.refusal ??= "params_malformed";
    }
    if (request.phase !== which) return;
    const wanted = which === "stdin"
      ? request.contentLength
      : request.dataLength;
    const room = wanted < 0 ? Infinity : wanted - request.counts[which];
    const taken = record.content.slice(0, room);
    request.counts[which] += taken.length;
    if (taken.length > 0) {
      events.push(`input ${request.id} ${which} ${latin1(taken)}`);
    }
    const isLast = record.content.length === 0 ||
      request.counts[which] === wanted;
    if (!isLast) return;
    skipToNext(request);
    events.push(`end ${request.id} ${which} ${request.counts[which]}`);
    finishIfComplete(request);
  }

  for (const record of records) {
    const request = active.get(record.id);
    if (record.id === 0) management(record);
    else if (record.type === 1) begin(record);
    else if (!request) continue;
    else if (record.type === 2 && record.missing === 0) abort(request);
    else if (record.type === 4) params(request, record);
    else if (record.type === 5) input(request, "stdin", record);
    else if (record.type === 8) input(request, "data", record);
  }
  if (badVersion >= 0) events.push(`error BAD_VERSION at ${badVersion}`);
  events = joinInput(events);
  return {
    records: records.map(({ type, id, content, missing }) =>
      `${type} ${id} [${latin1(content)}]${missing ? ` +${missing}` : ""}`
    ),
    events,
    inFlight: active.size,
    isAtBoundary,
  };
}

/** Input of one stream in succession counts as one piece. */
function joinInput(events: string[]): string[] {
  const joined: string[] = [];
  let key = "";
  for (const event of events) {
    const found = /^input \d+ \w+ /.exec(event)?.[0] ?? "";
    if (found !== "" && found === key) {
      joined.push(joined.pop()! + event.slice(found.length));
    } else joined.push(event);
    key = found;
  }
  return joined;
}
