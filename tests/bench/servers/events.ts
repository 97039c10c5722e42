// Open responses, as of server-sent events: each begins with an event of 64
// bytes, and all have another every half second.

import { Gateway } from "../../../mod.ts";
import { serve } from "./address.ts";

const EVENT = new TextEncoder().encode(`data: ${"x".repeat(56)}\n\n`);
const open = new Set<ReadableStreamDefaultController<Uint8Array>>();

function events(): Response {
  let mine: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      mine = controller;
      open.add(mine);
      mine.enqueue(EVENT);
    },
    cancel() {
      open.delete(mine);
    },
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream" },
  });
}

serve(new Gateway({ fetch: events }));
setInterval(() => {
  for (const controller of open) controller.enqueue(EVENT);
}, 500);
