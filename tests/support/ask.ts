// Asking: one request to a service, and its answer with what else was seen.

import type { Application } from "../../src/application.ts";
import type { Peer } from "./peer.ts";
import { Running } from "./running.ts";
import type { RunningOptions, Service } from "./running.ts";
import { begin, concatLarge, pairs, PARAMS, request, STDIN } from "./wire.ts";
import { stream } from "./wire.ts";
import type { Answer, Params } from "./wire.ts";

/** An answer, and the lines of the server's own log. */
export interface Asked extends Answer {
  logged: string[];
}

/** Bytes of a request, or what wire.ts makes them of. */
export type Question = Uint8Array | Parameters<typeof request>[0];

/** Runs an application or a service() for one request. */
export async function ask(
  served: Application | Service,
  question: Question = {},
  options: RunningOptions = {},
): Promise<Asked> {
  await using running = new Running(served, options);
  using peer = await running.connect();
  const answer = await askOn(peer, question);
  return { ...answer, logged: [...running.logged] };
}

/** Sends a request on a connection there is, and gives its answer. */
export function askOn(peer: Peer, question: Question = {}): Promise<Answer> {
  return peer.ask(
    question instanceof Uint8Array ? question : request(question),
  );
}

/** A GET with exactly these parameters, in this order, as text or bytes. */
export function rawRequest(params: Params): Uint8Array<ArrayBuffer> {
  return concatLarge([
    begin(),
    stream(
      PARAMS,
      1,
      pairs([["REQUEST_METHOD", "GET"], ...entries(params)]),
    ),
    stream(STDIN, 1, ""),
  ]);
}

function entries(params: Params): (readonly [string, string | Uint8Array])[] {
  return Array.isArray(params) ? [...params] : Object.entries(params);
}

/** Bytes, a character each. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
