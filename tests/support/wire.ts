// Bytes of FastCGI records, written the slow and obvious way, and read back so:
// the tests' own reading of FastCGI 1.0, which shares no code with src/.

/** One record. */
export interface WireRecord {
  type: number;
  id: number;
  content: Uint8Array;
  padding?: number;
}

export const BEGIN = 1;
export const ABORT = 2;
export const END = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;
export const DATA = 8;
export const GET_VALUES = 9;
export const GET_VALUES_RESULT = 10;
export const UNKNOWN_TYPE = 11;

const utf8 = new TextEncoder();

/** Bytes of a string, or the bytes themselves. */
export function bytes(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? utf8.encode(content) : content;
}

/** Joins byte arrays. */
export function concat(parts: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...parts].flatMap((part) => [...part]));
}

/** Joins byte arrays that may be large. */
export function concatLarge(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One record's bytes. */
export function record(
  type: number,
  id: number,
  content: string | Uint8Array = "",
  padding = 0,
): Uint8Array<ArrayBuffer> {
  const body = bytes(content);
  const header = [
    1,
    type,
    id >> 8,
    id & 255,
    body.length >> 8,
    body.length & 255,
    padding,
    0,
  ];
  return concatLarge([
    new Uint8Array(header),
    body,
    new Uint8Array(padding).fill(0xaa),
  ]);
}

/** FCGI_BEGIN_REQUEST. */
export function begin(
  id = 1,
  { role = 1, keep = true }: { role?: number; keep?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const flags = keep ? 1 : 0;
  return record(
    BEGIN,
    id,
    new Uint8Array([role >> 8, role & 255, flags, 0, 0, 0, 0, 0]),
  );
}

/** A length in one byte, or in four (always, where told so). */
function length(value: number, isLong: boolean): number[] {
  if (!isLong && value < 128) return [value];
  return [
    value >>> 24 | 0x80,
    value >>> 16 & 255,
    value >>> 8 & 255,
    value & 255,
  ];
}

/** One name-value pair. */
export function pair(
  name: string | Uint8Array,
  value: string | Uint8Array,
  isLong = false,
): Uint8Array<ArrayBuffer> {
  const [n, v] = [bytes(name), bytes(value)];
  return concatLarge([
    new Uint8Array([...length(n.length, isLong), ...length(v.length, isLong)]),
    n,
    v,
  ]);
}

/** Parameters, as bytes. */
export type Params =
  | Record<string, string>
  | readonly (readonly [string, string | Uint8Array])[];

/** Many pairs. */
export function pairs(params: Params): Uint8Array<ArrayBuffer> {
  const entries = Array.isArray(params) ? params : Object.entries(params);
  return concatLarge(entries.map(([name, value]) => pair(name, value)));
}

/** A stream in records of at most `size` bytes, with its end. */
export function stream(
  type: number,
  id: number,
  content: string | Uint8Array,
  size = 65535,
): Uint8Array<ArrayBuffer> {
  const body = bytes(content);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += size) {
    parts.push(record(type, id, body.subarray(at, at + size)));
  }
  return concatLarge([...parts, record(type, id)]);
}

/** What a small GET brings. */
export const GET: Record<string, string> = {
  REQUEST_METHOD: "GET",
  REQUEST_URI: "/",
  SERVER_PROTOCOL: "HTTP/1.1",
  SERVER_NAME: "test",
  SERVER_PORT: "80",
  REMOTE_ADDR: "192.0.2.1",
};

/** A whole request. CONTENT_LENGTH is set where there is a body. */
export function request(
  {
    id = 1,
    role = 1,
    keep = true,
    params = {},
    body = "",
    data,
  }: {
    id?: number;
    role?: number;
    keep?: boolean;
    params?: Record<string, string>;
    body?: string | Uint8Array;
    data?: string | Uint8Array;
  } = {},
): Uint8Array<ArrayBuffer> {
  const content = bytes(body);
  const all: Record<string, string> = { ...GET };
  if (content.length > 0) {
    all.REQUEST_METHOD = "POST";
    all.CONTENT_LENGTH = String(content.length);
  }
  return concatLarge([
    begin(id, { role, keep }),
    stream(PARAMS, id, pairs({ ...all, ...params })),
    stream(STDIN, id, content),
    ...(data === undefined ? [] : [stream(DATA, id, data)]),
  ]);
}

/** Reads whole records; `rest` is what is left over. */
export function records(
  content: Uint8Array,
): { records: WireRecord[]; rest: Uint8Array } {
  const found: WireRecord[] = [];
  let at = 0;
  while (content.length - at >= 8) {
    if (content[at] !== 1) throw new Error(`version ${content[at]} at ${at}`);
    const size = content[at + 4]! * 256 + content[at + 5]!;
    const padding = content[at + 6]!;
    if (content.length - at < 8 + size + padding) break;
    found.push({
      type: content[at + 1]!,
      id: content[at + 2]! * 256 + content[at + 3]!,
      content: content.slice(at + 8, at + 8 + size),
      padding,
    });
    at += 8 + size + padding;
  }
  return { records: found, rest: content.slice(at) };
}

/** Reads name-value pairs. */
export function readPairs(content: Uint8Array): [string, string][] {
  const found: [string, string][] = [];
  let at = 0;
  const size = () => {
    const first = content[at++]!;
    if (first < 128) return first;
    const value = (first - 128) * 2 ** 24 + content[at]! * 65536 +
      content[at + 1]! * 256 + content[at + 2]!;
    at += 3;
    return value;
  };
  const text = (length: number) => {
    const value = new TextDecoder().decode(content.slice(at, at + length));
    at += length;
    return value;
  };
  while (at < content.length) {
    const [n, v] = [size(), size()];
    found.push([text(n), text(v)]);
  }
  return found;
}

/** The answer to one request, taken together from its records. */
export interface Answer {
  /** The header block's lines, in order. */
  lines: string[];
  /** Headers by name in lower case, repeated ones joined with newlines. */
  headers: Record<string, string>;
  status: number;
  body: Uint8Array;
  text: string;
  stderr: string;
  /** Of FCGI_END_REQUEST; -1 where there was none. */
  appStatus: number;
  protocolStatus: number;
}

/** Takes the records of one request id together. */
export function answer(all: WireRecord[], id = 1): Answer {
  const own = all.filter((record) => record.id === id);
  const of = (type: number) =>
    concatLarge(
      own.filter((record) => record.type === type).map((r) => r.content),
    );
  const stdout = of(STDOUT);
  let headEnd = -1;
  for (let i = 0; i + 3 < stdout.length; i++) {
    if (
      stdout[i] === 13 && stdout[i + 1] === 10 && stdout[i + 2] === 13 &&
      stdout[i + 3] === 10
    ) {
      headEnd = i;
      break;
    }
  }
  const latin1 = (part: Uint8Array) =>
    Array.from(part, (byte) => String.fromCharCode(byte)).join("");
  const head = headEnd < 0 ? "" : latin1(stdout.slice(0, headEnd));
  const lines = head === "" ? [] : head.split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(": ");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 2);
    headers[name] = name in headers ? `${headers[name]}\n${value}` : value;
  }
  const body = headEnd < 0 ? stdout : stdout.slice(headEnd + 4);
  const end = own.find((record) => record.type === END)?.content;
  return {
    lines,
    headers,
    status: Number((headers.status ?? "0").slice(0, 3)),
    body,
    text: new TextDecoder().decode(body),
    stderr: new TextDecoder().decode(of(STDERR)),
    appStatus: end
      ? ((end[0]! << 24 | end[1]! << 16 | end[2]! << 8 | end[3]!) >>> 0)
      : -1,
    protocolStatus: end ? end[4]! : -1,
  };
}

/** FCGI_END_REQUEST, as a server sends it. */
export function end(
  id = 1,
  appStatus = 0,
  protocolStatus = 0,
): Uint8Array<ArrayBuffer> {
  return record(
    END,
    id,
    new Uint8Array([
      appStatus >>> 24,
      appStatus >>> 16,
      appStatus >>> 8,
      appStatus,
      protocolStatus,
      0,
      0,
      0,
    ]),
  );
}

/** A whole response in one record, with its ends. */
export function response(
  content: string | Uint8Array,
  id = 1,
): Uint8Array<ArrayBuffer> {
  return concatLarge([
    record(STDOUT, id, content),
    record(STDOUT, id),
    end(id),
  ]);
}

/** Records as "TYPE id length", to compare and to read. */
export function outline(all: WireRecord[]): string[] {
  return all.map(({ type, id, content }) =>
    `${NAMES[type] ?? type} ${id} ${content.length}`
  );
}

const NAMES: Readonly<Record<number, string>> = {
  [END]: "END",
  [STDOUT]: "STDOUT",
  [STDERR]: "STDERR",
  [GET_VALUES_RESULT]: "GET_VALUES_RESULT",
  [UNKNOWN_TYPE]: "UNKNOWN_TYPE",
};
