// A server of fixed answers, and what asks it.

import type { FastCGIClient } from "../../src/client/client.ts";
import { within } from "./peer.ts";
import { readRequest, Scripted } from "./scripted.ts";
import { response } from "./wire.ts";

/** A whole answer. */
export const whole = response("Content-Type: text/plain\r\n\r\nhello");
/** A request for nothing in particular. */
export const get = (init?: RequestInit) => new Request("http://test/", init);

/** The text of an answer. */
export async function text(
  client: FastCGIClient,
  request = get(),
): Promise<string> {
  const response = await within(client.fetch(request), "the header");
  return await within(response.text(), "the body");
}

/** A server that answers whatever comes, and notes FCGI_KEEP_CONN. */
export function answering(
  kept: boolean[] = [],
  answer: Uint8Array = whole,
): Scripted {
  return new Scripted(async (peer) => {
    while (await peer.read()) {
      if (
        !peer.records.some(({ type, content }) =>
          type === 5 && content.length === 0
        )
      ) continue;
      kept.push((await readRequest(peer)).keep);
      await peer.send(answer);
    }
  });
}

/** Lets the client see what has happened at its sockets: nothing tells when. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}

/** Lets the other side of a socket run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
