// ClientWatch: whether the client of an HTTP request has gone, before there is
// any answer to it. Once there is one its body is cancelled, which tells.
//
// The runtime tells it by `request.signal` alone. That fires after success
// too, of which it warns whoever looks at it, once; here that is known, and
// would be no news to who develops an application. Most requests are answered
// before it is looked at.

/** How long a request may take before its client is looked after. */
const PATIENCE_MS = 200;

/** How the runtime's warning begins. */
const WARNING = "Deno.serve: request.signal aborts on successful responses";

/** Watches the clients of requests. */
export class ClientWatch {
  /** Requests that may yet cause the warning. */
  #looked = 0;
  #restore: (() => void) | null = null;

  /**
   * Watches the client of a request, for as long as it is not answered.
   *
   * @param request The request.
   * @param info Tells when its answer has been sent, or was not.
   * @param gone Aborted when the client has gone.
   * @returns Ends the watch.
   */
  watch(
    request: Request,
    info: Deno.ServeHandlerInfo,
    gone: AbortController,
  ): () => void {
    const onAbort = () => gone.abort(request.signal.reason);
    let hasLooked = false;
    const timer = setTimeout(() => {
      hasLooked = true;
      this.#hush(info.completed);
      request.signal.addEventListener("abort", onAbort);
      if (request.signal.aborted) onAbort();
    }, PATIENCE_MS);
    return () => {
      clearTimeout(timer);
      if (hasLooked) request.signal.removeEventListener("abort", onAbort);
    };
  }

  /** Keeps the warning from being printed until the request is completed. */
  #hush(completed: Promise<void>): void {
    this.#looked++;
    this.#restore ??= hushWarning();
    const done = () => {
      if (--this.#looked > 0) return;
      this.#restore?.();
      this.#restore = null;
    };
    completed.then(done, done);
  }
}

function hushWarning(): () => void {
  const { warn } = console;
  const quiet = (...data: unknown[]) => {
    if (!String(data[0]).startsWith(WARNING)) warn.apply(console, data);
  };
  console.warn = quiet;
  return () => {
    // Unless somebody else has put another in its place.
    if (console.warn === quiet) console.warn = warn;
  };
}
