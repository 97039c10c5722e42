// Held: requests that have begun, and end once a stop of the program was asked
// for.

import { assertEquals } from "@std/assert";
import { Control, saying } from "./control.ts";
import type { Line } from "./control.ts";
import { Pieces } from "./pieces.ts";
import { get } from "./site.ts";
import type { Site } from "./site.ts";

/** Some of them. */
export class Held implements Disposable {
  readonly #control = new Control();
  readonly #lines: Line[] = [];
  readonly #pieces: Pieces[] = [];

  /** Begins so many. */
  static async begin(site: Site, count: number): Promise<Held> {
    const held = new Held();
    const path = `/hold?${held.#control.query}`;
    for (let i = 0; i < count; i++) {
      const asked = get(site, path);
      asked.catch(() => {});
      held.#lines.push(await held.#control.line());
      const pieces = new Pieces(await asked);
      await pieces.until("begun\n");
      held.#pieces.push(pieces);
    }
    return held;
  }

  /** Waits until they know of the stop, and lets them end: all of them do. */
  async end(): Promise<void> {
    for (const line of this.#lines) {
      assertEquals(await saying(line, "that it stops"), "stopping");
    }
    await this.goOn();
  }

  /** Lets them end, whatever they know. */
  async goOn(): Promise<void> {
    for (const [i, line] of this.#lines.entries()) {
      await line.say("go on");
      assertEquals(await this.#pieces[i]!.until(), "begun\ndone\n");
    }
  }

  [Symbol.dispose](): void {
    this.#control[Symbol.dispose]();
  }
}
