// How a Response is read. Its public face gives every body as a stream, which
// costs more than the rest of a short request; so what it keeps is looked at,
// as `Deno.serve` does. None of that is promised: it is looked for once and
// tried, and where anything differs, only what is public is used.

import { areNames, slotsOf } from "./runtime_request.ts";
import type {
  HeaderList,
  InnerBody,
  Slots,
  StaticBody,
} from "./runtime_request.ts";

/** What is sent of a Response. */
export interface ResponseParts {
  /** The status, 0 of `Response.error()`. */
  readonly status: number;
  /** The reason phrase, empty where none was set. */
  readonly statusText: string;
  /** The headers, in the order set and with the letters of their names. */
  readonly headers: Readonly<HeaderList>;
  /** A Content-Type beside them, null where it is among them. */
  readonly contentType: string | null;
  /** The body; what was read already is `undefined`. */
  readonly body:
    | string
    | Uint8Array<ArrayBuffer>
    | ReadableStream<Uint8Array<ArrayBuffer>>
    | null
    | undefined;
  /** The bytes of a stream, null where they are not known. */
  readonly length: number | null;
}

/**
 * Reads a Response, whose body is used then, unless it is a stream; null where
 * it is none.
 */
export type ReadResponse = (response: Response) => ResponseParts | null;

/** What a Response keeps. */
interface InnerResponse {
  readonly status: number;
  readonly statusMessage: string;
  readonly headerList: HeaderList;
  readonly body: InnerBody | null;
  /** Whether `fetch()` has decoded the body, whatever its headers say. */
  readonly bodyDecoded: boolean;
}

/** The runtime looks its global names up by a function, each time. */
const Stream = ReadableStream;

const SLOTS = [
  "[[webidl.brand]]",
  "response",
  "headers",
  "headers guard",
  "serve fast status",
  "serve fast body",
  "serve fast header kind",
  "serve fast content type",
  "serve fast consumed",
  "serve native response",
  "lazy static body",
  "lazy static content type",
];

const INNER_KEYS = [
  "type",
  "body",
  "headerList",
  "urlList",
  "status",
  "statusMessage",
  "aborted",
  "bodyDecoded",
  "url",
];

const TEXT_TYPE = "text/plain;charset=UTF-8";
const NO_HEADERS: Readonly<HeaderList> = [];

/**
 * What a decoded body's headers say of it that is true no more.
 */
const ENCODED_HEADERS: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-length",
  "transfer-encoding",
]);

/**
 * Reads a Response by what is public.
 *
 * @param response The Response.
 * @returns Its parts.
 */
export function readPublic(response: Response): ResponseParts | null {
  if (!isResponse(response)) return null;
  const { status, statusText, body } = response;
  const headers = [...response.headers];
  return {
    status,
    statusText,
    // What has an address came from fetch(), which decodes.
    headers: response.url !== "" && response.headers.has("content-encoding")
      ? withoutEncoding(headers)
      : headers,
    contentType: null,
    body: response.bodyUsed || body?.locked ? undefined : body,
    length: null,
  };
}

function isResponse(value: Response): boolean {
  try {
    return value.status >= 0;
  } catch {
    return false; // It has no more than the prototype of one.
  }
}

function withoutEncoding(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !ENCODED_HEADERS.has(name.toLowerCase()));
}

/**
 * Looks for the internals.
 *
 * @returns What reads by them, null where they are not as expected.
 */
export function findResponseReader(): ReadResponse | null {
  try {
    const slots = slotsOf(new Response("text"), SLOTS);
    if (slots === null) return null;
    const found = readerOf(slots);
    return isWorking(found, slots.get("response")!) ? found : null;
  } catch {
    return null; // Whatever it is, it is not what was expected.
  }
}

function readerOf(symbols: Map<string, symbol>): ReadResponse {
  const innerSlot = symbols.get("response")!;
  // A string nobody has looked at is here, and nowhere else.
  const textSlot = symbols.get("lazy static body")!;
  const typeSlot = symbols.get("lazy static content type")!;
  const consumedSlot = symbols.get("serve fast consumed")!;
  return (response) => {
    const slots = response as unknown as Slots;
    const inner = slots[innerSlot] as InnerResponse | undefined;
    if (inner === undefined) return null;
    const { status, statusMessage: statusText } = inner;
    const text = slots[textSlot] as string | null;
    const contentType = slots[typeSlot] as string | null;
    const isConsumed = slots[consumedSlot] === true;
    if (text !== null) {
      slots[consumedSlot] = true;
      return {
        status,
        statusText,
        headers: NO_HEADERS,
        contentType: contentType ?? TEXT_TYPE,
        body: isConsumed ? undefined : text,
        length: null,
      };
    }
    const { body } = inner;
    const content = body === null ? null : contentOf(body);
    return {
      status,
      statusText,
      headers: inner.bodyDecoded
        ? withoutEncoding(inner.headerList)
        : inner.headerList,
      contentType,
      body: isConsumed ? undefined : content,
      length: content instanceof Stream ? body!.length : null,
    };
  };
}

function contentOf(body: InnerBody): ResponseParts["body"] {
  const { streamOrStatic } = body;
  if (streamOrStatic instanceof Stream) {
    return body.unusable() ? undefined : streamOrStatic;
  }
  const content = streamOrStatic as StaticBody;
  if (content.consumed) return undefined;
  content.consumed = true;
  return content.body;
}

/** A sample, and what is to be read of it. */
type Sample = [response: Response, ...expected: string[]];

function samples(): Sample[] {
  const touched = new Response("text");
  touched.headers.append("x-one", "1");
  const used = new Response("text");
  used.text().catch(() => {});
  const locked = new Response(new ReadableStream());
  locked.body!.getReader();
  const headers: HeaderList = [["X-A", "1"], ["x-b", "2"], ["x-a", "3"]];
  const bytes = new Uint8Array([1, 2, 3]);
  const plain = { headers: { "content-type": "text/plain" } };
  const type = `Content-Type,${TEXT_TYPE}`;
  return [
    [new Response("text"), "200", "", "", TEXT_TYPE, "text"],
    [touched, "200", "", `${type},x-one,1`, "", "text"],
    [used, "200", "", type, "", "undefined"],
    [Response.json({}), "200", "", "", "application/json", "{}"],
    [new Response("text", plain), "200", "", "", "text/plain", "text"],
    [
      new Response("text", { status: 404, statusText: "None", headers }),
      ...["404", "None", `X-A,1,x-b,2,X-A,3,${type}`, "", "text"],
    ],
    [new Response(bytes), "200", "", "", "", "1,2,3"],
    [
      new Response(new ReadableStream(), { headers }),
      ...["200", "", "X-A,1,x-b,2,X-A,3", "", "stream of null"],
    ],
    [locked, "200", "", "", "", "undefined"],
    [new Response(new Blob(["text"])), "200", "", "", "", "stream of 4"],
    [new Response(null, { status: 204 }), "204", "", "", "", "null"],
    [Response.error(), "0", "", "", "", "null"],
  ];
}

/** Whether it reads Responses of all kinds, as they are and when touched. */
function isWorking(read: ReadResponse, innerSlot: symbol): boolean {
  return samples().every(([response, ...expected]) => {
    const inner = (response as unknown as Slots)[innerSlot] as InnerResponse;
    const parts = read(response);
    if (parts === null) return false;
    const { status, statusText, headers, contentType, body, length } = parts;
    const found = [
      status,
      statusText,
      headers,
      contentType ?? "",
      body instanceof ReadableStream ? `stream of ${length}` : body,
    ];
    return found.map(String).join("|") === expected.join("|") &&
      !inner.bodyDecoded && areNames(Object.keys(inner), INNER_KEYS);
  });
}
