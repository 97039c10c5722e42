// A web-standard handler, served as `Deno.serve` serves it. Start it with:
//
//   deno run --allow-net examples/streaming/app.ts
//
// It listens for FastCGI on 127.0.0.1:9000.

import { serve } from "@smisk/smisk";

serve((request, { remoteAddr }) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/time") return new Response(clock(), { headers: EVENTS });
  return new Response(`Hello ${remoteAddr.hostname}, you want ${pathname}\n`);
});

const EVENTS = { "content-type": "text/event-stream" };

/** The time as server-sent events: one each second, while somebody listens. */
function clock(): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  let timer: ReturnType<typeof setInterval>;
  return new ReadableStream({
    start(controller) {
      const tell = () => {
        const time = new Date().toISOString();
        controller.enqueue(encoder.encode(`data: ${time}\n\n`));
      };
      tell();
      timer = setInterval(tell, 1000);
    },
    cancel() {
      clearInterval(timer);
    },
  });
}
