// How a Request is made that asks for nothing before the application does: as
// `Deno.serve` makes its own, around an inner request. The internals of an
// instance are properties named by symbols; nothing of them is promised. They
// are looked for once, compared with what is expected, and tried. Where
// anything differs there is no such way, and requests are made by the public
// constructor, of everything.

/** Names and values of headers, as the runtime keeps them. */
export type HeaderList = [name: string, value: string][];

/** A body, as the runtime keeps it. */
export interface InnerBody {
  /** A stream, or a {@linkcode StaticBody}. */
  streamOrStatic: unknown;
  /** What it was made of. */
  source: unknown;
  /** Its bytes, null where they are not known. */
  length: number | null;
  /** It as a stream. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Reads it whole. */
  consume(): unknown;
  /** Whether it was read. */
  consumed(): boolean;
  /** Whether it was read, or is being. */
  unusable(): boolean;
}

/** A body that was there at once. */
export interface StaticBody {
  /** All of it. */
  readonly body: string | Uint8Array<ArrayBuffer>;
  /** Whether it was read. */
  consumed: boolean;
}

/** The class of bodies. */
export type InnerBodyClass = new (streamOrStatic: unknown) => InnerBody;

/** What a Request asks of its inner one, each when it is first needed. */
export interface InnerRequest {
  /** The method. */
  readonly method: string;
  /** Gives the URL. */
  url(): string;
  /** All headers. */
  readonly headerList: HeaderList;
  /** Gives one header; its name comes in any case. */
  header(name: string): string | null;
  /** The body, null where there can be none. */
  readonly body: InnerBody | null;
  /** Takes what fires the signal. */
  onCancel(abort: () => void): void;
  /** As of `Request.redirect`. */
  readonly redirectMode: "follow";
  /** How often it was redirected. */
  readonly redirectCount: 0;
  /** The client it is for: none. */
  readonly clientRid: null;
  /** What a `blob:` URL stands for: nothing. */
  readonly blobUrlEntry: null;
}

/** How Requests are made around inner ones. */
export interface RequestInternals {
  /** The class of bodies. */
  readonly Body: InnerBodyClass;
  /** Makes a Request. */
  make(inner: InnerRequest): Request;
}

/** An instance, as far as its symbols are concerned. */
export type Slots = Record<symbol, unknown>;

/**
 * The symbols of an instance, by their descriptions, where they are the
 * expected ones.
 *
 * @param instance The instance.
 * @param expected The descriptions, in order.
 * @returns The symbols, null where they differ.
 */
export function slotsOf(
  instance: object,
  expected: readonly string[],
): Map<string, symbol> | null {
  const symbols = Object.getOwnPropertySymbols(instance);
  const slots = new Map(
    symbols.map((symbol) => [symbol.description ?? "", symbol]),
  );
  return areNames([...slots.keys()], expected) ? slots : null;
}

/**
 * Whether names are the expected ones, in any order.
 *
 * @param names The names.
 * @param expected The expected ones.
 * @returns Whether they are.
 */
export function areNames(
  names: readonly string[],
  expected: readonly string[],
): boolean {
  return names.toSorted().join() === expected.toSorted().join();
}

const SLOTS = [
  "request",
  "headers cache",
  "get headers",
  "headers guard",
  "signalCache",
  "url",
  "method",
  "[[webidl.brand]]",
];

/** What a whole inner request has, of which some is for its makers alone. */
const INNER_KEYS = [
  "methodInner",
  "method",
  "headerListInner",
  "headerList",
  "body",
  "redirectMode",
  "redirectCount",
  "urlList",
  "urlListProcessed",
  "clientRid",
  "blobUrlEntry",
  "url",
  "currentUrl",
];

const BODY_KEYS = ["streamOrStatic", "source", "length"];

const BODY_MEMBERS = [
  "constructor",
  "stream",
  "unusable",
  "consumed",
  "consume",
  "cancel",
  "error",
  "clone",
  "createProxy",
];

/**
 * Looks for the internals.
 *
 * @returns They, null where they are not as expected.
 */
export function findRequestInternals(): RequestInternals | null {
  try {
    const found = find();
    return found !== null && isWorking(found) ? found : null;
  } catch {
    return null; // Whatever it is, it is not what was expected.
  }
}

function find(): RequestInternals | null {
  const stream = new ReadableStream();
  const sample = new Request("http://localhost/", {
    method: "POST",
    body: stream,
  });
  const slots = slotsOf(sample, SLOTS);
  if (slots === null) return null;
  const values = sample as unknown as Slots;
  const brand = slots.get("[[webidl.brand]]")!;
  const innerSlot = slots.get("request")!;
  const guardSlot = slots.get("headers guard")!;
  const inner = values[innerSlot] as InnerRequest;
  const { body } = inner;
  if (
    values[brand] !== brand || body === null ||
    body.streamOrStatic !== stream ||
    !areNames(Object.keys(inner), INNER_KEYS) ||
    !areNames(Object.keys(body), BODY_KEYS) ||
    !areNames(
      Object.getOwnPropertyNames(Object.getPrototypeOf(body)),
      BODY_MEMBERS,
    )
  ) return null;
  const Branded = Request as unknown as new (brand: symbol) => Request;
  return {
    Body: body.constructor as InnerBodyClass,
    make(inner) {
      const request = new Branded(brand);
      (request as unknown as Slots)[innerSlot] = inner;
      (request as unknown as Slots)[guardSlot] = "immutable";
      return request;
    },
  };
}

/** Whether a Request made so is one in every respect. */
function isWorking({ Body, make }: RequestInternals): boolean {
  let abort = () => {};
  const stream = new ReadableStream();
  const inner = (body: InnerBody | null): InnerRequest => ({
    method: "QUERY",
    url: () => "http://localhost/path?query",
    headerList: [["one", "1"], ["two", "2"]],
    header: (name) => name === "two" ? "2" : null,
    body,
    onCancel: (fire) => abort = fire,
    redirectMode: "follow",
    redirectCount: 0,
    clientRid: null,
    blobUrlEntry: null,
  });
  const request = make(inner(new Body(stream)));
  const copy = request.clone();
  const proxy = new Request(request, { headers: { three: "3" } });
  const empty = make(inner(null));
  const text = make(inner(new Body({ body: "text", consumed: false })));
  const wasUsed = text.bodyUsed;
  const reading = text.text();
  reading.catch(() => {});
  const { signal } = empty;
  const wasAborted = signal.aborted;
  abort();
  return [request, copy, proxy, empty].every((made) =>
    made instanceof Request && made.method === "QUERY" &&
    made.url === "http://localhost/path?query"
  ) &&
    [request, copy, empty].every(({ headers }) =>
      headers.get("two") === "2" && headers.get("three") === null &&
      [...headers].join() === "one,1,two,2"
    ) &&
    proxy.headers.get("three") === "3" && request.bodyUsed &&
    copy.body !== null && !copy.bodyUsed && empty.body === null &&
    !empty.bodyUsed && empty.redirect === "follow" &&
    !wasUsed && text.bodyUsed && reading instanceof Promise &&
    !wasAborted && signal.aborted && empty.signal === signal;
}
