// Pulses: what a test sends to a stream that an application serves, one at a
// time, so that it can see each arrive by itself.

/** A channel of texts, which ends with `end`. */
export class Pulses implements AsyncIterable<string> {
  readonly #texts: string[] = [];
  readonly #left = Promise.withResolvers<void>();
  #wake: (() => void) | null = null;

  /** Sends a text; `end` ends the channel. */
  send(text: string): void {
    this.#texts.push(text);
    this.#wake?.();
  }

  /** Who listened is gone. */
  leave(): void {
    this.#left.resolve();
    this.send("end");
  }

  /** Settles when who listened is gone. */
  get left(): Promise<void> {
    return this.#left.promise;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) {
      const text = this.#texts.shift();
      if (text === "end") return;
      if (text !== undefined) yield text;
      else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

const channels = new Map<string, Pulses>();

/** The channel of a name, made when it is first asked for. */
export function pulses(name: string): Pulses {
  const known = channels.get(name);
  if (known !== undefined) return known;
  const made = new Pulses();
  channels.set(name, made);
  return made;
}

/** A channel as the body of a Response, each text as `write` has it. */
export function pulseStream(
  name: string,
  write: (text: string) => string,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const channel = pulses(name);
  const texts = channel[Symbol.asyncIterator]();
  const utf8 = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await texts.next();
      if (done) controller.close();
      else controller.enqueue(utf8.encode(write(value)));
    },
    cancel() {
      channel.leave();
    },
  });
}
