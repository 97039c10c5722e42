// WsgiHead: status and headers as startResponse() takes them, checked by the
// rules of PEP 3333 and made a header block.
//
// Hot: most responses of an application are of few statuses and headers, so
// the blocks made last are kept. What is found was checked when it was made.

import { HeaderBlock, isHopByHop } from "../cgi/header_block.ts";

/** Status and headers, ready to be sent. */
export interface WsgiHead {
  /** The status. */
  readonly status: number;
  /** The whole. */
  readonly block: HeaderBlock;
}

/** Heads kept, and the most characters of one. */
const MOST_KEPT = 256;
const MOST_LENGTH = 1024;

const kept = new Map<string, WsgiHead>();

/** `200 OK`: a reason, of Latin-1, with no space around it. */
const STATUS = /^([2-5]\d\d) [!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?$/;
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
  const key = keyOf(status, headers);
  const found = kept.get(key);
  if (found !== undefined) return found;
  const head = makeHead(status, headers as [string, string][]);
  if (key.length <= MOST_LENGTH) {
    if (kept.size >= MOST_KEPT) kept.clear();
    kept.set(key, head);
  }
  return head;
}

/**
 * A text that no other head has. Those that are valid hold no line feed, so
 * none that is invalid can look like one of them.
 */
function keyOf(status: string, headers: unknown): string {
  if (!Array.isArray(headers)) {
    fail(
      `headers of type ${typeof headers}`,
      "they are an array of [name, value]",
    );
  }
  let key = `${headers.length}\n${status}`;
  for (let i = 0; i < headers.length; i++) {
    const header: unknown = headers[i];
    if (!Array.isArray(header) || header.length !== 2) {
      fail(`header ${i}`, "it is no [name, value]");
    }
    const [name, value] = header;
    if (typeof name !== "string" || typeof value !== "string") {
      fail(
        `header ${i}, a ${typeof name} and a ${typeof value}`,
        "name and value are strings",
      );
    }
    key += `\n${name}\n${value}`;
  }
  return key;
}

function makeHead(status: string, headers: [string, string][]): WsgiHead {
  const code = STATUS.exec(status)?.[1];
  if (code === undefined) {
    fail(
      `the status ${JSON.stringify(status)}`,
      "it is a number of 200 to 599, a space and a reason of Latin-1 characters, such as 200 OK",
    );
  }
  const fields: [string, string][] = [];
  const seen = new Set<string>();
  for (const [given, value] of headers) {
    checkName(given);
    checkValue(given, value);
    const name = given.toLowerCase();
    if (name === "content-length") {
      if (seen.has(name)) fail("two Content-Length", "a body has one length");
      if (!/^\d{1,15}$/.test(value)) {
        fail(
          `the Content-Length ${JSON.stringify(value)}`,
          "it is a number of bytes, of digits alone",
        );
      }
    }
    seen.add(name);
    fields.push([name, value]);
  }
  const type = fields.find(([name]) => name === "content-type")?.[1];
  if (
    type !== undefined && /^text\/event-stream\s*(;|$)/i.test(type) &&
    !seen.has("x-accel-buffering")
  ) {
    // nginx would hold events back.
    fields.push(["x-accel-buffering", "no"]);
  }
  return {
    status: Number(code),
    block: new HeaderBlock(Number(code), status.slice(4), fields),
  };
}

function checkName(name: string): void {
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
  if (name.toLowerCase() === "status") {
    fail("a header Status", "the status is the first argument");
  }
}

function checkValue(name: string, value: string): void {
  if (VALUE.test(value)) return;
  fail(
    `the header ${name} to ${JSON.stringify(value)}`,
    "a value holds Latin-1 characters, and no control characters",
  );
}

function fail(what: string, why: string): never {
  throw new TypeError(`Cannot start a response with ${what}: ${why}`);
}
