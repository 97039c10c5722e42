// A stream of one megabyte as the body of a Response, in 16 chunks, each made
// when it is pulled.

import { Gateway } from "../../../mod.ts";
import { serve } from "./address.ts";

const CHUNKS = 16;
const chunk = new Uint8Array(1_000_000 / CHUNKS).fill(0x78);

function body(): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = CHUNKS;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(chunk);
      if (--left === 0) controller.close();
    },
  });
}

serve(new Gateway({ fetch: () => new Response(body()) }));
