// WriteBatch: the writes of one turn of the event loop, one behind the other.
//
// A turn brings the requests of many connections at once. Where each answer is
// written as it is made, the system's code takes the caches from the program's
// and gives them back, request by request, and whoever reads the answers goes to
// sleep between each two and has to be woken. With 64 connections that was 5 to
// 20 per cent of all time. The first answer of a turn leaves at once, so that a
// single connection waits for nothing.

/** Who has something to write. */
export interface Sender {
  /** Writes it. */
  send(): void;
}

/** How many answers wait before it is looked how long. */
const TIMED = 4;
/** Answers that have waited longer were not worth it. */
const MOST_MS = 2;
/** How many then leave at once, before it is tried again. */
const PAUSED = 4096;

const RESOLVED = Promise.resolve();

/** The writes of one server. */
export class WriteBatch {
  readonly #waiting: (Sender | null)[] = [];
  #count = 0;
  #isTurn = false;
  #since = 0;
  #paused = 0;

  /**
   * Has something written, at the end of this turn at the latest.
   *
   * @param sender What is to write; it writes nothing else before.
   */
  add(sender: Sender): void {
    if (this.#paused > 0) {
      this.#paused--;
      sender.send();
    } else if (this.#isTurn) {
      this.#waiting[this.#count++] = sender;
      if (this.#count === TIMED) this.#since = performance.now();
    } else {
      this.#isTurn = true;
      RESOLVED.then(this.#send);
      sender.send();
    }
  }

  // In line behind all that the turn has brought.
  readonly #send = (): void => {
    const waiting = this.#waiting;
    const count = this.#count;
    this.#isTurn = false;
    this.#count = 0;
    if (count > TIMED && performance.now() - this.#since > MOST_MS) {
      this.#paused = PAUSED;
    }
    for (let i = 0; i < count; i++) {
      waiting[i]!.send();
      waiting[i] = null;
    }
  };
}
