// Random connections: requests of every kind interleaved, cut into records
// anywhere, with padding, management records and strays between them; and
// what a broken or hostile peer makes of such bytes.

import { randomBytes, whole } from "../support/random.ts";
import {
  ABORT,
  BEGIN,
  begin,
  concatLarge,
  DATA,
  GET_VALUES,
  pair,
  PARAMS,
  record,
  STDIN,
} from "../support/wire.ts";

type Random = () => number;

function pick<T>(random: Random, from: readonly T[]): T {
  return from[whole(random, 0, from.length - 1)]!;
}

function chance(random: Random, percent: number): boolean {
  return random() * 100 < percent;
}

function padding(random: Random): number {
  if (chance(random, 70)) return 0;
  return chance(random, 3) ? 255 : whole(random, 1, 8);
}

/** A stream cut anywhere, with its end unless it has none. */
function cutStream(
  random: Random,
  type: number,
  id: number,
  content: Uint8Array,
): Uint8Array[] {
  const found: Uint8Array[] = [];
  const most = pick(random, [4, 30, 65535]);
  for (let at = 0; at < content.length;) {
    const next = Math.min(content.length, at + whole(random, 1, most));
    found.push(record(type, id, content.subarray(at, next), padding(random)));
    at = next;
  }
  if (!chance(random, 5)) found.push(record(type, id, "", padding(random)));
  return found;
}

const NAMES = [
  "REQUEST_METHOD",
  "REQUEST_SCHEME",
  "CONTENT_LENGTH",
  "HTTP_HOST",
  "HTTP_HOSTS",
  "PATH_INFO",
  "FCGI_DATA_LENGTH",
  "FCGI_DATA_LAST_MOD",
  "SERVER_ADDRESS",
  "content_length",
  "",
];

const VALUES = ["", "0", "GET", "a", "12", "\u00e9\u20ac", "x".repeat(130)];

/** How long a stream is said to be, of what it is. */
function announce(random: Random, length: number): string | null {
  return pick(random, [
    String(length),
    String(length),
    String(length),
    "0" + length,
    String(length + 3),
    String(Math.max(0, length - 3)),
    "0",
    "",
    "-1",
    "abc",
    "1.5",
    "90071992547409930",
    null,
  ]);
}

function randomParams(
  random: Random,
  bodyLength: number,
  dataLength: number,
): Uint8Array {
  const isLong = chance(random, 20);
  const parts: Uint8Array[] = [];
  const add = (name: string, value: string | null) => {
    if (value !== null) parts.push(pair(name, value, isLong));
  };
  if (chance(random, 90)) add("REQUEST_METHOD", "POST");
  add("CONTENT_LENGTH", announce(random, bodyLength));
  if (chance(random, 50)) add("HTTP_HOST", "example.com");
  if (chance(random, 40)) {
    add("FCGI_DATA_LENGTH", announce(random, dataLength));
  }
  for (let n = whole(random, 0, 4); n > 0; n--) {
    add(pick(random, NAMES), pick(random, VALUES));
  }
  // A pair that runs past the end.
  if (chance(random, 5)) {
    parts.push(pair("CUT", "short", isLong).subarray(0, 4));
  }
  return concatLarge(parts.sort(() => random() - 0.5));
}

function randomRequest(random: Random, id: number): Uint8Array[] {
  const role = pick(random, [1, 1, 1, 2, 3, 3, 0, 4, 257]);
  const body = randomBytes(random, pick(random, [0, 1, 3, 17, 60]));
  const data = randomBytes(random, pick(random, [0, 2, 30]));
  const found = [
    chance(random, 95)
      ? begin(id, { role, keep: chance(random, 50) })
      : record(BEGIN, id, randomBytes(random, whole(random, 0, 12))),
    ...cutStream(
      random,
      PARAMS,
      id,
      randomParams(random, body.length, data.length),
    ),
  ];
  if (role !== 2 || chance(random, 20)) {
    found.push(...cutStream(random, STDIN, id, body));
  }
  if (role === 3 || chance(random, 5)) {
    found.push(...cutStream(random, DATA, id, data));
  }
  if (chance(random, 15)) {
    const at = whole(random, 1, found.length);
    found.splice(at, 0, record(ABORT, id, chance(random, 20) ? "why" : ""));
  }
  if (chance(random, 10)) {
    const at = whole(random, 0, found.length);
    found.splice(at, 0, begin(id, { role: 1 }));
  }
  return found;
}

/** A record that belongs to no request, or to none that is known. */
function stray(random: Random): Uint8Array {
  const content = randomBytes(random, whole(random, 0, 12));
  switch (whole(random, 0, 3)) {
    case 0:
      return record(
        GET_VALUES,
        0,
        concatLarge([pair("FCGI_MAX_CONNS", ""), pair("FCGI_X", "é")]),
        padding(random),
      );
    case 1:
      return record(whole(random, 0, 255), 0, content, padding(random));
    case 2:
      return record(
        whole(random, 2, 255),
        whole(random, 1, 65535),
        content,
        padding(random),
      );
    default:
      return record(
        whole(random, 6, 14),
        whole(random, 1, 4),
        content,
        padding(random),
      );
  }
}

/**
 * The bytes of a random connection: all records whole, requests mostly as they
 * should be.
 *
 * @param random Where the numbers come from.
 * @returns The bytes.
 */
export function randomConnection(random: Random): Uint8Array<ArrayBuffer> {
  const ids = [1, 2, 3, 4, 256, 65535];
  const queues = Array.from(
    { length: whole(random, 1, 5) },
    () => randomRequest(random, pick(random, ids)),
  );
  const isInterleaved = chance(random, 60);
  const found: Uint8Array[] = [];
  while (queues.length > 0) {
    const at = isInterleaved ? whole(random, 0, queues.length - 1) : 0;
    const next = queues[at]!.shift();
    if (next === undefined) queues.splice(at, 1);
    else found.push(next);
    if (chance(random, 4)) found.push(stray(random));
  }
  return concatLarge(found);
}

/**
 * Changes bytes as nothing should: some changed, cut out, put in or repeated.
 *
 * @param random Where the numbers come from.
 * @param bytes The bytes.
 * @returns Other bytes.
 */
export function mutate(
  random: Random,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  let changed = bytes.slice();
  for (let n = whole(random, 1, 4); n > 0; n--) {
    const at = whole(random, 0, changed.length);
    const end = Math.min(changed.length, at + whole(random, 0, 24));
    const before = changed.subarray(0, at);
    switch (whole(random, 0, 5)) {
      case 0:
        if (at < changed.length) changed[at]! ^= 1 << whole(random, 0, 7);
        break;
      case 1:
        if (at < changed.length) changed[at] = whole(random, 0, 255);
        break;
      case 2:
        changed = concatLarge([before, changed.subarray(end)]);
        break;
      case 3:
        changed = concatLarge([
          before,
          randomBytes(random, whole(random, 1, 12)),
          changed.subarray(at),
        ]);
        break;
      case 4:
        changed = concatLarge([
          changed.subarray(0, end),
          changed.subarray(at),
        ]);
        break;
      default:
        // Every tenth connection breaks off.
        if (chance(random, 30)) changed = before.slice();
    }
  }
  return changed;
}
