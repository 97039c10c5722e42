// Servers of serve() under test.

import type { FastCGIServer, ServeOptions } from "../../mod.ts";
import { askOn } from "./ask.ts";
import type { Question } from "./ask.ts";
import { Peer, within } from "./peer.ts";
import type { Answer } from "./wire.ts";

/** Options that say nothing, on a free port. */
export const QUIET: ServeOptions = { port: 0, onListen() {} };

/** Asks a server once, and stops it. */
export async function askServer(
  server: FastCGIServer,
  question: Question = {},
): Promise<Answer> {
  try {
    using peer = await Peer.to(server);
    return await askOn(peer, question);
  } finally {
    await within(server.shutdown(), "the server to stop");
  }
}
