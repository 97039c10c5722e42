// WsgiHead: status and headers as startResponse() takes them, checked by the
// rules of PEP 3333 and made a header block.
//
// Hot: most responses of an application are of few statuses and headers, so
// the heads made last are kept, those used most in front. To compare their
// strings, mostly the very same objects, takes a tenth of making them.

import { HeaderBlock, isHopByHop } from "../cgi/header_block.ts";

/** Status and headers, ready to be sent. */
export interface WsgiHead {
  /** The status. */
  readonly status: number;
  /** The whole. */
  readonly block: HeaderBlock;
}

interface KeptHead extends WsgiHead {
  /** As it was given: status, names and values. */
  readonly given: readonly string[];
}

const MOST_KEPT = 16;

const kept: KeptHead[] = [];
/** Where the next is put. */
let at = 0;

/** `200 OK`: a reason, of Latin-1, with no space around it. */
const STATUS = /^[2-5]\d\d [!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?$/;
/** A name (RFC 9110, section 5.6.2). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[ -~\x80-\xff]*$/;

/**
 * Checks what startResponse() was given.
 *
 * @param status The status and its reason.
 * @param headers Names and values.
 * @returns The head.
 * @throws {TypeError} Where one of them is not what PEP 3333 allows.
 */
export function wsgiHead(status: unknown, headers: unknown): WsgiHead {
  if (typeof status !== "string") {
    fail(`a status of type ${typeof status}`, "it is a string such as 200 OK");
  }
  checkTypes(headers);
  for (let i = 0; i < kept.length; i++) {
    const head = kept[i]!;
    if (!isOf(head, status, headers)) continue;
    if (i > 0) {
      kept[i] = kept[i - 1]!;
      kept[i - 1] = head;
    }
    return head;
  }
  const head = makeHead(status, headers);
  // Those of the front half were used again: new ones leave them alone.
  kept[at] = head;
  at = at + 1 < MOST_KEPT ? at + 1 : MOST_KEPT / 2;
  return head;
}

type Headers = readonly (readonly [name: string, value: string])[];

function checkTypes(headers: unknown): asserts headers is Headers {
  if (!Array.isArray(headers)) {
    fail(
      `headers of type ${typeof headers}`,
      "they are an array of [name, value]",
    );
  }
  for (let i = 0; i < headers.length; i++) {
    const header: unknown = headers[i];
    if (!Array.isArray(header) || header.length !== 2) {
      fail(`header ${i}`, "it is no [name, value]");
    }
    if (typeof header[0] !== "string" || typeof header[1] !== "string") {
      fail(
        `header ${i}, a ${typeof header[0]} and a ${typeof header[1]}`,
        "name and value are strings",
      );
    }
  }
}

function isOf({ given }: KeptHead, status: string, headers: Headers): boolean {
  if (given.length !== 1 + 2 * headers.length || given[0] !== status) {
    return false;
  }
  for (let i = 0; i < headers.length; i++) {
    const header = headers[i]!;
    if (given[1 + 2 * i] !== header[0] || given[2 + 2 * i] !== header[1]) {
      return false;
    }
  }
  return true;
}

function makeHead(status: string, headers: Headers): KeptHead {
  if (!STATUS.test(status)) {
    fail(
      `the status ${JSON.stringify(status)}`,
      "it is a number of 200 to 599, a space and a reason of Latin-1 characters, such as 200 OK",
    );
  }
  const given = [status];
  const fields: [string, string][] = [];
  let type = "";
  let hasLength = false;
  let tellsBuffering = false;
  for (const [name, value] of headers) {
    given.push(name, value);
    const field = fieldName(name);
    if (!VALUE.test(value)) {
      fail(
        `the header ${name} set to ${JSON.stringify(value)}`,
        "a value holds Latin-1 characters, and no control characters",
      );
    }
    if (field === "content-type") type = value;
    else if (field === "x-accel-buffering") tellsBuffering = true;
    else if (field === "content-length") {
      checkLength(value, hasLength);
      hasLength = true;
    }
    fields.push([field, value]);
  }
  if (!tellsBuffering && /^text\/event-stream\s*(;|$)/i.test(type)) {
    // nginx would hold events back.
    fields.push(["x-accel-buffering", "no"]);
  }
  const code = Number(status.slice(0, 3));
  return {
    status: code,
    block: new HeaderBlock(code, status.slice(4), fields),
    given,
  };
}

/** Names that were checked, in lower case. */
const names = new Map<string, string>();
const MOST_NAMES = 256;

function fieldName(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  if (!NAME.test(name)) {
    fail(
      `a header named ${JSON.stringify(name)}`,
      "a name is of letters, digits and - . _ and the like, without a colon",
    );
  }
  if (isHopByHop(name)) {
    fail(
      `the header ${name}`,
      "it is hop-by-hop and belongs to the web server (PEP 3333)",
    );
  }
  const field = name.toLowerCase();
  if (field === "status") {
    fail("a header Status", "the status is the first argument");
  }
  if (names.size >= MOST_NAMES) names.clear();
  names.set(name, field);
  return field;
}

function checkLength(value: string, isSecond: boolean): void {
  if (isSecond) fail("two Content-Length", "a body has one length");
  if (/^\d{1,15}$/.test(value)) return;
  fail(
    `the Content-Length ${JSON.stringify(value)}`,
    "it is a number of bytes, of digits alone",
  );
}

function fail(what: string, why: string): never {
  throw new TypeError(`Cannot start a response with ${what}: ${why}`);
}
